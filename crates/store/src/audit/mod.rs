//! The lake against itself: what is damaged, and where.
//!
//! An audit refuses nothing that is there. What is damaged is a finding, and the next table, the next
//! store is looked at; only a storage that does not answer, or not this user, ends it (`unread`). In
//! the order in which a store is gone through:
//!
//! | module | what is held against what |
//! |---|---|
//! | `names` | the names in the store's folder against the names there can be |
//! | `logs` | the commits of a table against each other, and against its checkpoints |
//! | `tombstones` | what the log says has left against what was written down |
//! | `rounds` | the tables against each other: rounds, manifests |
//! | `files` | the log against the files: present, of their size, of their folder, each once |
//! | `footers` | the log against the footers: rows, statistics, slices |
//! | `ledger` | the ledger against itself, and against the rows of every table |
//! | `rows` | the rows against their order, statistics and proof |
//! | `doubles`, `keys` | the rows against each other: none is there twice |
//!
//! Memory does not grow with the rows. It grows with the number of files, as opening a lake does;
//! ids of objects and hashes of keys are held up to [`HELD_MAX`] at a time, and looked at in several
//! passes where there are more.

mod doubles;
mod files;
mod finding;
mod footers;
mod keys;
mod ledger;
mod logs;
mod names;
mod rounds;
mod rows;
mod tombstones;
mod unread;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::{FutureExt, Stream, StreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use uuid::Uuid;

pub use self::finding::{Audit, Finding, Grade};

use self::finding::Findings;
use self::logs::AuditedLog;
use crate::error::{Error, Result};
use crate::lake::{Lake, OpenOptions};
use crate::layout::{self, Layout};
use crate::log::{TableLog, TableState};
use crate::spec::{StoreSpec, TableSpec};
use crate::store::{self, StoreInfo};

/// Ids or hashes held at a time: at most some 200 MB of them.
const HELD_MAX: usize = 2 << 20;

/// Files looked at together.
const FILES_AT_ONCE: usize = 4;

/// What an audit of rows must know about records, and cannot: handed in by the caller.
pub trait Proof: Send + Sync {
    /// What is wrong with rows of a table: the row's number in the batch, and words for people.
    fn faults(&self, table: &str, rows: &RecordBatch) -> Vec<(usize, String)>;
}

/// How far an audit goes.
#[derive(Clone, Default)]
pub struct AuditOptions {
    /// Reads every row of every table too, and has it proven.
    pub proof: Option<Arc<dyn Proof>>,
}

impl Lake {
    /// Holds everything in the lake at `location` against everything else in it. Changes nothing.
    ///
    /// The lake is not opened as others do it, which is refused when something is missing: that is
    /// what is looked for here.
    ///
    /// # Errors
    /// [`Error::NoLake`] and [`Error::NotALake`] when there are no stores of a lake,
    /// [`Error::NewerFormat`] and [`Error::TableFeatures`]; [`Error::Storage`] when something of it may
    /// not be read, or the storage does not answer: nobody knows then what is there.
    pub async fn audit(
        location: &str,
        options: OpenOptions,
        spec: &StoreSpec,
        audit: &AuditOptions,
    ) -> Result<Audit> {
        let (options, mut unread) = unread::watched(options);
        let audited = Lake::audit_all(location, options, spec, audit);
        tokio::select! {
            biased;
            Some(error) = unread.recv() => Err(error),
            audited = audited => match unread.try_recv() {
                // It was the last that was read.
                Ok(error) => Err(error),
                Err(_) => audited,
            },
        }
    }

    /// As [`Lake::audit`], where everything may be read.
    async fn audit_all(
        location: &str,
        options: OpenOptions,
        spec: &StoreSpec,
        audit: &AuditOptions,
    ) -> Result<Audit> {
        let mut findings = Findings::default();
        let lake = match Lake::open_with(location, options.clone()).await {
            Ok(lake) => lake,
            Err(refused @ (Error::NotALake { .. } | Error::Corrupt { .. })) => {
                let lake = Lake::open_unchecked(location, options)?;
                if lake.store_folders().await?.0.is_empty() {
                    return Err(refused);
                }
                let what = match refused {
                    Error::NotALake { .. } => "it is missing".to_string(),
                    other => other.spelled_out(),
                };
                findings.of_lake(layout::LAKE_FILE, what);
                lake
            }
            Err(error) => return Err(error),
        };
        let (folders, strangers) = lake.store_folders().await?;
        for path in strangers.into_iter().filter(|path| !layout::is_settings(path)) {
            findings.of_lake(path.as_ref(), "it is no file of the lake");
        }
        for folder in folders {
            let Some(name) = folder.filename() else { continue };
            StoreAudit::new(&lake, name, spec, audit, findings.store(name)).run().await?;
            findings.stores += 1;
        }
        Ok(findings.close())
    }

