//! On which thread is a statement planned?
//!
//! On one of its own. Planning computes for as long as a statement is intricate and gives way to
//! nobody, so on a thread of the runtime it would hold up everybody else; and it recurses, so it
//! brings the stack that the limits on a statement's depth are measured on.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// Stack of the thread. It is address space, not memory.
const STACK_BYTES: usize = 16 << 20;

/// Does `work` on a thread of its own. Whoever does not wait for it is free at once; the work ends
/// where it waits for something next, and `turn` is given back only then.
///
/// # Errors
/// [`Error::Fault`] when there is no thread for it, or it panicked.
pub(crate) async fn planned_aside<T: Send + 'static>(
    turn: Option<Arc<dyn Any + Send + Sync>>,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T> {
    let (mut told, planned) = oneshot::channel();
    let runtime = Handle::current();
    let thread = std::thread::Builder::new().name("plan".to_owned()).stack_size(STACK_BYTES);
    let started = thread.spawn(move || {
        let _turn = turn;
        let done = runtime.block_on(async {
            tokio::select! {
                done = work => Some(done),
                () = told.closed() => None,
            }
        });
        // What nobody waits for any more is dropped here, on this stack.
        if let Some(done) = done {
            let _ = told.send(done);
        }
    });
    let fault = |detail: String| Error::Fault { detail };
    started.map_err(|error| fault(format!("no thread to plan on: {error}")))?;
    planned.await.map_err(|_| fault("planning broke off".to_owned()))
}
