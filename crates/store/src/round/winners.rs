//! What others committed since a round was planned.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use object_store::path::Path;

use super::{ledger_of, table_of};
use crate::error::Result;
use crate::snapshot::{LiveFile, StoreSnapshot, TableSnapshot};

/// The rounds after `since` that a pinned state shows.
pub(super) struct Winners<'a> {
    pin: &'a StoreSnapshot,
    since: Option<i64>,
    own: BTreeSet<i64>,
}

impl<'a> Winners<'a> {
    /// Rounds after `since`, but for the writer's `own`: whoever planned a round knows what the
    /// rounds planned beside it hold. Without `since`, every round there is.
    pub(super) fn since(
        since: Option<i64>,
        own: &BTreeSet<i64>,
        pin: &'a StoreSnapshot,
    ) -> Winners<'a> {
        let own = match since {
            Some(since) => own.range(since + 1..).copied().collect(),
            None => BTreeSet::new(),
        };
        Winners { pin, since, own }
    }

    /// The pinned state.
    pub(super) fn pin(&self) -> &'a StoreSnapshot {
        self.pin
    }

    /// Whether there are any. Every round has its own number, and no number is left out.
    pub(super) fn any(&self) -> bool {
        self.since.is_none_or(|since| since + (self.own.len() as i64) < self.pin.token)
    }

    /// Their ledger files.
    pub(super) async fn ledger(&self) -> Result<Arc<[LiveFile]>> {
        self.files_of(ledger_of(self.pin)?).await
    }

    /// Their files in a table.
    pub(super) async fn files(&self, table: &str) -> Result<Arc<[LiveFile]>> {
        self.files_of(table_of(self.pin, table)?).await
    }

    async fn files_of(&self, table: &TableSnapshot) -> Result<Arc<[LiveFile]>> {
        let Some(since) = self.since else { return table.files().await };
        let mut files = Vec::new();
        if !self.any() {
            return Ok(files.into());
        }
        let log = table.log();
        for version in (1..=table.version()).rev() {
            let Some(entry) = log.read_commit(version).await? else {
                return table.files().await; // cleaned up: all there is, theirs among it
            };
            match log.token_of(&entry) {
                Some(token) if token <= since => break,
                Some(token) if self.own.contains(&token) => {}
                Some(_) => files.extend(log.added(table.state(), &entry)?),
                None => {} // a rewrite moves rows and brings none
            }
        }
        let live = table.files().await?;
        let live_paths: HashSet<&Path> = live.iter().map(|file| &file.path).collect();
        match files.iter().all(|file| live_paths.contains(&file.path)) {
            true => Ok(files.into()),
            false => Ok(live), // folded: theirs may be removed, and their rows are in others
        }
    }
}
