//! Knowing a state of a store again, by the newest commit of its main table.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{StoreWriter, main_of};
use crate::error::Result;

/// A commit of a store's main table. A log that has it has every round up to it, for a commit is
/// put after the one that its writer has seen. Numbers do not say that: a store that was restored to
/// an older round comes to the same ones again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// Number of the last round up to it.
    pub round: i64,
    /// The version that it made.
    pub version: u64,
    /// Its UUID.
    pub commit: Uuid,
}

impl StoreWriter {
    /// The newest commit that this writer has seen: its own last round's or a later one. None of a
    /// store without rounds, and where its own last round could not be looked at yet. Asks for
    /// nothing.
    pub async fn mark(&self) -> Option<Mark> {
        let own = self.turn.lock().await;
        let pin = self.pinned();
        if own.last().is_some_and(|last| *last > pin.token) {
            return None;
        }
        let state = main_of(&pin).ok()?.state();
        Some(Mark { round: pin.token, version: state.version(), commit: state.commit()? })
    }

    /// Whether the store still has a commit: one request. One that a clean-up of the log has
    /// removed counts as gone.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn has(&self, mark: &Mark) -> Result<bool> {
        let pin = self.pinned();
        let found = main_of(&pin)?.log().read_commit(mark.version).await?;
        Ok(found.is_some_and(|entry| entry.round == Some(mark.commit)))
    }
}
