//! Reading a log: from its files by replay, or from an earlier state by the commits since.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use delta_kernel::{DeltaResult, Engine, SnapshotRef};
use deltalake_core::DeltaTableError;
use deltalake_core::kernel::Snapshot;
use deltalake_core::kernel::engine::arrow_data::ArrowEngineData;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use serde_json::Value;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::actions::{self, Entry};
use super::anew::again;
use super::found::{Found, FoundFiles};
use super::stats::StatsReader;
use super::{TableLog, TableState, logical_schema};
use crate::error::{Error, Result};
use crate::latest::Listing;
use crate::layout;
use crate::snapshot::LiveFile;

/// Parts of what replay finds that are read while it goes on.
const PARTS_AT_ONCE: usize = 4;

/// The last round of a table.
struct LastRound {
    token: i64,
    tables: Option<BTreeMap<String, i64>>,
    /// The UUID of the table's newest commit, which may be a later one.
    newest: Option<Uuid>,
}

/// How a log ends, without what stands before.
#[derive(Debug)]
pub(crate) struct Tip {
    /// Its newest version.
    pub(crate) version: u64,
    /// When that was committed.
    pub(crate) at: Option<DateTime<Utc>>,
    /// Number of the last round in it; 0 before the first.
    pub(crate) token: i64,
    /// The last round of every table, as the last round of a ledger tells.
    pub(crate) tables: Option<Arc<BTreeMap<String, i64>>>,
}

/// Commits read at the same time.
const COMMITS_AT_ONCE: usize = 16;

impl TableLog {
    /// The table at `version`, or as of now; none when it does not exist.
    ///
    /// # Errors
    /// [`Error::TableFeatures`]; [`Error::Corrupt`] when a commit is missing, was cut short or is
    /// not of this store, or when the log ends before its newest checkpoint.
    pub(crate) async fn load(&self, version: Option<u64>) -> Result<Option<TableState>> {
        again(|| self.load_once(version)).await
    }

    async fn load_once(&self, version: Option<u64>) -> Result<Option<TableState>> {
        let checkpoint = self.last_checkpoint().await?;
        let snapshot = match Snapshot::try_new(self.log.as_ref(), version).await {
            Ok(snapshot) => Arc::new(snapshot),
            Err(DeltaTableError::NotATable(_)) => return Ok(None),
            Err(error) => return Err(self.explain(error).await),
        };
        self.check_protocol(&serde_json::to_value(snapshot.protocol()).unwrap_or_default())?;
        let metadata = serde_json::to_value(snapshot.metadata()).unwrap_or_default();
        let partition_column = metadata["partitionColumns"][0].as_str().map(str::to_string);
        let schema = logical_schema(&snapshot, partition_column.as_deref());
        let latest = version.is_none();
        let version = snapshot.version();
        if let Some(checkpoint) = checkpoint.filter(|checkpoint| latest && *checkpoint > version) {
            return Err(self.ends_early(version, checkpoint));
        }
        let last = self.last_round(version, checkpoint).await?;
        Ok(Some(TableState {
            version,
            commit: last.newest,
            snapshot: Some(snapshot),
            schema,
            partition_column,
            token: last.token,
            tables: last.tables.map(Arc::new),
            files: OnceLock::new(),
        }))
    }

    /// How the table's log ends, and its files as they were listed before; none when it does not
    /// exist. Two requests and a commit: the rest of the log is looked at only where the end alone
    /// does not tell.
    ///
    /// # Errors
    /// As [`TableLog::load`].
    pub(crate) async fn tip(&self) -> Result<Option<(Tip, Listing)>> {
        let checkpoint = self.last_checkpoint().await?;
        let listing = self.listing(checkpoint.unwrap_or(0)).await?;
        if let Some(tip) = self.tip_of(&listing).await? {
            return Ok(Some((tip, listing)));
        }
        let Some(state) = self.load(None).await? else { return Ok(None) };
        let newest = self.read_commit(state.version).await?;
        let at = newest.and_then(|entry| entry.at);
        let TableState { version, token, tables, .. } = state;
        Ok(Some((Tip { version, at, token, tables }, listing)))
    }

