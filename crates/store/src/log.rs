//! The only file that names deltalake types: the log of one table.
//!
//! Reading the log (replay, checkpoints, schemas) is deltalake-core's work. Committing is ours and
//! small: a commit is the file of version *n + 1*, put if absent, where *n* is the version of the
//! state it was planned on; nothing is ever retried onto a newer one. (The library's own commit
//! loop re-bases a commit whenever it sees no conflict, and sees none between two removes of one
//! file.)

mod actions;
mod anew;
mod clean_up;
mod found;
mod names;
mod replay;
mod stats;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use deltalake_core::kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel};
use deltalake_core::kernel::{Snapshot, StructType};
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use futures::future::join;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use url::Url;
use uuid::Uuid;

pub(crate) use self::actions::{Addition, Commit, Entry};
pub(crate) use self::replay::Tip;
use crate::data_file::DataFile;
use crate::error::{Error, Result};
use crate::lake::{get, remove_file};
use crate::layout;
use crate::snapshot::{ColumnStats, LiveFile};
use crate::spec::TableSpec;

/// How often a commit is sent whose fate cannot be learned.
const ATTEMPTS_MAX: u32 = 3;

/// The log of one table.
#[derive(Debug, Clone)]
pub(crate) struct TableLog {
    name: Arc<str>,
    folder: Path,
    objects: Arc<dyn ObjectStore>,
    log: LogStoreRef,
    /// Application id of rounds: tokens under it number them.
    application: Arc<str>,
    /// The newest version known to survive a power loss, 0 when none is.
    durable: Arc<AtomicU64>,
}

