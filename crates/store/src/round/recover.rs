//! A state of all tables in which no round is under way; completing the round that is.

use std::sync::Arc;

use futures::future::try_join_all;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use uuid::Uuid;

use super::Step;
use super::manifest::{Manifest, TableAdds};
use super::publish::Publisher;
use crate::error::{Error, Result};
use crate::history;
use crate::lake::get;
use crate::layout;
use crate::log::{TableLog, TableState};
use crate::snapshot::{self, StoreSnapshot, TableSnapshot, behind};

/// How often a state is looked for in which no round is under way. Each miss means that another
/// process moved on, so this is reached only by a store that is damaged.
const PINS_MAX: u32 = 10_000;

impl Publisher {
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
            let moved = states.iter().chain([&ledger_state]).max_by_key(|state| state.token());
            if let Some(moved) = moved.filter(|state| state.token() > token) {
                self.check_happened(main, moved.token(), from).await?;
                continue; // a round began or ended while we looked
            }
            let committed_at = history::committed_at(ledger, &ledger_state).await?;
            let told = ledger_state.clone();
            let states = std::iter::once(main_state).chain(states).chain([ledger_state]);
            let tables = self.logs.iter().zip(states);
            let tables = tables.map(|(log, state)| TableSnapshot::new(log.clone(), state));
            let tables: Vec<TableSnapshot> = tables.collect();
            snapshot::check_rounds(told.tables(), &tables).map_err(|reason| self.torn(reason))?;
            return Ok(StoreSnapshot::new(token, committed_at, tables));
        }
        Err(Error::corrupt(self.what(), "a round stays unfinished"))
    }

    /// Refuses a round that some table shows and the main table does not: it never happened here.
    async fn check_happened(
        &self,
        main: &TableLog,
        round: i64,
        from: Option<&StoreSnapshot>,
    ) -> Result<()> {
        let found = self.load(main, from).await?.token();
        match found < round {
            true => Err(self.torn(behind(main.name(), found, round))),
            false => Ok(()),
        }
    }

    pub(super) async fn load(
        &self,
        log: &TableLog,
        from: Option<&StoreSnapshot>,
    ) -> Result<Arc<TableState>> {
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
            let reason = format!("round {number} is unfinished, its manifest `{path}` is missing");
            return Err(self.torn(reason));
        };
        tracing::info!(number, %round, "completing a round that was left unfinished");
        self.step(Step::RecoverBegin);
        let manifest = Manifest::parse(path.as_ref(), &bytes)?;
        if (manifest.number, manifest.round) != (number, round) {
            return Err(Error::corrupt(format!("`{path}`"), "it is of another round"));
        }
        if let Some(path) = self.missing_file(&manifest).await? {
            let reason = format!("round {number} is unfinished, its file `{path}` is missing");
            return Err(self.torn(reason));
        }
        self.complete_from(&manifest, None, true).await?;
        self.step(Step::RecoverEnd);
        Ok(())
    }

    /// A file of a round that is not there: a piecemeal copy may lack some, and vacuum takes those of
    /// a round that slept for longer than its grace.
    pub(super) async fn missing_file(&self, manifest: &Manifest) -> Result<Option<Path>> {
        let paths = manifest.tables.iter().flat_map(|TableAdds { table, adds }| {
            let folder = self.layout.table(&self.info.name, table);
            adds.iter().map(move |add| layout::absolute(&folder, &add.path))
        });
        let checks = paths.map(|path| async move {
            match self.objects.head(&path).await {
                Ok(_) => Ok(None),
                Err(object_store::Error::NotFound { .. }) => Ok(Some(path)),
                Err(error) => Err(Error::storage(format!("read `{path}`"), error)),
            }
        });
        Ok(try_join_all(checks).await?.into_iter().flatten().next())
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
}
