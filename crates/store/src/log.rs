//! The only file that names deltalake types: the log of one table.
//!
//! Reading the log (replay, checkpoints, schemas) is deltalake-core's work. Committing is ours and
//! small: a commit is the file of version *n + 1*, put if absent, where *n* is the version of the
//! state it was planned on; nothing is ever retried onto a newer one. (The library's own commit
//! loop re-bases a commit whenever it sees no conflict, and sees none between two removes of one
//! file.)

mod actions;
mod stats;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{DateTime, Utc};
use deltalake_core::DeltaTable;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::{EagerSnapshot, Snapshot, StructType};
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake_core::protocol::checkpoints::create_checkpoint;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use tokio::sync::OnceCell;
use url::Url;
use uuid::Uuid;

pub(crate) use self::actions::{Addition, Commit, Entry};
use self::stats::StatsReader;
use crate::data_file::DataFile;
use crate::error::{Error, Result};
use crate::layout;
use crate::snapshot::LiveFile;
use crate::spec::TableSpec;

/// How often an answer is asked for again, when a commit failed and its fate must be known.
const ASKS_MAX: u32 = 3;

/// The log of one table.
#[derive(Debug, Clone)]
pub(crate) struct TableLog {
    name: Arc<str>,
    folder: Path,
    objects: Arc<dyn ObjectStore>,
    log: LogStoreRef,
    /// Application id of rounds: tokens under it number them.
    application: Arc<str>,
}

/// A table at one version.
#[derive(Debug)]
pub(crate) struct TableState {
    snapshot: Arc<Snapshot>,
    schema: SchemaRef,
    partition_column: Option<String>,
    token: i64,
    files: OnceCell<Arc<[LiveFile]>>,
}

/// What became of a commit.
#[derive(Debug)]
pub(crate) enum CommitResult {
    /// It stands, as this version.
    Committed(u64),
    /// Somebody else's commit has that version.
    Conflict,
    /// It failed, or its fate could not be learned; recovery will tell.
    Failed(Error),
}

impl TableLog {
    /// The log of the table in `folder`; `store` is the id of its store.
    pub(crate) fn new(
        name: &str,
        folder: Path,
        objects: Arc<dyn ObjectStore>,
        store: Uuid,
    ) -> Result<TableLog> {
        // Replay addresses files by URL and knows nothing of our object store, so the scheme is
        // nominal: the path of the URL is the path in `objects`.
        let url = Url::parse(&format!("memory:///{folder}/"))
            .map_err(|error| Error::storage(format!("open table `{name}`"), error))?;
        let table = Arc::new(PrefixStore::new(objects.clone(), folder.clone()));
        let log = default_logstore(table, objects.clone(), &url, &StorageConfig::default());
        let application = store.to_string().into();
        Ok(TableLog { name: name.into(), folder, objects, log, application })
    }

    /// The table's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The table's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The object store its files are in.
    pub(crate) fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    /// Whether the table has been created.
    pub(crate) async fn exists(&self) -> Result<bool> {
        Ok(self.read_commit(0).await?.is_some() || self.load(None).await?.is_some())
    }

    /// Creates the table; that somebody else just did is fine.
    pub(crate) async fn create(&self, spec: &TableSpec, at: DateTime<Utc>) -> Result<()> {
        let failed = |error: serde_json::Error| Error::corrupt(self.what(), error);
        let schema = StructType::clone(&delta_schema(spec)?);
        let schema = serde_json::to_string(&schema).map_err(failed)?;
        let bytes = actions::first_commit(&schema, spec.partition, &spec.stats_columns(), at);
        let path = layout::commit_file(&self.folder, 0);
        match self.objects.put_opts(&path, bytes.into(), PutMode::Create.into()).await {
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(Error::storage(format!("create table `{}`", self.name), error)),
        }
    }

    /// The table at `version`, or as of now; none when it does not exist.
    pub(crate) async fn load(&self, version: Option<u64>) -> Result<Option<TableState>> {
        match Snapshot::try_new(self.log.as_ref(), version).await {
            Ok(snapshot) => self.state(Arc::new(snapshot), None).await.map(Some),
            Err(deltalake_core::DeltaTableError::NotATable(_)) => Ok(None),
            Err(error) => Err(self.explain(error).await),
        }
    }

