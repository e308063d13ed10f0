//! A round of ingest and its one commit point.
//!
//! ```text
//! pin     events, then objects: one token t       (unequal: somebody's round is unfinished: recover)
//! write   data files of every table                invisible, durable
//! write   rounds/<t+1>-<uuid>.json                 the manifest: which files belong to which table
//! commit  events as the version after the pinned   THE commit point; a conflict: rebase, try again
//! commit  every other table, objects last          anybody can do this from the manifest
//! ```
//!
//! The commit of `events` carries the token `t + 1` and the round's UUID even without files, so that
//! two rounds can never both be number `t + 1`. A round whose `events` commit does not exist never
//! happened; its files are swept up by vacuum.

mod cutoffs;
mod draft;
pub(crate) mod manifest;
mod mark;
mod publish;
mod recover;
mod winners;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use object_store::ObjectStore;
use object_store::path::Path;
use uuid::Uuid;

use self::cutoffs::Cutoffs;
use self::draft::Draft;
use self::manifest::TableAdds;
pub use self::mark::Mark;
use self::publish::Publisher;
use self::winners::Winners;
use crate::error::{Error, Result};
use crate::input::{Content, KnownObject, RoundInput, RoundReceipt};
use crate::layout::Layout;
use crate::ledger::{self, InflatedIndex};
use crate::log::{CommitResult, TableLog};
use crate::rewrite::fenced;
use crate::snapshot::{StoreSnapshot, TableSnapshot};
use crate::spec::{StoreSpec, TableSpec};
use crate::store::{self, StoreInfo};

/// A table is checkpointed when so many commits came since it last was.
const CHECKPOINT_EVERY: u64 = 100;
/// The same in a bucket, where who opens a lake asks for each commit: of ten requests one is left.
const CHECKPOINT_EVERY_IN_BUCKET: u64 = 2;
/// The same of a table of more than [`MANY_FILES`], whose checkpoint takes longer than some requests.
const CHECKPOINT_EVERY_OF_MANY: u64 = 8;
/// About a second's checkpoint.
const MANY_FILES: usize = 20_000;
/// On a disk a round leaves the checkpoint of a table of so many files to upkeep, until so many
/// commits came: whoever waits for the round need not wait for that.
const LEFT_TO_UPKEEP: u64 = 1_000;

/// A named point of a round or of recovery, where a process may die.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// All data files are written and durable, none is visible.
    DataWritten,
    /// The manifest names them.
    ManifestWritten,
    /// The commit of a table is about to be tried.
    BeforeCommit(String),
    /// The commit of a table stands.
    AfterCommit(String),
    /// An unfinished round was found.
    RecoverBegin,
    /// Recovery is about to commit a table.
    RecoverBeforeCommit(String),
    /// Recovery has committed a table.
    RecoverAfterCommit(String),
    /// The unfinished round is complete.
    RecoverEnd,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::DataWritten => write!(f, "data-written"),
            Step::ManifestWritten => write!(f, "manifest-written"),
            Step::BeforeCommit(table) => write!(f, "commit-{table}:before"),
            Step::AfterCommit(table) => write!(f, "commit-{table}:after"),
            Step::RecoverBegin => write!(f, "recover:begin"),
            Step::RecoverBeforeCommit(table) => write!(f, "recover:commit-{table}:before"),
            Step::RecoverAfterCommit(table) => write!(f, "recover:commit-{table}:after"),
            Step::RecoverEnd => write!(f, "recover:end"),
        }
    }
}

/// Called at every [`Step`].
pub type StepHook = Arc<dyn Fn(&Step) + Send + Sync>;

/// A store, open for writing. Rounds of one writer happen one after another; any number of writers,
/// in any number of processes, may write at once.
pub struct StoreWriter {
    info: StoreInfo,
    objects: Arc<dyn ObjectStore>,
    publisher: Publisher,
    tables: Vec<TableSpec>,
    pinned: Mutex<Arc<StoreSnapshot>>,
    inflated: Arc<InflatedIndex>,
    cutoffs: tokio::sync::Mutex<Cutoffs>,
    in_bucket: bool,
    /// Whose turn it is to commit; and the numbers of the rounds this writer has committed.
    turn: tokio::sync::Mutex<BTreeSet<i64>>,
}