    /// How a log that was listed so ends; none where its newest commit alone does not tell.
    pub(crate) async fn tip_of(&self, listing: &Listing) -> Result<Option<Tip>> {
        let Some(version) = listing.newest() else { return Ok(None) };
        let Some(entry) = self.read_commit(version).await? else { return Ok(None) };
        let Some(token) = self.token_of(&entry) else { return Ok(None) };
        Ok(Some(Tip { version, at: entry.at, token, tables: entry.tables.map(Arc::new) }))
    }

    /// The last round up to `version`, by the commits that no checkpoint holds yet.
    ///
    /// All of them are read, although replay reads them too: it takes a file for whole that was cut
    /// short between two lines, and anybody's file for a commit.
    async fn last_round(&self, version: u64, checkpoint: Option<u64>) -> Result<LastRound> {
        let Some(hinted) = checkpoint.filter(|checkpoint| *checkpoint <= version) else {
            let checkpoint = self.checkpoint_before(version).await?;
            return self.last_round_since(checkpoint, version).await;
        };
        match self.last_round_since(Some(hinted), version).await {
            // A process that slept may name an older checkpoint again when it wakes, and the commits
            // after that may have been cleaned up. Replay goes by the names there are.
            Err(error @ Error::Corrupt { .. }) => match self.checkpoint_before(version).await? {
                Some(newest) if newest > hinted => {
                    self.last_round_since(Some(newest), version).await
                }
                _ => Err(error),
            },
            found => found,
        }
    }

    /// The last round up to `version`, by the commits after a checkpoint.
    async fn last_round_since(&self, checkpoint: Option<u64>, version: u64) -> Result<LastRound> {
        let first = checkpoint.map_or(0, |checkpoint| checkpoint + 1);
        let missing =
            |version| Error::corrupt(self.what(), format!("version {version} is missing"));
        let mut commits = stream::iter(first..=version)
            .map(|version| async move {
                self.read_commit(version).await?.ok_or_else(|| missing(version))
            })
            .buffered(COMMITS_AT_ONCE);
        let (mut last, mut carried, mut newest) = (None, None, None);
        while let Some(entry) = commits.try_next().await? {
            newest = entry.round;
            match self.token_of(&entry) {
                Some(token) => last = Some((token, entry.tables)),
                None => carried = entry.tables.or(carried),
            }
        }
        if let Some((token, tables)) = last {
            return Ok(LastRound { token, tables, newest });
        }
        let before = self.round_at(checkpoint.unwrap_or(0)).await?;
        let (tables, newest) = (before.tables.or(carried), newest.or(before.newest));
        Ok(LastRound { token: before.token, tables, newest })
    }

    /// The newest checkpoint up to `version`, by the names there are.
    async fn checkpoint_before(&self, version: u64) -> Result<Option<u64>> {
        let versions = self.listed(layout::checkpoint_version).await?;
        Ok(versions.into_iter().rev().find(|checkpoint| *checkpoint <= version))
    }

    /// The table as of now, from an earlier state of it: only the commits since are read.
    ///
    /// A version that is missing is the future, unless a later checkpoint stands: then it was
    /// cleaned up, and the table is loaded anew.
    pub(crate) async fn advance(&self, from: &Arc<TableState>) -> Result<Arc<TableState>> {
        let mut since = Vec::new();
        let mut version = from.version;
        while let Some(entry) = self.read_commit(version + 1).await? {
            version += 1;
            since.push(entry);
        }
        let left_behind = self.last_checkpoint().await?.is_some_and(|last| last > version);
        if since.is_empty() && !left_behind {
            return Ok(from.clone());
        }
        let changes = |entry: &Entry| entry.protocol.is_some() || entry.has_metadata;
        if left_behind || since.iter().any(changes) {
            let now = self.load(None).await?;
            return now.map(Arc::new).ok_or_else(|| Error::corrupt(self.what(), "it is gone"));
        }
        let files = match from.files.get() {
            Some(files) => OnceLock::from(self.replay(files, &since, from)?),
            None => OnceLock::new(),
        };
        let commit = since.last().and_then(|entry| entry.round);
        let round = |entry: Entry| Some((self.token_of(&entry)?, entry.tables.map(Arc::new)));
        let round = since.into_iter().rev().find_map(round);
        let (token, tables) = round.unwrap_or((from.token, from.tables.clone()));
        Ok(Arc::new(TableState {
            version,
            commit,
            snapshot: None,
            schema: from.schema.clone(),
            partition_column: from.partition_column.clone(),
            token,
            tables,
            files,
        }))
    }

