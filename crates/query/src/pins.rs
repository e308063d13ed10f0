//! The tables of one query: every store it names pinned at one snapshot, every table it names made
//! over that.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use traillake_store::{Lake, LiveFile, StoreInfo, StoreSnapshot, TableSnapshot};

use crate::Rebuild;
use crate::directory::Directory;
use crate::meter::Meter;
use crate::narrowed::Narrowed;
use crate::options::{Looks, Lookup, SystemTable};
use crate::resolve::{INFORMATION_SCHEMA, Resolved, SYSTEM, SYSTEM_TABLES};
use crate::scan::ScanLog;
use crate::store_table::{Given, StoreTable};
use crate::system_tables::{
    coverage, files, information_schema, listed, missing, objects, rejects, stores, variants,
};
use crate::views;

type Result<T> = std::result::Result<T, DataFusionError>;

/// A store at the snapshot that one query sees.
#[derive(Clone)]
pub(crate) struct Pin {
    pub(crate) info: StoreInfo,
    /// The tables the query may read.
    pub(crate) snapshot: StoreSnapshot,
}

/// What the tables of one query are made from.
#[derive(Clone)]
pub(crate) struct Pins {
    pub(crate) lake: Lake,
    /// The session's store.
    pub(crate) store: String,
    /// Every store the query names, the session's too.
    pub(crate) stores: BTreeMap<String, Pin>,
    /// All stores of the lake.
    pub(crate) all_stores: Arc<[StoreInfo]>,
    pub(crate) looks: Option<Arc<dyn Looks>>,
    pub(crate) lookups: Arc<[Lookup]>,
    pub(crate) system_tables: Vec<Arc<dyn SystemTable>>,
    pub(crate) rebuild: Arc<dyn Rebuild>,
    pub(crate) since: Option<DateTime<Utc>>,
    pub(crate) until: Option<DateTime<Utc>>,
    /// Columns the statement mentions that `SELECT *` does not show.
    pub(crate) hidden: Vec<&'static str>,
    /// Only the columns of tables are wanted.
    pub(crate) without_files: bool,
    pub(crate) meter: Arc<Meter>,
    pub(crate) scans: ScanLog,
}

/// The address under which every scan finds its storage.
pub(crate) fn lake_url() -> Result<ObjectStoreUrl> {
    ObjectStoreUrl::parse("traillake://lake")
}