    /// The table as of now, from an earlier state of it.
    pub(crate) async fn advance(&self, from: &TableState) -> Result<TableState> {
        let newer = from.snapshot.clone().update(self.log.engine(None), None).await;
        match newer {
            Ok(snapshot) => self.state(snapshot, Some(from)).await,
            Err(error) => Err(self.explain(error).await),
        }
    }

    async fn state(
        &self,
        snapshot: Arc<Snapshot>,
        from: Option<&TableState>,
    ) -> Result<TableState> {
        self.check_protocol(serde_json::to_value(snapshot.protocol()).ok())?;
        let metadata = serde_json::to_value(snapshot.metadata()).unwrap_or_default();
        let partition_column = metadata["partitionColumns"][0].as_str().map(str::to_string);
        let schema = logical_schema(&snapshot, partition_column.as_deref());
        let known = from.map_or((0, 0), |state| (state.version(), state.token));
        let token = self.token_at(snapshot.version(), known).await?;
        let files = OnceCell::new();
        Ok(TableState { snapshot, schema, partition_column, token, files })
    }

    /// The newest token in commits up to `version`. `known` is an earlier version with its token.
    pub(crate) async fn token_at(&self, version: u64, known: (u64, i64)) -> Result<i64> {
        for version in (known.0 + 1..=version).rev() {
            let Some(entry) = self.read_commit(version).await? else {
                return self.token_from_checkpoint(version).await;
            };
            if let Some(token) = entry.tokens.get(self.application.as_ref()) {
                return Ok(*token);
            }
        }
        Ok(known.1)
    }

    /// The token at `version`, whose commit was cleaned up: from the checkpoint that replaced it.
    async fn token_from_checkpoint(&self, version: u64) -> Result<i64> {
        let state = EagerSnapshot::try_new(self.log.as_ref(), Some(version)).await;
        let token = match state {
            Ok(state) => state.transaction_version(self.log.as_ref(), &self.application).await,
            Err(error) => Err(error),
        };
        let failed =
            |error| Error::storage(format!("read the log of table `{}`", self.name), error);
        token.map(Option::unwrap_or_default).map_err(failed)
    }