impl StoreWriter {
    /// Opens a store, creates tables it does not have yet, completes the last round.
    pub(crate) async fn open(
        info: StoreInfo,
        layout: Layout,
        objects: Arc<dyn ObjectStore>,
        spec: &StoreSpec,
        steps: Option<StepHook>,
        in_bucket: bool,
        now: DateTime<Utc>,
    ) -> Result<StoreWriter> {
        let tables = store::tables(spec);
        let open = |table| open_table(table, &info, &layout, &objects, in_bucket, now);
        let loaded = tables.iter().map(open);
        let loaded = StoreSnapshot::new(0, None, try_join_all(loaded).await?);
        let logs = loaded.tables().iter().map(|table| table.log().clone()).collect();
        let publisher = Publisher::new(info.clone(), layout, objects.clone(), logs, steps);
        let pinned = publisher.pin(Some(&loaded)).await?;
        check_schemas(&tables, &pinned)?;
        Ok(StoreWriter {
            info,
            objects,
            publisher,
            tables,
            pinned: Mutex::new(Arc::new(pinned)),
            inflated: Arc::default(),
            cutoffs: tokio::sync::Mutex::default(),
            in_bucket,
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// The writer, which shares what it reads of the ledger with others of the store.
    pub(crate) fn sharing(self, inflated: Arc<InflatedIndex>) -> StoreWriter {
        StoreWriter { inflated, ..self }
    }

    /// Whether the store is in a bucket.
    pub(crate) fn in_bucket(&self) -> bool {
        self.in_bucket
    }

    /// Who the store is.
    pub fn info(&self) -> &StoreInfo {
        &self.info
    }

    pub(crate) fn looks_folder(&self) -> Path {
        self.publisher.looks()
    }

    /// Number of the last round this writer has seen: what [`StoreWriter::known`] and
    /// [`StoreWriter::find_inflated`] answer from.
    pub fn token(&self) -> i64 {
        self.pinned().token
    }

    /// The state of the store this writer has seen last: after its own last round or later.
    pub fn snapshot(&self) -> Arc<StoreSnapshot> {
        self.pinned()
    }

    /// As [`StoreSnapshot::known`]; of the state of now where upkeep has removed files of the one
    /// that this writer has seen.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn known(
        &self,
        month: Option<&str>,
        keys: &[&str],
    ) -> Result<Vec<Option<KnownObject>>> {
        let mut pin = self.pinned();
        loop {
            match pin.known(month, keys).await {
                Err(error) if error.is_missing() => pin = self.after(&pin, error).await?,
                known => return known,
            }
        }
    }

    /// The `object_key` of an object whose rows stand, by inflated SHA-256.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn find_inflated(&self, hashes: &[[u8; 32]]) -> Result<HashMap<[u8; 32], String>> {
        let mut pin = self.pinned();
        loop {
            let files = ledger_of(&pin)?.files().await?;
            match self.inflated.find(&self.objects, &files, hashes).await {
                Err(error) if error.is_missing() => pin = self.after(&pin, error).await?,
                found => return found,
            }
        }
    }

    /// Makes a round happen: drops duplicates and, where retention is set, what has left the store
    /// before; writes files, commits every table, rebases when another ingester wins. When it returns
    /// an error, the round either happened whole or will never have; opening the store for writing
    /// again, or the next round, settles which.
    ///
    /// # Errors
    /// [`Error::Input`]; when the storage fails.
    pub async fn commit_round(
        &self,
        round: RoundInput,
        content: &dyn Content,
        now: DateTime<Utc>,
    ) -> Result<RoundReceipt> {
        let mut own = self.turn.lock().await;
        let mut pin = self.pinned();
        // A round of its own that this state lacks, for it could not be looked at, is anybody's.
        let known = own.range(..=pin.token).copied().collect();
        let mut seen = round.planned_at;
        let mut draft = Draft::new(&self.objects, &self.tables, content, round, now)?;
        for rebased in 0.. {
            let tables = match self.write(&mut draft, &Winners::since(seen, &known, &pin)).await {
                Ok(Some(tables)) => tables,
                Ok(None) => return Ok(draft.receipt(pin.token, main_of(&pin)?.version(), rebased)),
                // Upkeep has replaced what this state shows, and the grace of that is over.
                Err(error) if error.is_missing() => {
                    draft.write_anew();
                    pin = self.after(&pin, error).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let id = Uuid::new_v4();
            // Clocks of several machines differ; the times of rounds only grow.
            let at = pin.committed_at.map_or(now, |last| last.max(now));
            let manifest = self.publisher.announce(&pin, id, at, tables).await?;
            match self.publisher.commit_main(&pin, &manifest).await {
                CommitResult::Committed(version) => {
                    self.publisher.complete(&pin, &manifest).await?;
                    // Not before: whoever hears an error may come again with the same objects.
                    own.insert(manifest.number);
                    self.settle(&pin).await;
                    return Ok(draft.receipt(manifest.number, version, rebased));
                }
                CommitResult::Conflict => {
                    tracing::info!(round = manifest.number, "another ingester won, rebasing");
                    seen = Some(pin.token);
                    let before = pin;
                    pin = self.look(&before).await?;
                    if fenced(main_of(&before)?, main_of(&pin)?).await? {
                        draft.write_anew();
                    }
                }
                CommitResult::Failed(error) => return Err(error),
            }
        }
        Err(Error::Input { reason: "it was rebased for ever".to_string() })
    }

    /// Writes what is left of a round beside the winners, invisible; none when nothing is.
    async fn write(
        &self,
        draft: &mut Draft<'_>,
        winners: &Winners<'_>,
    ) -> Result<Option<Vec<TableAdds>>> {
        draft.give_way(winners).await?;
        if draft.is_empty() {
            return Ok(None);
        }
        if self.info.settings.retention_days.is_some() {
            let cutoffs = self.cutoffs.lock().await.at(&self.tables, winners.pin()).await?;
            draft.leave_out_before(cutoffs);
        }
        let tables = draft.write(winners.pin()).await?;
        self.publisher.step(Step::DataWritten);
        Ok(Some(tables))
    }

    /// The state of now, which this writer has seen from then on; `before` is an earlier one.
    async fn look(&self, before: &StoreSnapshot) -> Result<Arc<StoreSnapshot>> {
        let now = Arc::new(self.publisher.pin(Some(before)).await?);
        self.repin(&now);
        Ok(now)
    }

    /// The state of now, after a file that `pin` shows was `missing`. One that the state of now shows
    /// too is lost: that is told, and not looked for again for as long as others go on.
    async fn after(&self, pin: &StoreSnapshot, missing: Error) -> Result<Arc<StoreSnapshot>> {
        if let Some(path) = missing.missing_path()
            && let Some(lost @ Error::Corrupt { .. }) = pin.missing(path).await
        {
            return Err(lost);
        }
        self.newer(pin).await?.ok_or(missing)
    }

    /// The state of now, when it is another than `pin`.
    async fn newer(&self, pin: &StoreSnapshot) -> Result<Option<Arc<StoreSnapshot>>> {
        let now = self.look(pin).await?;
        let moved = pin.tables().iter().zip(now.tables()).any(|(a, b)| a.version() != b.version());
        Ok(moved.then_some(now))
    }

    /// After a round: sees it, and lets replay start nearer. What fails here fails no round.
    async fn settle(&self, before: &StoreSnapshot) {
        let now = match self.look(before).await {
            Ok(now) => now,
            Err(error) => return tracing::warn!(%error, "could not look at the store"),
        };
        for table in now.tables() {
            if let Err(error) = checkpoint(table, self.in_bucket).await {
                tracing::warn!(%error, "could not write a checkpoint");
            }
        }
    }

    pub(crate) fn pinned(&self) -> Arc<StoreSnapshot> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sees a state, unless a later one was seen.
    fn repin(&self, pin: &Arc<StoreSnapshot>) {
        let mut pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        let versions = |of: &StoreSnapshot| of.tables().iter().map(TableSnapshot::version).sum();
        let place = |of: &StoreSnapshot| -> (i64, u64) { (of.token, versions(of)) };
        if place(pin) > place(&pinned) {
            *pinned = pin.clone();
        }
    }

    pub(crate) fn tables(&self) -> &[TableSpec] {
        &self.tables
    }

    pub(crate) fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    pub(crate) fn publisher(&self) -> &Publisher {
        &self.publisher
    }
}

/// A table as of now, created when it is missing.
async fn open_table(
    spec: &TableSpec,
    info: &StoreInfo,
    layout: &Layout,
    objects: &Arc<dyn ObjectStore>,
    in_bucket: bool,
    now: DateTime<Utc>,
) -> Result<TableSnapshot> {
    let folder = layout.table(&info.name, spec.name);
    let log = TableLog::new(spec.name, folder, objects.clone(), info.id)?;
    let log = if in_bucket { log.in_bucket() } else { log };
    let state = match log.load(None).await? {
        Some(state) => Some(state),
        None => {
            log.create(spec, now).await?;
            log.load(None).await?
        }
    };
    let missing = || Error::corrupt(format!("table `{}`", spec.name), "it is missing");
    Ok(TableSnapshot::new(log, Arc::new(state.ok_or_else(missing)?)))
}

/// Who writes a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Round,
    Upkeep,
}

/// The version of a table to write a checkpoint of, when enough commits came since the last one.
pub(crate) async fn due_checkpoint(
    table: &TableSnapshot,
    in_bucket: bool,
    by: By,
) -> Result<Option<u64>> {
    let last = table.log().last_checkpoint().await?.unwrap_or(0);
    let commits = table.version().saturating_sub(last);
    let (few, many) = match (in_bucket, by) {
        (true, _) => (CHECKPOINT_EVERY_IN_BUCKET, CHECKPOINT_EVERY_OF_MANY),
        (false, By::Round) => (CHECKPOINT_EVERY, LEFT_TO_UPKEEP),
        (false, By::Upkeep) => (CHECKPOINT_EVERY, CHECKPOINT_EVERY),
    };
    // Files are counted where their number decides.
    let is_due = commits >= many || commits >= few && table.files().await?.len() <= MANY_FILES;
    Ok(is_due.then(|| table.version()))
}

async fn checkpoint(table: &TableSnapshot, in_bucket: bool) -> Result<()> {
    match due_checkpoint(table, in_bucket, By::Round).await? {
        Some(version) => table.log().checkpoint(version).await,
        None => Ok(()),
    }
}

/// The ledger of a pinned store.
pub(crate) fn ledger_of(pin: &StoreSnapshot) -> Result<&TableSnapshot> {
    table_of(pin, ledger::objects_table().name)
}

/// The main table of a pinned store: the first.
fn main_of(pin: &StoreSnapshot) -> Result<&TableSnapshot> {
    pin.tables().first().ok_or_else(|| Error::corrupt("the store", "it has no tables"))
}

/// A table that a writer has seen to.
pub(crate) fn table_of<'a>(pin: &'a StoreSnapshot, name: &str) -> Result<&'a TableSnapshot> {
    pin.table(name).ok_or_else(|| Error::corrupt("the store", format!("it has no table `{name}`")))
}

/// Every column we are about to write must exist in the table, and be of that type.
fn check_schemas(tables: &[TableSpec], pin: &StoreSnapshot) -> Result<()> {
    for spec in tables {
        let schema = table_of(pin, spec.name)?.schema();
        for field in spec.schema.fields() {
            let found = schema.field_with_name(field.name()).ok();
            if found.is_none_or(|found| !same_type(found.data_type(), field.data_type())) {
                let reason = format!("column `{}` is missing or of another type", field.name());
                return Err(Error::corrupt(format!("table `{}`", spec.name), reason));
            }
        }
    }
    Ok(())
}

/// Whether types are the same but for the names and nullability of what they nest.
pub(crate) fn same_type(a: &arrow::datatypes::DataType, b: &arrow::datatypes::DataType) -> bool {
    use arrow::datatypes::DataType::{List, Struct};
    match (a, b) {
        (List(a), List(b)) => same_type(a.data_type(), b.data_type()),
        (Struct(a), Struct(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| a.name() == b.name() && same_type(a.data_type(), b.data_type()))
        }
        _ => a == b,
    }
}
