//! What an engine is told: where it looks, its limits, and the tables and names beside the lake's.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use traillake_store::{At, Look, StoreSpec};

use crate::Rebuild;
use crate::error::{Error, Result};
use crate::resolve::STORE_TABLES;

/// What an engine is told.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The store in which names without a schema are looked up.
    pub store: String,
    /// Memory that all queries together may use; beyond it they spill.
    pub memory_bytes: u64,
    /// The folder they spill into.
    pub temp_dir: PathBuf,
    /// The longest a query may take.
    pub timeout: Option<Duration>,
    /// The most rows an answer may have.
    pub rows_max: Option<u64>,
    /// An older state of the lake.
    pub at: Option<At>,
    /// The present: what `now()` says.
    pub now: DateTime<Utc>,
    /// Only records at or after this time.
    pub since: Option<DateTime<Utc>>,
    /// Only records before this time.
    pub until: Option<DateTime<Utc>>,
    /// How original bytes come back from a row.
    pub rebuild: Arc<dyn Rebuild>,
    /// What was looked at to fill a store. None: nobody can tell.
    pub looks: Option<Arc<dyn Looks>>,
    /// Tables beside the lake.
    pub lookups: Vec<Lookup>,
    /// Tables of `system` beside the lake's own.
    pub system_tables: Vec<Arc<dyn SystemTable>>,
    /// Further names of the lake's tables.
    pub aliases: Vec<Alias>,
    /// Threads a query may keep busy.
    pub partitions: usize,
    /// The tables of a store as this version makes them: those that a statement does not name are
    /// then not opened. None: all are.
    pub outline: Option<StoreSpec>,
}

/// What one statement is asked with.
#[derive(Debug, Clone)]
pub struct QueryLimits {
    /// The present: what `now()` says.
    pub now: DateTime<Utc>,
    /// The longest it may take.
    pub timeout: Option<Duration>,
    /// The most rows its answer may have.
    pub rows_max: Option<u64>,
    /// The schema that bare names are looked for in before the store: `system` or
    /// `information_schema`. Any other is as none.
    pub schema: Option<String>,
    /// The right to use a thread; kept until no thread plans the statement any more, which may be
    /// after it was given up.
    pub turn: Option<Arc<dyn Any + Send + Sync>>,
}

/// What it means that somebody looked at places that logs come from.
pub trait Looks: std::fmt::Debug + Send + Sync {
    /// Returns the days that are known, given all that a lake keeps of a store
    /// ([`traillake_store::Store::looks`]): each day of an account and region at most once.
    ///
    /// # Errors
    /// Why it cannot be read, in a sentence.
    fn days(&self, files: &[Look]) -> std::result::Result<Vec<ListedDays>, String>;
}

/// Days that follow one another, of one account and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDays {
    /// The account.
    pub account: String,
    /// The region; none where the account's regions are not known.
    pub region: Option<String>,
    /// The first day.
    pub first_day: NaiveDate,
    /// The last day.
    pub last_day: NaiveDate,
    /// Whether all that was delivered of these days was listed.
    pub listed: bool,
}

/// A table of `system` that whoever runs the engine keeps, such as a server its queries.
#[async_trait]
pub trait SystemTable: std::fmt::Debug + Send + Sync {
    /// Its name, in lower case.
    fn name(&self) -> &'static str;

    /// Its columns.
    fn schema(&self) -> SchemaRef;

    /// Its rows as they are now.
    ///
    /// # Errors
    /// Why they cannot be had, in a sentence.
    async fn rows(&self) -> std::result::Result<RecordBatch, String>;

    /// Whether [`SystemTable::rows_of`] reads less than all.
    fn is_narrowed(&self) -> bool {
        false
    }

    /// Its rows as they are now: those that are wanted, and others or not.
    ///
    /// # Errors
    /// As [`SystemTable::rows`].
    async fn rows_of(&self, _wanted: &Wanted) -> std::result::Result<RecordBatch, String> {
        self.rows().await
    }
}

/// Which rows of a [`SystemTable`] a statement wants: those for which all of this holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Columns of text, each with what it has to be equal to.
    pub equal: Vec<(String, String)>,
    /// Columns of times, each with the first microsecond that it may have.
    pub from: Vec<(String, i64)>,
    /// Columns of times, each with the last microsecond that it may have.
    pub until: Vec<(String, i64)>,
    /// How many are enough; none: all are wanted.
    pub limit: Option<usize>,
}

/// A table handed in.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// Its name in statements.
    pub name: String,
    /// Its rows, at least one batch (which may be empty), all of one schema.
    pub batches: Vec<RecordBatch>,
}

impl Lookup {
    pub(crate) fn provider(&self) -> std::result::Result<Arc<dyn TableProvider>, DataFusionError> {
        let Some(first) = self.batches.first() else {
            return Err(DataFusionError::Plan(format!("the table `{}` has no columns", self.name)));
        };
        Ok(Arc::new(MemTable::try_new(first.schema(), vec![self.batches.clone()])?))
    }
}

/// A further name of a table, for statements that were written for another place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The name, with its database where it has one: `security.trail`.
    pub name: String,
    /// The table it means, as a statement would name it: `cloudtrail_logs`, `archive.events`.
    pub table: String,
}

/// Returns the names of the tables handed in.
///
/// # Errors
/// A name that the lake or another of them has; a table without columns.
pub(crate) fn names_of(lookups: &[Lookup]) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for lookup in lookups {
        let refused =
            |reason: &str| Error::Lookup { name: lookup.name.clone(), reason: reason.to_string() };
        let is = |name: &str| name.eq_ignore_ascii_case(&lookup.name);
        if STORE_TABLES.iter().any(|name| is(name)) {
            return Err(refused("the lake has a table of that name"));
        }
        if names.iter().any(|name| is(name)) {
            return Err(refused("two tables have that name"));
        }
        if lookup.batches.is_empty() {
            return Err(refused("it has no columns"));
        }
        names.push(lookup.name.clone());
    }
    Ok(names)
}
