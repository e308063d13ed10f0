//! Reading a log: from its files by replay, or from an earlier state by the commits since.

use std::collections::HashSet;
use std::sync::Arc;

use deltalake_core::kernel::{EagerSnapshot, Snapshot};
use deltalake_core::protocol::checkpoints::create_checkpoint;
use deltalake_core::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use object_store::ObjectStore;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::actions::{self, Addition, Entry};
use super::stats::StatsReader;
use super::{TableLog, TableState, logical_schema};
use crate::error::{Error, Result};
use crate::layout;
use crate::snapshot::LiveFile;

impl TableLog {
    /// The table at `version`, or as of now; none when it does not exist.
    pub(crate) async fn load(&self, version: Option<u64>) -> Result<Option<TableState>> {
        let snapshot = match Snapshot::try_new(self.log.as_ref(), version).await {
            Ok(snapshot) => Arc::new(snapshot),
            Err(DeltaTableError::NotATable(_)) => return Ok(None),
            Err(error) => return Err(self.explain(error).await),
        };
        self.check_protocol(&serde_json::to_value(snapshot.protocol()).unwrap_or_default())?;
        let metadata = serde_json::to_value(snapshot.metadata()).unwrap_or_default();
        let partition_column = metadata["partitionColumns"][0].as_str().map(str::to_string);
        let schema = logical_schema(&snapshot, partition_column.as_deref());
        let version = snapshot.version();
        let token = self.token_at(version).await?;
        let (snapshot, files) = (Some(snapshot), OnceCell::new());
        Ok(Some(TableState { version, snapshot, schema, partition_column, token, files }))
    }

    /// The table as of now, from an earlier state of it: only the commits since are read.
    ///
    /// A version that is missing is taken for the future. So clean-up of a log must leave every
    /// commit for longer than any process keeps a state.
    pub(crate) async fn advance(&self, from: &Arc<TableState>) -> Result<Arc<TableState>> {
        let mut since = Vec::new();
        let mut version = from.version;
        while let Some(entry) = self.read_commit(version + 1).await? {
            version += 1;
            since.push(entry);
        }
        if since.is_empty() {
            return Ok(from.clone());
        }
        if since.iter().any(|entry| entry.protocol.is_some() || entry.has_metadata) {
            let now = self.load(None).await?;
            return now.map(Arc::new).ok_or_else(|| Error::corrupt(self.what(), "it is gone"));
        }
        let token = since.iter().rev().find_map(|entry| self.token_of(entry));
        let files = match from.files.get() {
            Some(files) => OnceCell::new_with(Some(self.replay(files, &since, from)?)),
            None => OnceCell::new(),
        };
        Ok(Arc::new(TableState {
            version,
            snapshot: None,
            schema: from.schema.clone(),
            partition_column: from.partition_column.clone(),
            token: token.unwrap_or(from.token),
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
        let path = |path: &str| path.split('/').fold(self.folder.clone(), |at, part| at.join(part));
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
        for version in (1..=version).rev() {
            let Some(entry) = self.read_commit(version).await? else {
                return self.token_from_checkpoint(version).await;
            };
            if let Some(token) = self.token_of(&entry) {
                return Ok(token);
            }
        }
        Ok(0)
    }

    /// The token at `version`, whose commit was cleaned up: from the checkpoint that replaced it.
    async fn token_from_checkpoint(&self, version: u64) -> Result<i64> {
        let token = match EagerSnapshot::try_new(self.log.as_ref(), Some(version)).await {
            Ok(state) => state.transaction_version(self.log.as_ref(), &self.application).await,
            Err(error) => Err(error),
        };
        token.map(Option::unwrap_or_default).map_err(|error| self.unreadable(error))
    }

    /// The files of a commit, as live files.
    pub(crate) fn added(&self, on: &TableState, entry: &Entry) -> Result<Vec<LiveFile>> {
        let reader = StatsReader::new(&on.schema);
        entry.adds.iter().map(|add| self.live_file(add, &reader)).collect()
    }

    /// The live files of `state`, by path.
    pub(crate) async fn files(&self, state: &TableState) -> Result<Arc<[LiveFile]>> {
        let files = state.files.get_or_try_init(|| self.list(state)).await?;
        Ok(files.clone())
    }

    async fn list(&self, state: &TableState) -> Result<Arc<[LiveFile]>> {
        let failed = |error| self.unreadable(error);
        let snapshot = match &state.snapshot {
            Some(snapshot) => snapshot.clone(),
            None => {
                let at = Snapshot::try_new(self.log.as_ref(), Some(state.version)).await;
                Arc::new(at.map_err(failed)?)
            }
        };
        let mut views = snapshot.file_views(self.log.as_ref(), None);
        let reader = StatsReader::new(&state.schema);
        let mut files = Vec::new();
        while let Some(view) = views.try_next().await.map_err(failed)? {
            let partition = view.partition_values_map().into_values().next().flatten();
            let add = Addition {
                path: view.path().into_owned(),
                size: u64::try_from(view.size()).unwrap_or_default(),
                partition,
                stats: view.stats().unwrap_or_default(),
            };
            files.push(self.live_file(&add, &reader)?);
        }
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(files.into())
    }

    fn live_file(&self, add: &Addition, reader: &StatsReader) -> Result<LiveFile> {
        let (rows, stats) = reader.read(&add.stats).map_err(|error| {
            Error::corrupt(self.what(), format!("statistics of `{}`: {error}", add.path))
        })?;
        let path = add.path.split('/').fold(self.folder.clone(), |path, part| path.join(part));
        Ok(LiveFile { path, size: add.size, rows, partition: add.partition.clone(), stats })
    }

    /// Writes a checkpoint of `version`, so that replay starts there.
    pub(crate) async fn checkpoint(&self, version: u64) -> Result<()> {
        let mut table = DeltaTable::new(self.log.clone());
        let written = match table.load_version(version).await {
            Ok(()) => create_checkpoint(&table, None).await,
            Err(error) => Err(error),
        };
        let failed = |error| Error::storage(format!("checkpoint table `{}`", self.name), error);
        written.map_err(failed)
    }

    /// The versions whose commit files exist, ascending.
    pub(crate) async fn versions(&self) -> Result<Vec<u64>> {
        let folder = self.folder.clone().join(layout::LOG);
        let found = self.objects.list(Some(&folder)).try_collect::<Vec<_>>().await;
        let found = found.map_err(|error| Error::storage(format!("list `{folder}`"), error))?;
        let mut versions: Vec<u64> =
            found.iter().filter_map(|meta| layout::commit_version(&meta.location)).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// Why the log could not be read: often a feature that replay does not know.
    async fn explain(&self, error: DeltaTableError) -> Error {
        let versions = self.versions().await.unwrap_or_default();
        for version in versions.into_iter().rev() {
            let Ok(Some(entry)) = self.read_commit(version).await else { continue };
            let Some(protocol) = entry.protocol else { continue };
            match self.check_protocol(&protocol) {
                Err(refused) => return refused,
                Ok(()) => break,
            }
        }
        self.unreadable(error)
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
