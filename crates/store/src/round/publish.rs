//! Making a round visible, table by table, by its ingester or by whoever finds it unfinished.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use object_store::{ObjectStore, ObjectStoreExt};
use uuid::Uuid;

use super::manifest::{Manifest, TableAdds};
use super::{Step, StepHook, main_of, table_of};
use crate::error::{Error, Result};
use crate::history;
use crate::lake::get;
use crate::layout::Layout;
use crate::log::{Commit, CommitResult, TableLog, TableState};
use crate::snapshot::{StoreSnapshot, TableSnapshot};
use crate::store::StoreInfo;

/// How often a state is looked for in which no round is under way. Each miss means that another
/// process moved on, so this is reached only by a store that is damaged.
const PINS_MAX: u32 = 10_000;

/// Commits the rounds of one store.
pub(crate) struct Publisher {
    info: StoreInfo,
    layout: Layout,
    objects: Arc<dyn ObjectStore>,
    /// In the order of commits: the main table first, the ledger last.
    logs: Vec<TableLog>,
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

    /// A state of all tables in which no round is under way: the main table first, then the ledger,
    /// then the others. Completes a round that is.
    ///
    /// A ledger that shows a token proves that every other table has it, so the others are looked at
    /// after the ledger, never before.
    pub(crate) async fn pin(&self, from: Option<&StoreSnapshot>) -> Result<StoreSnapshot> {
        let [main, others @ .., ledger] = self.logs.as_slice() else {
            return Err(Error::corrupt(self.what(), "it has no tables"));
        };
        for _ in 0..PINS_MAX {
            let main_state = self.load(main, from).await?;
            let ledger_state = self.load(ledger, from).await?;
            let token = main_state.token();
            if ledger_state.token() < token {
                self.recover(main, &main_state, &ledger_state).await?;
                continue;
            }
            let states = try_join_all(others.iter().map(|log| self.load(log, from))).await?;
            let moved = |state: &Arc<TableState>| state.token() > token;
            if moved(&ledger_state) || states.iter().any(moved) {
                continue; // a round began or ended while we looked
            }
            let committed_at = history::committed_at(ledger, &ledger_state).await?;
            let states = std::iter::once(main_state).chain(states).chain([ledger_state]);
            let tables = self.logs.iter().zip(states);
            let tables = tables.map(|(log, state)| TableSnapshot::new(log.clone(), state));
            return Ok(StoreSnapshot::new(token, committed_at, tables.collect()));
        }
        Err(Error::corrupt(self.what(), "a round stays unfinished"))
    }

    async fn load(&self, log: &TableLog, from: Option<&StoreSnapshot>) -> Result<Arc<TableState>> {
        if let Some(table) = from.and_then(|from| from.table(log.name())) {
            return log.advance(table.state()).await;
        }
        let state = log.load(None).await?;
        state.map(Arc::new).ok_or_else(|| {
            Error::corrupt(self.what(), format!("table `{}` is missing", log.name()))
        })
    }

    /// Completes the round that the main table shows and the ledger does not.
    async fn recover(
        &self,
        main: &TableLog,
        main_state: &TableState,
        ledger_state: &Arc<TableState>,
    ) -> Result<()> {
        let number = main_state.token();
        // Its other tables must not survive a power loss that it does not.
        main.ensure_durable(main_state.version()).await?;
        let round = self.round_of(main, main_state.version(), number).await?;
        let path = self.layout.manifest(&self.info.name, number, round);
        let Some(bytes) = get(&self.objects, &path).await? else {
            // Manifests go when their round is complete; so it must be by now.
            let ledger =
                self.logs.last().ok_or_else(|| Error::corrupt(self.what(), "no tables"))?;
            if ledger.advance(ledger_state).await?.token() >= number {
                return Ok(());
            }
            return Err(Error::corrupt(self.what(), format!("manifest `{path}` is missing")));
        };
        tracing::info!(number, %round, "completing a round that was left unfinished");
        self.step(Step::RecoverBegin);
        let manifest = Manifest::parse(path.as_ref(), &bytes)?;
        self.complete_from(&manifest, None, true).await?;
        self.step(Step::RecoverEnd);
        Ok(())
    }

    /// The UUID of the round that carries `token` in the main table.
    async fn round_of(&self, main: &TableLog, version: u64, token: i64) -> Result<Uuid> {
        for version in (1..=version).rev() {
            let Some(entry) = main.read_commit(version).await? else { break };
            if main.token_of(&entry) == Some(token) {
                return entry.round.ok_or_else(|| {
                    Error::corrupt(self.what(), format!("version {version} names no round"))
                });
            }
        }
        Err(Error::corrupt(self.what(), format!("no commit of round {token} is to be found")))
    }

    /// Writes the manifest of a round.
    pub(super) async fn announce(
        &self,
        number: i64,
        round: Uuid,
        at: DateTime<Utc>,
        tables: Vec<TableAdds>,
    ) -> Result<Manifest> {
        let manifest = Manifest { number, round, at, tables };
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
        // The rounds before this one must not be lost by a power loss that this one survives.
        let durable = pin.tables().iter().map(|table| table.log().ensure_durable(table.version()));
        let main = match try_join_all(durable).await.and_then(|_| main_of(pin)) {
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

    /// Commits every other table of a round whose main commit stands.
    pub(super) async fn complete(&self, pin: &StoreSnapshot, manifest: &Manifest) -> Result<()> {
        self.complete_from(manifest, Some(pin), false).await
    }

    async fn complete_from(
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
        let commit = Commit {
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

    /// The folder of manifests.
    pub(crate) fn rounds(&self) -> object_store::path::Path {
        self.layout.rounds(&self.info.name)
    }

    fn what(&self) -> String {
        format!("store `{}`", self.info.name)
    }
}