    /// The commit of `version`; none when there is no such file.
    pub(crate) async fn read_commit(&self, version: u64) -> Result<Option<Entry>> {
        let path = layout::commit_file(&self.folder, version);
        let failed = |error| Error::storage(format!("read `{path}`"), error);
        let bytes = match self.objects.get(&path).await {
            Ok(found) => found.bytes().await.map_err(failed)?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        Entry::parse(&bytes).map(Some).map_err(|error| Error::corrupt(path.as_ref(), error))
    }

    /// The token a commit carries, if it is a round's.
    pub(crate) fn token_of(&self, entry: &Entry) -> Option<i64> {
        entry.tokens.get(self.application.as_ref()).copied()
    }

    /// The files of a commit that brought rows.
    pub(crate) fn added(&self, on: &TableState, entry: &Entry) -> Result<Vec<LiveFile>> {
        let reader = StatsReader::new(&on.schema);
        entry.adds.iter().map(|add| self.live_file(add, &reader)).collect()
    }

    /// Makes `commit` the version after `on`, or nothing.
    pub(crate) async fn commit(&self, on: &TableState, commit: &Commit<'_>) -> CommitResult {
        let version = on.version() + 1;
        let path = layout::commit_file(&self.folder, version);
        let bytes = commit.lines(on.partition_column.as_deref());
        let put = self.objects.put_opts(&path, bytes.into(), PutMode::Create.into()).await;
        let Err(error) = put else { return CommitResult::Committed(version) };
        // Whatever the error says: a conditional put that was sent twice conflicts with itself, and
        // a put may be applied although its answer was lost. The log knows.
        for ask in 1..=ASKS_MAX {
            match self.read_commit(version).await {
                Ok(Some(entry)) if entry.round == Some(commit.round) => {
                    return CommitResult::Committed(version);
                }
                Ok(Some(_)) => return CommitResult::Conflict,
                Ok(None) => break,
                Err(again) => tracing::debug!(ask, %again, "asking for the fate of a commit"),
            }
        }
        CommitResult::Failed(Error::storage(format!("commit to table `{}`", self.name), error))
    }

    /// A written file as a commit names it.
    pub(crate) fn addition(&self, file: &DataFile) -> Result<Addition> {
        let DataFile { file, stats } = file;
        let path = layout::relative(&self.folder, &file.path).ok_or_else(|| {
            Error::corrupt(self.what(), format!("`{}` is outside of its folder", file.path))
        })?;
        let (size, partition) = (file.size, file.partition.clone());
        Ok(Addition { path, size, partition, stats: stats.clone() })
    }

    /// A live file as a commit names it that removes it.
    pub(crate) fn removal(&self, file: &LiveFile) -> Result<Addition> {
        self.addition(&DataFile { file: file.clone(), stats: String::new() })
    }

    /// The live files of `state`.
    pub(crate) async fn files(&self, state: &TableState) -> Result<Arc<[LiveFile]>> {
        let files = state.files.get_or_try_init(|| self.list(state)).await?;
        Ok(files.clone())
    }

    async fn list(&self, state: &TableState) -> Result<Arc<[LiveFile]>> {
        let failed =
            |error| Error::storage(format!("read the log of table `{}`", self.name), error);
        let mut views = state.snapshot.file_views(self.log.as_ref(), None);
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
        let list = self.objects.list(Some(&folder));
        let found = list.try_collect::<Vec<_>>().await;
        let found = found.map_err(|error| Error::storage(format!("list `{folder}`"), error))?;
        let mut versions: Vec<u64> =
            found.iter().filter_map(|meta| layout::commit_version(&meta.location)).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// Why the log could not be read: often a feature that replay does not know.
    async fn explain(&self, error: deltalake_core::DeltaTableError) -> Error {
        let versions = self.versions().await.unwrap_or_default();
        for version in versions.into_iter().rev() {
            let Ok(Some(entry)) = self.read_commit(version).await else { continue };
            if let Some(protocol) = entry.protocol {
                if let Err(refused) = self.check_protocol(Some(protocol)) {
                    return refused;
                }
                break;
            }
        }
        Error::storage(format!("read the log of table `{}`", self.name), error)
    }

    fn check_protocol(&self, protocol: Option<serde_json::Value>) -> Result<()> {
        let protocol = protocol.unwrap_or_default();
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

    fn what(&self) -> String {
        format!("the log of table `{}`", self.name)
    }
}

impl TableState {
    /// The version of its log.
    pub(crate) fn version(&self) -> u64 {
        self.snapshot.version()
    }

    /// Number of the last round in it; 0 before the first.
    pub(crate) fn token(&self) -> i64 {
        self.token
    }

    /// Its columns, the partition column last.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The partition column.
    pub(crate) fn partition_column(&self) -> Option<&str> {
        self.partition_column.as_deref()
    }
}

fn logical_schema(snapshot: &Snapshot, partition_column: Option<&str>) -> SchemaRef {
    let schema = snapshot.arrow_schema();
    let is_partition = |field: &Arc<Field>| Some(field.name().as_str()) == partition_column;
    let (last, mut fields): (Vec<_>, Vec<_>) =
        schema.fields().iter().cloned().partition(is_partition);
    fields.extend(last);
    Arc::new(Schema::new(fields))
}

/// The table's schema as Delta spells it: every column nullable, the partition column last.
fn delta_schema(spec: &TableSpec) -> Result<StructType> {
    let mut fields: Vec<Field> = spec
        .schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    fields.extend(spec.partition.map(|name| Field::new(name, DataType::Utf8, true)));
    let schema = Schema::new(fields);
    (&schema).try_into_kernel().map_err(|error: arrow::error::ArrowError| {
        Error::corrupt(format!("the schema of table `{}`", spec.name), error)
    })
}
