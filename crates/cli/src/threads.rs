//! The threads that commands work on, and those of upkeep, which give way to all others.

use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::anyhow;
use tokio::runtime::{Builder, Runtime};

/// Stack of each worker thread. Plans are trees walked by recursion; two megabytes, the default, do
/// not hold a nested one. It is address space, not memory.
const STACK_BYTES: usize = 16 << 20;

/// How long a thread for blocking work waits for more. A thread that waits keeps the memory it
/// worked in; with the runtime's own ten seconds an ingest held four times what was alive in it.
const KEEP_ALIVE: Duration = Duration::from_millis(50);

/// How nice upkeep is (`nice(2)`): beside a question that wants the same core it gets a tenth of it,
/// and all that nobody else wants.
const NICE: i32 = 10;

/// Upkeep's own threads, made when they are first needed. Connections that it opens live on them: it
/// must not share any with work that does not give way.
#[cfg(target_os = "linux")]
static GIVING_WAY: LazyLock<io::Result<Runtime>> =
    LazyLock::new(|| builder().on_thread_start(give_way).build());
/// Elsewhere a priority is that of the whole process.
#[cfg(not(target_os = "linux"))]
static GIVING_WAY: LazyLock<io::Result<Runtime>> = LazyLock::new(|| builder().build());

/// Returns the runtime of the command.
pub fn runtime() -> io::Result<Runtime> {
    builder().build()
}

/// Lowers the priority of this thread and of those it begins; on another Unix than Linux, of the whole
/// process. One that is lower stays. Where it may not be lowered, the work is done all the same.
pub fn give_way() {
    #[cfg(unix)]
    if rustix::process::getpriority_process(None).is_ok_and(|nice| nice < NICE) {
        let _ = rustix::process::setpriority_process(None, NICE);
    }
}

/// Does work on threads that give way to all others of this process, and returns what it returns.
pub async fn giving_way<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> anyhow::Result<T> {
    match &*GIVING_WAY {
        Ok(runtime) => Ok(runtime.spawn(work).await?),
        Err(error) => Err(anyhow!("no threads for it: {error}")),
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.thread_stack_size(STACK_BYTES).thread_keep_alive(KEEP_ALIVE).enable_all();
    builder
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// How nice a thread is; a thread that began nice shows nothing.
    fn nice() -> i32 {
        rustix::process::getpriority_process(None).unwrap()
    }

    #[test]
    fn upkeep_gives_way_on_every_thread_and_nobody_else_does() {
        let runtime = runtime().unwrap();
        let work = async { (nice(), tokio::task::spawn_blocking(nice).await.unwrap()) };
        let before = nice();
        let of_upkeep = runtime.block_on(giving_way(work)).unwrap();
        assert_eq!(of_upkeep, (before.max(NICE), before.max(NICE)));
        let of_others = runtime.block_on(async { tokio::spawn(async { nice() }).await.unwrap() });
        assert_eq!((nice(), of_others), (before, before));
    }
}