    /// Folders of stores, and files where only those may be.
    async fn store_folders(&self) -> Result<(Vec<Path>, Vec<Path>)> {
        let folder = self.layout().stores();
        let listed = self.objects().list_with_delimiter(Some(&folder)).await;
        let listed = listed.map_err(|error| Error::storage(format!("list `{folder}`"), error))?;
        let mut folders = listed.common_prefixes;
        folders.sort();
        Ok((folders, listed.objects.into_iter().map(|meta| meta.location).collect()))
    }
}

/// One store under audit.
struct StoreAudit<'a> {
    name: &'a str,
    layout: &'a Layout,
    objects: &'a Arc<dyn ObjectStore>,
    /// The tables there should be: the main one first, the ledger last.
    specs: Vec<TableSpec>,
    records: Vec<&'static str>,
    proof: Option<Arc<dyn Proof>>,
    findings: finding::OfStore<'a>,
}

/// A table under audit.
struct TableAudit {
    /// What it should be; none for a table this version does not know.
    spec: Option<TableSpec>,
    log: AuditedLog,
    /// Row groups of its files, by what their footers say.
    groups: Vec<footers::Group>,
}

impl<'a> StoreAudit<'a> {
    fn new(
        lake: &'a Lake,
        name: &'a str,
        spec: &StoreSpec,
        audit: &AuditOptions,
        findings: finding::OfStore<'a>,
    ) -> StoreAudit<'a> {
        StoreAudit {
            name,
            layout: lake.layout(),
            objects: lake.objects(),
            specs: store::tables(spec),
            records: spec.records.iter().map(|table| table.name).collect(),
            proof: audit.proof.clone(),
            findings,
        }
    }

    async fn run(mut self) -> Result<()> {
        if !layout::is_store_name(self.name) {
            self.findings.damage(&self.layout.store(self.name), "it is no folder of the lake");
            return Ok(());
        }
        let listed = names::list(self.objects, &self.layout.store(self.name)).await?;
        for path in &listed.strangers {
            self.findings.damage(path, "it is no file of the lake");
        }
        for path in &listed.leftovers {
            self.findings.note(path, "a file manager left it");
        }
        let Some(id) = self.identify(&listed).await? else { return Ok(()) };
        let mut tables: BTreeMap<String, TableAudit> = BTreeMap::new();
        let ledger = crate::ledger::objects_table().name;
        for name in self.table_names(&listed) {
            let spec = self.specs.iter().find(|spec| spec.name == name).cloned();
            let folder = self.layout.table(self.name, &name);
            let log = TableLog::new(&name, folder, self.objects.clone(), id)?;
            let is_main = self.specs.first().is_some_and(|main| main.name == name);
            // What the ledger shows is what a reader sees of every table.
            let shown = tables.get(ledger).and_then(|ledger| ledger.log.state());
            let token = shown.map(TableState::token);
            let mut findings = self.findings.table(&name);
            let log = logs::audit(log, token, is_main, &listed, &mut findings).await?;
            if let Some(log) = log {
                tables.insert(name, TableAudit { spec, log, groups: Vec::new() });
            }
        }
        rounds::audit(&mut self, &mut tables, &listed).await?;
        for (name, table) in &mut tables {
            let mut findings = self.findings.table(name);
            schema(table, &mut findings);
            tombstones::audit(table, &mut findings).await?;
            files::audit(table, &listed, &mut findings).await;
            footers::audit(self.objects, table, &mut findings).await;
        }
        ledger::audit(&mut self, &tables).await;
        if let Some(proof) = self.proof.clone() {
            for (name, table) in &tables {
                let mut findings = self.findings.table(name);
                rows::audit(self.objects, table, &proof, &mut findings).await;
                doubles::audit(self.objects, table, &mut findings).await;
            }
        }
        Ok(())
    }

    /// The id of the store, from its file or from its rounds. None when there is no store yet.
    async fn identify(&mut self, listed: &names::Listed) -> Result<Option<Uuid>> {
        let path = self.layout.store_file(self.name);
        let read = StoreInfo::read(self.objects, self.layout, self.name, None).await;
        let ids = self.ids_of_rounds().await;
        let id = ids.first().copied();
        let what = match read {
            Ok(Some(info)) if info.settings.removal_began_at.is_some() => {
                self.findings.note(&path, "the store is being removed; upkeep goes on with that");
                return Ok(None);
            }
            Ok(Some(info)) if ids.is_empty() || ids.contains(&info.id) => {
                if info.arn != StoreInfo::arn_of(info.id) {
                    self.findings.damage(&path, "its ARN is not that of its id");
                }
                return Ok(Some(info.id));
            }
            Ok(Some(_)) => "its rounds are of another store".to_string(),
            Ok(None) if listed.tables.is_empty() => return Ok(None),
            Ok(None) => "it is missing".to_string(),
            // No damage: a later version knows what it is.
            Err(newer @ Error::NewerFormat { .. }) => return Err(newer),
            Err(error) => error.spelled_out(),
        };
        match id {
            Some(_) => self.findings.damage(&path, what),
            // Its file is written last.
            None if what == "it is missing" => {
                self.findings.note(&path, "the store was never finished");
            }
            None => self.findings.damage(&path, what),
        }
        Ok(id)
    }

    /// The ids that rounds carry, table by table.
    async fn ids_of_rounds(&self) -> Vec<Uuid> {
        let mut ids = Vec::new();
        for spec in &self.specs {
            let folder = self.layout.table(self.name, spec.name);
            let log = TableLog::new(spec.name, folder, self.objects.clone(), Uuid::nil());
            if let Ok(log) = log {
                ids.extend(log.any_store_id().await);
            }
        }
        ids
    }

    /// The tables there are, the ledger first; of those there should be too.
    fn table_names(&mut self, listed: &names::Listed) -> Vec<String> {
        let mut names: Vec<String> = listed.tables.keys().cloned().collect();
        for spec in &self.specs {
            if !listed.tables.contains_key(spec.name) {
                let folder = self.layout.table(self.name, spec.name);
                // A store that an earlier version made has no table that came since.
                self.findings.table(spec.name).absent(&folder);
            }
        }
        names.sort_by_key(|name| (name != crate::ledger::objects_table().name, name.clone()));
        names
    }
}

