//! How one follower is asked to stop, alone or with all others.

use tokio::sync::watch;
use traillake_ingest::CancelFlag;

/// Asks a follower to stop: a run under way hears the flag, and a pause ends.
#[derive(Default)]
pub(super) struct Stop {
    flag: CancelFlag,
    asked: watch::Sender<bool>,
}

impl Stop {
    /// Asks.
    pub(super) fn ask(&self) {
        self.flag.cancel();
        self.asked.send_replace(true);
    }

    /// Returns whether it was asked.
    pub(super) fn is_asked(&self) -> bool {
        self.flag.is_cancelled()
    }

    /// Returns what runs hear.
    pub(super) fn flag(&self) -> &CancelFlag {
        &self.flag
    }

    /// Returns what `work` returns, or `None` when it was asked to stop, then or before.
    pub(super) async fn unless<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut asked = self.asked.subscribe();
        tokio::select! {
            biased;
            _ = asked.wait_for(|asked| *asked) => None,
            result = work => Some(result),
        }
    }
}
