//! Ctrl-C: asked once, work stops where it is safe; asked twice, the process ends at once.

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::failure::INTERRUPTED;
use crate::spills;

/// Listens for Ctrl-C (and, where there is one, SIGTERM) until it is dropped.
pub struct Interrupt {
    happened: watch::Receiver<bool>,
    listener: JoinHandle<()>,
}

impl Interrupt {
    /// Starts to listen, from this moment on, and calls `first` when somebody asks to stop. A lake
    /// is consistent at every moment, so asking again may end the process wherever it is.
    pub fn listen(first: impl FnOnce() + Send + 'static) -> Interrupt {
        let (tell, happened) = watch::channel(false);
        let mut signals = Signals::catch();
        let listener = tokio::spawn(async move {
            signals.next().await;
            first();
            tell.send_replace(true);
            signals.next().await;
            spills::remove();
            std::process::exit(INTERRUPTED.into());
        });
        Interrupt { happened, listener }
    }

    /// Returns what `work` returns, or `None` when it was interrupted, then or before.
    pub async fn unless<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut happened = self.happened.clone();
        let interrupted = async {
            if happened.wait_for(|happened| *happened).await.is_err() {
                std::future::pending::<()>().await; // nobody listens any more
            }
        };
        tokio::select! {
            biased;
            () = interrupted => None,
            result = work => Some(result),
        }
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// The signals that ask to stop. A kind that cannot be caught keeps its ordinary effect.
#[cfg(unix)]
struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn catch() -> Signals {
        use tokio::signal::unix::{SignalKind, signal};
        Signals {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    async fn next(&mut self) {
        async fn of(signal: Option<&mut tokio::signal::unix::Signal>) {
            match signal {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        }
        tokio::select! {
            () = of(self.interrupt.as_mut()) => {}
            () = of(self.terminate.as_mut()) => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn catch() -> Signals {
        Signals
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
