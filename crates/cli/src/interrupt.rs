//! Ctrl-C: asked once, work stops where it is safe; asked twice, the process ends at once.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::failure::INTERRUPTED;

/// Listens for Ctrl-C (and, where there is one, SIGTERM) until it is dropped.
pub struct Interrupt {
    happened: Arc<Notify>,
    listener: JoinHandle<()>,
}

impl Interrupt {
    /// Starts to listen and calls `first` when somebody asks to stop. A lake is consistent at
    /// every moment, so asking again may end the process wherever it is.
    pub fn listen(first: impl FnOnce() + Send + 'static) -> Interrupt {
        let happened = Arc::new(Notify::new());
        let notify = happened.clone();
        let listener = tokio::spawn(async move {
            asked_to_stop().await;
            first();
            notify.notify_one();
            asked_to_stop().await;
            std::process::exit(INTERRUPTED.into());
        });
        Interrupt { happened, listener }
    }

    /// Returns what `work` returns, or `None` when it was interrupted.
    pub async fn unless<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.happened.notified() => None,
            result = work => Some(result),
        }
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

#[cfg(unix)]
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).ok();
    let terminated = async {
        match &mut terminate {
            Some(signal) => signal.recv().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
    }
}

#[cfg(not(unix))]
async fn asked_to_stop() {
    let _ = tokio::signal::ctrl_c().await;
}