    /// The live files after `since`.
    fn replay(
        &self,
        before: &[LiveFile],
        since: &[Entry],
        state: &TableState,
    ) -> Result<Arc<[LiveFile]>> {
        let path = |path: &str| layout::absolute(&self.folder, path);
        let mut files = before.to_vec();
        for entry in since {
            if !entry.removed.is_empty() {
                let removed: HashSet<_> = entry.removed.iter().map(|gone| path(gone)).collect();
                files.retain(|file| !removed.contains(&file.path));
            }
            files.extend(self.added(state, entry)?);
        }
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(files.into())
    }

    /// The newest token in commits up to `version`.
    pub(crate) async fn token_at(&self, version: u64) -> Result<i64> {
        Ok(self.round_at(version).await?.token)
    }

    /// The newest round in commits up to `asked`.
    async fn round_at(&self, asked: u64) -> Result<LastRound> {
        let (mut tables, mut newest) = (None, None);
        for version in (1..=asked).rev() {
            let Some(entry) = self.read_commit(version).await? else {
                // Cleaned up behind a checkpoint. Commits read so far are no rounds, so it is at
                // `asked` as it was here; and only there replay is sure to find the checkpoint: a
                // clean-up that was cut off left commits behind it that stand on nothing.
                let token = self.token_from_checkpoint(asked).await?;
                return Ok(LastRound { token, tables, newest });
            };
            let token = self.token_of(&entry);
            newest = newest.or(entry.round);
            // A rewrite carries what the last round said.
            tables = tables.or(entry.tables);
            if let Some(token) = token {
                return Ok(LastRound { token, tables, newest });
            }
        }
        Ok(LastRound { token: 0, tables, newest })
    }

    /// The token at `version`, as replay from the checkpoint before it tells.
    async fn token_from_checkpoint(&self, version: u64) -> Result<i64> {
        let [token] = self.carried_at(version, [&self.application]).await?;
        Ok(token.unwrap_or_default())
    }

    /// The numbers that commits up to `state` carry under application ids.
    pub(crate) async fn carried<const N: usize>(
        &self,
        state: &TableState,
        applications: [&str; N],
    ) -> Result<[Option<i64>; N]> {
        self.carried_at(state.version, applications).await
    }

    async fn carried_at<const N: usize>(
        &self,
        version: u64,
        applications: [&str; N],
    ) -> Result<[Option<i64>; N]> {
        let applications = applications.map(str::to_owned);
        let carried = again(|| {
            let applications = applications.clone();
            self.ask(version, move |snapshot, engine| {
                let mut carried = [None; N];
                for (number, application) in carried.iter_mut().zip(&applications) {
                    *number = snapshot.get_app_id_version(application, engine)?;
                }
                Ok(carried)
            })
        });
        carried.await.map_err(|error| self.unreadable(error))
    }