/// A table at one version.
#[derive(Debug)]
pub(crate) struct TableState {
    version: u64,
    /// The UUID of that version's commit, where it has one.
    commit: Option<Uuid>,
    /// What replay found; none for a state advanced from an earlier one.
    snapshot: Option<Arc<Snapshot>>,
    schema: SchemaRef,
    partition_column: Option<String>,
    token: i64,
    tables: Option<Arc<BTreeMap<String, i64>>>,
    /// Read from the log when first asked for. Never a lock: who waits for a list that somebody
    /// else has begun to make, and has stopped polling, waits for ever.
    files: OnceLock<Arc<[LiveFile]>>,
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
        let durable = Arc::new(AtomicU64::new(0));
        Ok(TableLog { name: name.into(), folder, objects, log, application, durable })
    }

    /// The log in a bucket, where what can be seen survives: nothing is put again to make sure.
    pub(crate) fn in_bucket(self) -> TableLog {
        TableLog { durable: Arc::new(AtomicU64::new(u64::MAX)), ..self }
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

    /// The commit of `version`; none when there is no such file.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it was cut short, or is not of this store: only we write.
    pub(crate) async fn read_commit(&self, version: u64) -> Result<Option<Entry>> {
        let Some(entry) = self.read_entry(version).await? else { return Ok(None) };
        let ours = [self.application.to_string(), self.rewrites()];
        let reason = if !entry.is_whole() {
            "it was cut short"
        } else if version > 0 && !ours.iter().any(|ours| entry.tokens.contains_key(ours)) {
            "it is no commit of this store"
        } else {
            return Ok(Some(entry));
        };
        Err(Error::corrupt(format!("`{}`", layout::commit_file(&self.folder, version)), reason))
    }

    /// As [`TableLog::read_commit`], whoever wrote it.
    async fn read_entry(&self, version: u64) -> Result<Option<Entry>> {
        let path = layout::commit_file(&self.folder, version);
        let Some(bytes) = get(&self.objects, &path).await? else { return Ok(None) };
        let damaged = |error: serde_json::Error| match error.is_eof() {
            true => Error::corrupt(format!("`{path}`"), "it was cut short"),
            false => Error::corrupt(format!("`{path}`"), error),
        };
        Entry::parse(&bytes).map(Some).map_err(damaged)
    }

    /// Application id of commits that replace files.
    pub(crate) fn rewrites(&self) -> String {
        format!("{}/rewrite", self.application)
    }

    /// Application id under which commits carry how many rows have left the table.
    pub(crate) fn expired_rows(&self) -> String {
        format!("{}/expired", self.application)
    }

    /// Application id under which commits carry up to which time rows have left the table.
    pub(crate) fn expired_before(&self) -> String {
        format!("{}/expired-before", self.application)
    }

    /// The token a commit carries, if it is a round's.
    pub(crate) fn token_of(&self, entry: &Entry) -> Option<i64> {
        entry.tokens.get(self.application.as_ref()).copied()
    }

    /// Makes `commit` the version after `on`, or nothing. Once it says so, it is durable.
    pub(crate) async fn commit(&self, on: &TableState, commit: &Commit<'_>) -> CommitResult {
        let version = on.version() + 1;
        let bytes = Bytes::from(commit.lines(on.partition_column.as_deref()));
        let (mut last, mut is_there) = (None, false);
        for attempt in 1..=ATTEMPTS_MAX {
            // Between two attempts may lie a night in which the machine slept.
            match self.can_follow(on.version()).await {
                Ok(false) if !is_there => return CommitResult::Conflict,
                Err(error) if !is_there => return CommitResult::Failed(error),
                Ok(_) | Err(_) => {}
            }
            // The same bytes for the same version: sending them again is harmless.
            let refused = match self.put_commit(version, bytes.clone()).await {
                Ok(()) => return self.committed(version).await,
                Err(error) => error,
            };
            // Whatever it says: a conditional put that was sent twice conflicts with itself, and a
            // put may be applied although its answer was lost. The log knows.
            let taken = matches!(
                refused,
                object_store::Error::AlreadyExists { .. }
                    | object_store::Error::Precondition { .. }
            );
            let found = self.read_commit(version).await;
            is_there = matches!(found, Ok(Some(_)));
            match found {
                Ok(Some(entry)) if entry.round != Some(commit.round) => {
                    return CommitResult::Conflict;
                }
                // Only a name that is taken is sure to survive; another error asks once more.
                Ok(Some(_)) if taken => return self.committed(version).await,
                Err(error @ Error::Corrupt { .. }) => return CommitResult::Failed(error),
                found => tracing::debug!(attempt, %refused, ?found, "a commit was not answered"),
            }
            last = Some(refused);
        }
        let path = layout::commit_file(&self.folder, version);
        let action = format!("commit to table `{}` as `{path}`", self.name);
        let error = last.unwrap_or(object_store::Error::NotImplemented {
            operation: action.clone(),
            implementer: "log".to_string(),
        });
        CommitResult::Failed(Error::storage(action, error))
    }

    /// Whether a commit put after `version` can be seen. It cannot once a checkpoint of a later
    /// version stands: commits behind it may be cleaned up, and their names are free again.
    async fn can_follow(&self, version: u64) -> Result<bool> {
        let (checkpoint, put_at) = join(self.last_checkpoint(), self.put_at(version)).await;
        match (checkpoint?, put_at) {
            (Some(checkpoint), _) if checkpoint > version => Ok(false),
            (Some(checkpoint), Ok(None)) if checkpoint == version => Ok(true),
            (_, Ok(Some(_))) => Ok(true),
            (_, Ok(None)) => {
                let reason = format!("version {version} was there and is gone");
                Err(Error::corrupt(self.what(), reason))
            }
            (_, Err(error)) => Err(error),
        }
    }

    /// The version of the newest checkpoint, as `_last_checkpoint` tells.
    pub(crate) async fn last_checkpoint(&self) -> Result<Option<u64>> {
        #[derive(serde::Deserialize)]
        struct LastCheckpoint {
            version: u64,
        }
        let path = layout::last_checkpoint_file(&self.folder);
        let Some(bytes) = get(&self.objects, &path).await? else { return Ok(None) };
        match serde_json::from_slice::<LastCheckpoint>(&bytes) {
            Ok(last) => Ok(Some(last.version)),
            Err(error) => {
                // A hint for readers, says the protocol, who find checkpoints by their names too.
                tracing::warn!(%path, %error, "cannot be read");
                Ok(None)
            }
        }
    }

    async fn put_commit(&self, version: u64, bytes: Bytes) -> object_store::Result<()> {
        let path = layout::commit_file(&self.folder, version);
        self.objects.put_opts(&path, bytes.into(), PutMode::Create.into()).await.map(drop)
    }

    /// A commit that was put: it stands, unless it came so late that nobody will ever see it.
    async fn committed(&self, version: u64) -> CommitResult {
        match self.came_too_late(version).await {
            Ok(false) => {
                self.durable.fetch_max(version, Ordering::Relaxed);
                CommitResult::Committed(version)
            }
            Ok(true) => {
                let path = layout::commit_file(&self.folder, version);
                match remove_file(&self.objects, &path).await {
                    Ok(()) => CommitResult::Conflict,
                    Err(error) => CommitResult::Failed(error),
                }
            }
            Err(error) => CommitResult::Failed(error),
        }
    }

    /// Whether a commit of ours was put as `version` when that name was free again, behind a later
    /// checkpoint: its writer slept between looking and putting.
    async fn came_too_late(&self, version: u64) -> Result<bool> {
        // Logs are cleaned up from the oldest on: while the one before stands, no name was freed.
        if self.put_at(version - 1).await?.is_some() {
            return Ok(false);
        }
        if self.last_checkpoint().await?.is_none_or(|last| last <= version) {
            return Ok(false);
        }
        // The next one goes after this one, and was put after it, had this one been there in time.
        let next = self.put_at(version + 1).await?;
        Ok(match (self.put_at(version).await?, next) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(ours), Some(next)) => ours > next,
        })
    }

    /// When the commit of `version` was put; none when there is no such file.
    async fn put_at(&self, version: u64) -> Result<Option<DateTime<Utc>>> {
        let path = layout::commit_file(&self.folder, version);
        match self.objects.head(&path).await {
            Ok(meta) => Ok(Some(meta.last_modified)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(Error::storage(format!("read `{path}`"), error)),
        }
    }

    /// Makes sure that commits up to `version`, made by whomever, survive a power loss: what is
    /// built on them may be synced sooner than they.
    ///
    /// Putting a name that is taken makes it durable, and all names beside it.
    pub(crate) async fn ensure_durable(&self, version: u64) -> Result<()> {
        if self.durable.load(Ordering::Relaxed) >= version {
            return Ok(());
        }
        let path = layout::commit_file(&self.folder, version);
        let failed = |error| Error::storage(format!("sync `{path}`"), error);
        let Some(bytes) = get(&self.objects, &path).await? else {
            return Ok(()); // cleaned up, so from long ago
        };
        match self.put_commit(version, bytes.into()).await {
            Ok(())
            | Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => {
                self.durable.fetch_max(version, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// A written file as a commit names it.
    pub(crate) fn addition(&self, file: &DataFile) -> Result<Addition> {
        let DataFile { file, stats, checksum } = file;
        let path = layout::relative(&self.folder, &file.path).ok_or_else(|| {
            Error::corrupt(self.what(), format!("`{}` is outside of its folder", file.path))
        })?;
        let (size, partition) = (file.size, file.partition.clone());
        Ok(Addition { path, size, partition, stats: stats.clone(), checksum: checksum.clone() })
    }

    /// A live file as a commit names it that removes it.
    pub(crate) fn removal(&self, file: &LiveFile) -> Result<Addition> {
        let (file, stats) = (file.clone(), String::new());
        self.addition(&DataFile { file, stats, checksum: None })
    }

    fn what(&self) -> String {
        format!("the log of table `{}`", self.name)
    }
}

impl TableState {
    /// A table as it is created: no files, nothing is read.
    pub(crate) fn created(spec: &TableSpec) -> Result<TableState> {
        let schema: Result<Schema, _> = (&delta_schema(spec)?).try_into_arrow();
        let schema = schema.map_err(|error: arrow::error::ArrowError| {
            Error::corrupt(format!("the schema of table `{}`", spec.name), error)
        })?;
        let none: Arc<[LiveFile]> = Arc::from([]);
        Ok(TableState {
            version: 0,
            commit: None,
            snapshot: None,
            schema: Arc::new(schema),
            partition_column: spec.partition.map(str::to_string),
            token: 0,
            tables: None,
            files: OnceLock::from(none),
        })
    }

    /// The version of its log.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The UUID of the commit that made it; none where the table was only created.
    pub(crate) fn commit(&self) -> Option<Uuid> {
        self.commit
    }

    /// Number of the last round in it; 0 before the first.
    pub(crate) fn token(&self) -> i64 {
        self.token
    }

    /// The last round of every table, as the last round of the ledger tells; none for other tables
    /// and where an earlier version wrote it.
    pub(crate) fn tables(&self) -> Option<&BTreeMap<String, i64>> {
        self.tables.as_deref()
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

/// Row count and column statistics of a file from the text of its `add` action.
pub(crate) fn parse_statistics(
    schema: &Schema,
    text: &str,
) -> Result<(u64, Vec<ColumnStats>), serde_json::Error> {
    stats::StatsReader::new(schema).read(text)
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