/// The columns of a table against those it should have.
fn schema(table: &TableAudit, findings: &mut finding::OfTable<'_>) {
    let (Some(spec), Some(schema)) = (&table.spec, table.log.schema()) else { return };
    for field in spec.schema.fields() {
        let found = schema.field_with_name(field.name()).ok();
        if found.is_none_or(|f| !crate::round::same_type(f.data_type(), field.data_type())) {
            let what = format!("column `{}` is missing or of another type", field.name());
            findings.damage(&table.log.log().folder().clone().join(layout::LOG), what);
        }
    }
    if table.log.state().is_some_and(|state| state.partition_column() != spec.partition) {
        let folder = table.log.log().folder().clone().join(layout::LOG);
        findings.damage(&folder, "it is partitioned by another column");
    }
}

/// What `read` gives of a file. The Parquet library trusts what a footer says, and panics where a
/// damaged one leads it astray: that is a damage like any other.
async fn guarded<T>(path: &Path, read: impl Future<Output = Result<T>>) -> Result<T> {
    match AssertUnwindSafe(read).catch_unwind().await {
        Ok(read) => read,
        Err(_) => Err(Error::corrupt(format!("`{path}`"), "its reader stumbled over it")),
    }
}

/// Runs `look` over things, a few at a time, and gives what it finds in their order.
fn each<'a, T, R, F>(
    things: &'a [T],
    look: impl Fn(usize, &'a T) -> F,
) -> impl Stream<Item = R> + Unpin
where
    F: Future<Output = R>,
{
    let looks: Vec<F> =
        things.iter().enumerate().map(|(number, thing)| look(number, thing)).collect();
    Box::pin(futures::stream::iter(looks).buffered(FILES_AT_ONCE))
}