impl Pins {
    /// Returns the table that a name was found to mean.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub(crate) async fn table(
        &self,
        table: &Resolved,
        directory: &Directory,
    ) -> Result<Arc<dyn TableProvider>> {
        match table.schema.as_str() {
            SYSTEM => self.system_table(&table.table).await,
            INFORMATION_SCHEMA => memory(information_schema::rows(&table.table, directory)?),
            store => match self.lookups.iter().find(|lookup| lookup.name == table.table) {
                Some(lookup) if store == self.store => lookup.provider(),
                _ => self.store_table(store, &table.table).await,
            },
        }
    }

    async fn store_table(&self, store: &str, table: &str) -> Result<Arc<dyn TableProvider>> {
        let plan = match table {
            "rejects" => self.rejects(store).await?,
            "variants" => self.variants(store).await?,
            _ => self.view(store, table).await?,
        };
        Ok(Arc::new(ViewTable::new(plan, None)))
    }

    async fn system_table(&self, table: &str) -> Result<Arc<dyn TableProvider>> {
        let store = self.store.as_str();
        let plan = match table {
            "objects" => {
                objects::view(self.scan(store, "objects").await?, &self.stored(store, "objects")?)?
            }
            "rejects" => self.rejects(store).await?,
            "variants" => self.variants(store).await?,
            "coverage" => {
                let listed = self.listed(store).await?;
                let listed = match listed.iter().all(|batch| batch.num_rows() == 0) {
                    true => None,
                    false => Some(listed_scan(listed)?),
                };
                let missing = match self.has_digests(store).await? {
                    true => Some(self.missing(store).await?),
                    false => None,
                };
                coverage::view(self.record_scan(store, "events").await?, listed, missing)?
            }
            "missing" => self.missing(store).await?,
            "listed" => listed_scan(self.listed(store).await?)?,
            "stores" => return memory(stores::rows(&self.all_stores)?),
            name if self.system_tables.iter().any(|table| table.name() == name) => {
                return self.handed_in(name).await;
            }
            _ => return memory(files::rows(&self.files(store).await?)?),
        };
        Ok(Arc::new(ViewTable::new(plan, None)))
    }

    /// Whether a store has digests: where it has none, nothing can be missing.
    async fn has_digests(&self, store: &str) -> Result<bool> {
        let table = self.stores.get(store).and_then(|pin| pin.snapshot.table("digests"));
        match table.filter(|_| !self.without_files) {
            Some(table) => Ok(!table.files().await.map_err(external)?.is_empty()),
            None => Ok(false),
        }
    }

    async fn missing(&self, store: &str) -> Result<LogicalPlan> {
        let (digests, objects) =
            (self.scan(store, "digests").await?, self.scan(store, "objects").await?);
        missing::view(digests, objects, (self.since, self.until))
    }

    /// The rows of `system.listed`.
    async fn listed(&self, store: &str) -> Result<Vec<RecordBatch>> {
        let pin = self.stores.get(store);
        let (Some(pin), Some(looks), false) = (pin, &self.looks, self.without_files) else {
            return listed::rows(&[]);
        };
        let files = self.lake.store_of(pin.info.clone()).looks().await.map_err(external)?;
        let days = looks.days(&files).map_err(DataFusionError::Execution)?;
        listed::rows(&listed::within(days, self.since, self.until))
    }

    /// A table of `system` that whoever runs the engine keeps.
    async fn handed_in(&self, name: &str) -> Result<Arc<dyn TableProvider>> {
        let found = self.system_tables.iter().find(|table| table.name() == name);
        let missing = || DataFusionError::Plan(format!("there is no table `system.{name}`"));
        let table = found.ok_or_else(missing)?;
        if self.without_files {
            return memory(RecordBatch::new_empty(table.schema()));
        }
        if table.is_narrowed() {
            return Ok(Arc::new(Narrowed(Arc::clone(table))));
        }
        memory(table.rows().await.map_err(DataFusionError::Execution)?)
    }

    async fn view(&self, store: &str, table: &str) -> Result<LogicalPlan> {
        let known = views::on_demand(table);
        let hidden: Vec<&str> =
            self.hidden.iter().copied().filter(|name| known.contains(name)).collect();
        let source = views::Source {
            plan: self.record_scan(store, table).await?,
            stored: &self.stored(store, table)?,
            rebuild: &self.rebuild,
            objects: match views::needs_objects(&hidden) {
                true => Some(self.object_keys(store).await?),
                false => None,
            },
        };
        views::view(table, source, &hidden)
    }

    async fn rejects(&self, store: &str) -> Result<LogicalPlan> {
        let keys = self.object_keys(store).await?;
        rejects::view(self.scan(store, "rejects").await?, &self.stored(store, "rejects")?, keys)
    }

    async fn variants(&self, store: &str) -> Result<LogicalPlan> {
        let keys = self.object_keys(store).await?;
        variants::view(self.scan(store, "variants").await?, &self.stored(store, "variants")?, keys)
    }

    async fn object_keys(&self, store: &str) -> Result<LogicalPlan> {
        objects::keys(self.scan(store, "objects").await?, &self.stored(store, "objects")?)
    }

    /// The scan of a record table, narrowed to the session's `--since` and `--until`.
    async fn record_scan(&self, store: &str, table: &str) -> Result<LogicalPlan> {
        let scan = self.scan(store, table).await?;
        if !views::is_record_table(table) {
            return Ok(scan);
        }
        let time = |at: DateTime<Utc>| {
            lit(ScalarValue::TimestampMicrosecond(Some(at.timestamp_micros()), None))
        };
        let column = || Expr::Column(datafusion::common::Column::from_name(views::TIME));
        let since = self.since.map(|since| column().gt_eq(time(since)));
        let until = self.until.map(|until| column().lt(time(until)));
        match [since, until].into_iter().flatten().reduce(Expr::and) {
            Some(range) => LogicalPlanBuilder::from(scan).filter(range)?.build(),
            None => Ok(scan),
        }
    }

    /// The scan of the physical table that `view` is made of.
    pub(crate) async fn scan(&self, store: &str, view: &str) -> Result<LogicalPlan> {
        let table = views::stored_as(view);
        let snapshot = self.snapshot(store, table)?;
        let files = match self.without_files {
            true => Arc::from([]),
            false => snapshot.files().await.map_err(external)?,
        };
        let provider = StoreTable::new(Given {
            name: format!("{store}.{table}"),
            snapshot: snapshot.clone(),
            files,
            time_column: views::time_column(table),
            maps: views::map_columns(view),
            url: lake_url()?,
            meter: Arc::clone(&self.meter),
            scans: Arc::clone(&self.scans),
        });
        LogicalPlanBuilder::scan(table, provider_as_source(Arc::new(provider)), None)?.build()
    }

    fn snapshot(&self, store: &str, table: &str) -> Result<&TableSnapshot> {
        let pin = self.stores.get(store);
        pin.and_then(|pin| pin.snapshot.table(table)).ok_or_else(|| {
            DataFusionError::Plan(format!("the store `{store}` has no table `{table}`"))
        })
    }

    fn stored(&self, store: &str, view: &str) -> Result<SchemaRef> {
        Ok(Arc::clone(self.snapshot(store, views::stored_as(view))?.schema()))
    }

    /// The live files of every table of `store`.
    async fn files(&self, store: &str) -> Result<Vec<(String, Arc<[LiveFile]>)>> {
        let mut all = Vec::new();
        if self.without_files {
            return Ok(all);
        }
        for table in self.stores.get(store).iter().flat_map(|pin| pin.snapshot.tables()) {
            all.push((table.name().to_string(), table.files().await.map_err(external)?));
        }
        Ok(all)
    }

    /// The live files of one table.
    pub(crate) async fn files_of(&self, store: &str, table: &str) -> Result<Arc<[LiveFile]>> {
        self.snapshot(store, table)?.files().await.map_err(external)
    }

    /// The same tables for look-ups of our own, which are not counted as the query's.
    pub(crate) fn unlogged(&self) -> Pins {
        let meter = Arc::new(Meter::new(self.meter.is_of_bucket()));
        Pins { meter, scans: Arc::default(), ..self.clone() }
    }
}

