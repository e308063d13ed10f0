//! Making a round visible, table by table, by its ingester or by whoever finds it unfinished.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use uuid::Uuid;

use super::manifest::{Manifest, TableAdds};
use super::{Step, StepHook, main_of, table_of};
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::log::{Commit, CommitResult, TableLog, TableState};
use crate::snapshot::{StoreSnapshot, TableSnapshot};
use crate::store::StoreInfo;

/// Commits the rounds of one store.
pub(crate) struct Publisher {
    pub(super) info: StoreInfo,
    pub(crate) layout: Layout,
    pub(super) objects: Arc<dyn ObjectStore>,
    /// In the order of commits: the main table first, the ledger last.
    pub(super) logs: Vec<TableLog>,
    steps: Option<StepHook>,
}

impl Publisher {
    pub(super) fn new(
        info: StoreInfo,
        layout: Layout,
        objects: Arc<dyn ObjectStore>,
        logs: Vec<TableLog>,
        steps: Option<StepHook>,
    ) -> Publisher {
        Publisher { info, layout, objects, logs, steps }
    }

    pub(super) fn step(&self, step: Step) {
        if let Some(hook) = &self.steps {
            hook(&step);
        }
    }

    /// Writes the manifest of the round after the pinned state.
    pub(super) async fn announce(
        &self,
        pin: &StoreSnapshot,
        round: Uuid,
        at: DateTime<Utc>,
        tables: Vec<TableAdds>,
    ) -> Result<Manifest> {
        let number = pin.token + 1;
        let mut tokens: BTreeMap<String, i64> =
            pin.tables().iter().map(|of| (of.name().to_string(), of.state().token())).collect();
        tokens.extend(tables.iter().map(|of| (of.table.clone(), number)));
        let manifest = Manifest { number, round, at, tables, tokens };
        let path = self.layout.manifest(&self.info.name, number, round);
        let put = self.objects.put(&path, manifest.to_bytes()?.into()).await;
        put.map_err(|error| Error::storage(format!("write `{path}`"), error))?;
        self.step(Step::ManifestWritten);
        Ok(manifest)
    }

    /// Commits the main table on the pinned state: the point at which the round happens.
    pub(super) async fn commit_main(
        &self,
        pin: &StoreSnapshot,
        manifest: &Manifest,
    ) -> CommitResult {
        let main = match self.ready(pin, manifest).await {
            Ok(main) => main,
            Err(error) => return CommitResult::Failed(error),
        };
        let adds = manifest.tables.first().filter(|first| first.table == main.name());
        self.step(Step::BeforeCommit(main.name().to_string()));
        let adds = adds.map_or(&[][..], |first| &first.adds);
        let result = self.commit(main.log(), main.state(), manifest, adds).await;
        if matches!(result, CommitResult::Committed(_)) {
            self.step(Step::AfterCommit(main.name().to_string()));
        }
        result
    }

    /// The main table, once all that the round stands on is sure.
    async fn ready<'a>(
        &self,
        pin: &'a StoreSnapshot,
        manifest: &Manifest,
    ) -> Result<&'a TableSnapshot> {
        // The rounds before this one must not be lost by a power loss that this one survives.
        let durable = pin.tables().iter().map(|table| table.log().ensure_durable(table.version()));
        try_join_all(durable).await?;
        match self.missing_file(manifest).await? {
            Some(path) => {
                let reason = format!("its file `{path}` is missing");
                Err(Error::corrupt(format!("round {}", manifest.number), reason))
            }
            None => main_of(pin),
        }
    }

    /// Commits every other table of a round whose main commit stands.
    pub(super) async fn complete(&self, pin: &StoreSnapshot, manifest: &Manifest) -> Result<()> {
        self.complete_from(manifest, Some(pin), false).await
    }

    pub(super) async fn complete_from(
        &self,
        manifest: &Manifest,
        pin: Option<&StoreSnapshot>,
        recovering: bool,
    ) -> Result<()> {
        let others = manifest.tables.iter().skip(1);
        for TableAdds { table, adds } in others {
            let (before, after) = match recovering {
                true => (
                    Step::RecoverBeforeCommit(table.clone()),
                    Step::RecoverAfterCommit(table.clone()),
                ),
                false => (Step::BeforeCommit(table.clone()), Step::AfterCommit(table.clone())),
            };
            self.step(before);
            self.commit_other(table, adds, manifest, pin).await?;
            self.step(after);
        }
        let path = self.layout.manifest(&self.info.name, manifest.number, manifest.round);
        if let Err(error) = self.objects.delete(&path).await {
            tracing::debug!(%error, "a manifest is left to vacuum");
        }
        Ok(())
    }

    /// Commits one other table, unless somebody has.
    async fn commit_other(
        &self,
        table: &str,
        adds: &[crate::log::Addition],
        manifest: &Manifest,
        pin: Option<&StoreSnapshot>,
    ) -> Result<()> {
        let log = self.logs.iter().find(|log| log.name() == table).ok_or_else(|| {
            Error::corrupt(
                self.what(),
                format!("a round adds to table `{table}`, which is unknown"),
            )
        })?;
        if let Some(pin) = pin {
            match self.commit(log, table_of(pin, table)?.state(), manifest, adds).await {
                CommitResult::Committed(_) => return Ok(()),
                CommitResult::Failed(error) => return Err(error),
                CommitResult::Conflict => {}
            }
        }
        loop {
            let state = self.load(log, pin).await?;
            // Nobody begins round n + 1 of any table before round n is in the ledger.
            if state.token() >= manifest.number {
                return log.ensure_durable(state.version()).await;
            }
            match self.commit(log, &state, manifest, adds).await {
                CommitResult::Committed(_) => return Ok(()),
                CommitResult::Failed(error) => return Err(error),
                CommitResult::Conflict => {}
            }
        }
    }

    async fn commit(
        &self,
        log: &TableLog,
        on: &TableState,
        manifest: &Manifest,
        adds: &[crate::log::Addition],
    ) -> CommitResult {
        let is_ledger = self.logs.last().is_some_and(|ledger| ledger.name() == log.name());
        let commit = Commit {
            tables: Some(&manifest.tokens).filter(|tokens| is_ledger && !tokens.is_empty()),
            operation: "WRITE",
            round: manifest.round,
            at: manifest.at,
            tokens: &[(self.info.id.to_string(), manifest.number)],
            adds,
            removes: &[],
            data_change: true,
        };
        log.commit(on, &commit).await
    }

    /// The folder of a table.
    pub(crate) fn table_folder(&self, table: &str) -> Path {
        self.layout.table(&self.info.name, table)
    }

    /// The folder of manifests.
    pub(crate) fn rounds(&self) -> Path {
        self.layout.rounds(&self.info.name)
    }

    pub(crate) fn looks(&self) -> Path {
        self.layout.looks(self.info.id)
    }

    pub(super) fn torn(&self, reason: String) -> Error {
        Error::Torn { store: self.info.name.clone(), reason }
    }

    pub(super) fn what(&self) -> String {
        format!("store `{}`", self.info.name)
    }
}