    /// Asks replay itself about `version`: around it the library lists every file. Whoever is dropped
    /// meanwhile leaves it to come to its end: a checkpoint is whole, or not there.
    async fn ask<T: Send + 'static>(
        &self,
        version: u64,
        ask: impl FnOnce(&SnapshotRef, &dyn Engine) -> DeltaResult<T> + Send + 'static,
    ) -> std::result::Result<T, DeltaTableError> {
        let (root, engine) = (self.log.root_url().clone(), self.log.engine(None));
        let asked = spawn_blocking(move || {
            let builder = delta_kernel::Snapshot::builder_for(root).at_version(version);
            ask(&builder.build(engine.as_ref())?, engine.as_ref())
        });
        let asked = asked.await.map_err(|error| DeltaTableError::Generic(error.to_string()))?;
        Ok(asked?)
    }

    /// The files of a commit, as live files.
    pub(crate) fn added(&self, on: &TableState, entry: &Entry) -> Result<Vec<LiveFile>> {
        let reader = StatsReader::new(&on.schema);
        entry.adds.iter().map(|add| self.live_file(add.into(), &reader)).collect()
    }

    /// The live files of `state`, by path.
    pub(crate) async fn files(&self, state: &TableState) -> Result<Arc<[LiveFile]>> {
        if let Some(files) = state.files.get() {
            return Ok(files.clone());
        }
        // Whoever asks meanwhile makes the list as well: twice the work, but nobody waits.
        let files = self.of_replay(state, |snapshot| self.list(snapshot, state)).await?;
        Ok(state.files.get_or_init(|| files).clone())
    }

    /// The checksums of the live files of `state`, by path from the table's folder, where the log
    /// has them.
    pub(crate) async fn checksums(&self, state: &TableState) -> Result<HashMap<String, String>> {
        self.of_replay(state, |snapshot| self.checksums_of(snapshot)).await
    }

    async fn checksums_of(&self, snapshot: Arc<Snapshot>) -> Result<HashMap<String, String>> {
        let failed = |error| self.unreadable(error);
        let mut views = snapshot.file_views(self.log.as_ref(), None);
        let mut found = HashMap::new();
        while let Some(view) = views.try_next().await.map_err(failed)? {
            // The only way to an action's tags.
            #[allow(deprecated)]
            let tags = view.add_action().tags;
            let checksum = tags.and_then(|mut tags| tags.remove(actions::CHECKSUM)).flatten();
            found.extend(checksum.map(|checksum| (view.path().into_owned(), checksum)));
        }
        Ok(found)
    }

    /// When each live file of `state` became part of the table, as its commit said.
    pub(crate) async fn added_at(
        &self,
        state: &TableState,
    ) -> Result<HashMap<Path, DateTime<Utc>>> {
        self.of_replay(state, |snapshot| self.times_of(snapshot)).await
    }

    async fn times_of(&self, snapshot: Arc<Snapshot>) -> Result<HashMap<Path, DateTime<Utc>>> {
        let mut views = snapshot.file_views(self.log.as_ref(), None);
        let mut times = HashMap::new();
        while let Some(view) = views.try_next().await.map_err(|error| self.unreadable(error))? {
            let at = DateTime::from_timestamp_millis(view.modification_time());
            times.extend(at.map(|at| (layout::absolute(&self.folder, &view.path()), at)));
        }
        Ok(times)
    }

    /// What `read` finds in replay at a state: as the state was opened, or anew where that is gone.
    async fn of_replay<T, F: Future<Output = Result<T>>>(
        &self,
        state: &TableState,
        read: impl Fn(Arc<Snapshot>) -> F,
    ) -> Result<T> {
        let mut opened = state.snapshot.clone();
        let found = again(|| {
            let (opened, read) = (opened.take(), &read);
            async move {
                let snapshot = match opened {
                    Some(snapshot) => snapshot,
                    None => {
                        let at = Snapshot::try_new(self.log.as_ref(), Some(state.version)).await;
                        Arc::new(at.map_err(|error| self.unreadable(error))?)
                    }
                };
                read(snapshot).await
            }
        });
        found.await
    }

    async fn list(&self, snapshot: Arc<Snapshot>, state: &TableState) -> Result<Arc<[LiveFile]>> {
        let reader = Arc::new(StatsReader::new(&state.schema));
        // Reading statistics takes as long as replay, and goes on beside it.
        let read = |found: FoundFiles| {
            let (log, reader) = (self.clone(), reader.clone());
            let part = spawn_blocking(move || {
                let file = |add: Found<'_>| log.live_file(add, &reader);
                found.each().ok_or_else(|| log.strange())?.map(file).collect::<Result<Vec<_>>>()
            });
            part.map(|part| part.map_err(|error| Error::storage("read statistics", error))?)
        };
        // Not its views of files: for those the library reads the statistics as well.
        let scan = snapshot.scan_builder().build().map_err(|error| self.unreadable(error))?;
        let mut parts = scan
            .scan_metadata(self.log.engine(None))
            .map(|found| {
                let (rows, is_live) = found?.scan_files.into_parts();
                Ok(FoundFiles { rows: ArrowEngineData::try_from_engine_data(rows)?, is_live })
            })
            .map_err(|error: DeltaTableError| self.unreadable(error))
            .map_ok(read)
            .try_buffered(PARTS_AT_ONCE);
        let mut files = Vec::new();
        while let Some(part) = parts.try_next().await? {
            files.extend(part);
        }
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(files.into())
    }

    fn live_file(&self, add: Found<'_>, reader: &StatsReader) -> Result<LiveFile> {
        let (rows, stats) = reader.read(add.stats).map_err(|error| {
            Error::corrupt(self.what(), format!("statistics of `{}`: {error}", add.path))
        })?;
        let path = layout::absolute(&self.folder, add.path);
        let (partition, stats) = (add.partition.map(str::to_string), stats.into());
        Ok(LiveFile { path, size: add.size, rows, partition, stats })
    }

    fn strange(&self) -> Error {
        Error::corrupt(self.what(), "replay tells of files in another form")
    }

    /// Writes a checkpoint of `version`, so that replay starts there.
    pub(crate) async fn checkpoint(&self, version: u64) -> Result<()> {
        let written =
            again(|| self.ask(version, |snapshot, engine| snapshot.checkpoint(engine, None)));
        let failed = |error| Error::storage(format!("checkpoint table `{}`", self.name), error);
        written.await.map_err(failed)?;
        Ok(())
    }

    /// Why the log could not be read: a feature that replay does not know, a commit that is missing
    /// or damaged.
    async fn explain(&self, error: DeltaTableError) -> Error {
        let versions = self.versions().await.unwrap_or_default();
        if let (Some(newest), Ok(Some(named))) = (versions.last(), self.last_checkpoint().await)
            && named > *newest
        {
            return self.ends_early(*newest, named);
        }
        let checkpoint = self.checkpoint_before(u64::MAX).await.ok().flatten();
        let mut later = None;
        for version in versions.into_iter().rev() {
            if checkpoint > Some(version) {
                break;
            }
            if let Some(missing) = later.map(|later| later - 1).filter(|before| *before > version) {
                return Error::corrupt(self.what(), format!("version {missing} is missing"));
            }
            later = Some(version);
            match self.read_entry(version).await {
                Ok(Some(Entry { protocol: Some(protocol), .. })) => {
                    if let Err(refused) = self.check_protocol(&protocol) {
                        return refused;
                    }
                }
                Err(damaged @ Error::Corrupt { .. }) => return damaged,
                Ok(_) | Err(_) => {}
            }
        }
        match later.and_then(|later| later.checked_sub(1)) {
            Some(missing) if checkpoint.is_none_or(|checkpoint| checkpoint < missing) => {
                Error::corrupt(self.what(), format!("version {missing} is missing"))
            }
            _ => self.unreadable(error),
        }
    }

    fn ends_early(&self, version: u64, checkpoint: u64) -> Error {
        let reason = format!("it ends at version {version}, its checkpoint is of {checkpoint}");
        Error::corrupt(self.what(), reason)
    }

    fn unreadable(&self, error: DeltaTableError) -> Error {
        Error::storage(format!("read {}", self.what()), error)
    }

    fn check_protocol(&self, protocol: &Value) -> Result<()> {
        let version = |key: &str| protocol[key].as_i64().unwrap_or(i64::MAX);
        let (reader, writer) = (version("minReaderVersion"), version("minWriterVersion"));
        if reader <= actions::PROTOCOL.0 && writer <= actions::PROTOCOL.1 {
            return Ok(());
        }
        let mut features = format!("reader version {reader}, writer version {writer}");
        for key in ["readerFeatures", "writerFeatures"] {
            for feature in protocol[key].as_array().into_iter().flatten() {
                features.push_str(&format!(", {}", feature.as_str().unwrap_or_default()));
            }
        }
        Err(Error::TableFeatures { table: self.name.to_string(), features })
    }
}