/// Returns the physical tables that statements about `table` of a store read; none: all of them.
pub(crate) fn read_by(schema: &str, table: &str, hidden: &[&str]) -> Option<Vec<&'static str>> {
    let records = ["events", "insights", "aggregated", "digests"];
    Some(match (schema, table) {
        (SYSTEM, "files") => return None,
        (SYSTEM, "coverage") => vec!["events", "digests", "objects"],
        (SYSTEM, "missing") => vec!["digests", "objects"],
        (SYSTEM, "stores" | "listed") | (INFORMATION_SCHEMA, _) => Vec::new(),
        (SYSTEM, table) if !SYSTEM_TABLES.contains(&table) => Vec::new(),
        (_, "objects") => vec!["objects"],
        (_, "rejects") => vec!["rejects", "objects"],
        (_, "variants") => vec!["variants", "objects"],
        (_, view) => {
            let stored = views::stored_as(view);
            let known = views::on_demand(view);
            let hidden: Vec<&str> =
                hidden.iter().copied().filter(|name| known.contains(name)).collect();
            let objects = views::needs_objects(&hidden).then_some("objects");
            records.into_iter().filter(|table| *table == stored).chain(objects).collect()
        }
    })
}

pub(crate) fn external(error: traillake_store::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

fn listed_scan(rows: Vec<RecordBatch>) -> Result<LogicalPlan> {
    let table = Arc::new(MemTable::try_new(listed::schema(), vec![rows])?);
    LogicalPlanBuilder::scan("listed", provider_as_source(table), None)?.build()
}

fn memory(rows: RecordBatch) -> Result<Arc<dyn TableProvider>> {
    Ok(Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]])?))
}
