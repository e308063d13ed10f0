//! One consistent list of files: every table of a store at one token.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::error::{Error, Result};
use crate::input::KnownObject;
use crate::ledger;
use crate::log::{TableLog, TableState};
use crate::round::ledger_of;

/// An older state of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// As of the last round committed at or before this time.
    Time(DateTime<Utc>),
    /// As of this round.
    Token(i64),
}

/// Tables of a store at one token: the ledger's, pinned first.
#[derive(Debug, Clone)]
pub struct StoreSnapshot {
    /// Number of the last round in it; 0 before the first.
    pub token: i64,
    /// When the ledger's last commit was made.
    pub committed_at: Option<DateTime<Utc>>,
    tables: Vec<TableSnapshot>,
}

impl StoreSnapshot {
    pub(crate) fn new(
        token: i64,
        committed_at: Option<DateTime<Utc>>,
        tables: Vec<TableSnapshot>,
    ) -> StoreSnapshot {
        StoreSnapshot { token, committed_at, tables }
    }

    /// The table of that name, where it is one of those that were opened.
    pub fn table(&self, name: &str) -> Option<&TableSnapshot> {
        self.tables.iter().find(|table| table.name() == name)
    }

    /// What the ledger knows about each of `keys` delivered in `month` (`YYYY-MM`; none: objects
    /// without a delivery time), in their order. A key without an answer is new; of one with several
    /// rows the newest answers.
    ///
    /// # Errors
    /// When the ledger is not one of the tables that were opened, or cannot be read.
    pub async fn known(
        &self,
        month: Option<&str>,
        keys: &[&str],
    ) -> Result<Vec<Option<KnownObject>>> {
        let table = ledger_of(self)?;
        let files = table.files().await?;
        let of_month = |file: &&LiveFile| file.partition.as_deref() == month;
        let files: Vec<LiveFile> = files.iter().filter(of_month).cloned().collect();
        ledger::known(table.object_store(), &files, keys).await
    }

    /// Why a file that this snapshot shows is not there: it was replaced and removed since
    /// ([`Error::Outlived`]), or it is lost ([`Error::Corrupt`]). `path` is the file's, possibly
    /// behind that of the lake. None when it is there, or no table of this snapshot has it.
    pub async fn missing(&self, path: &str) -> Option<Error> {
        let within = |table: &TableSnapshot| {
            let found = path.rfind(&format!("{}/", table.prefix()))?;
            Path::parse(&path[found..]).ok()
        };
        let (table, path) = self.tables.iter().find_map(|table| Some((table, within(table)?)))?;
        let shown = table.files().await;
        if !shown.is_ok_and(|files| files.iter().any(|file| file.path == path)) {
            return None;
        }
        if !matches!(
            table.object_store().head(&path).await,
            Err(object_store::Error::NotFound { .. })
        ) {
            return None;
        }
        let files = match table.log.advance(&table.state).await {
            Ok(now) => table.log.files(&now).await,
            Err(error) => return Some(error),
        };
        Some(match files {
            Ok(files) if files.iter().any(|file| file.path == path) => {
                Error::corrupt(format!("`{path}`"), "it is missing")
            }
            Ok(_) => Error::Outlived { path: path.to_string() },
            Err(error) => error,
        })
    }

    /// All tables that were opened, by name.
    pub fn tables(&self) -> &[TableSnapshot] {
        &self.tables
    }
}

/// Checks that tables hold what the ledger's last round made visible in each, as it `told`: those of a
/// lake that was copied or restored piece by piece may lack rounds, and no other look at them would
/// tell. The error says what is missing.
pub(crate) fn check_rounds(
    told: Option<&BTreeMap<String, i64>>,
    tables: &[TableSnapshot],
) -> Result<(), String> {
    for (table, round) in told.into_iter().flatten() {
        let found = tables.iter().find(|found| found.name() == table);
        if let Some(found) = found.filter(|found| found.state().token() != *round) {
            return Err(behind(table, found.state().token(), *round));
        }
    }
    Ok(())
}

/// What to say about a table that lacks rounds.
pub(crate) fn behind(table: &str, found: i64, expected: i64) -> String {
    format!("table `{table}` ends with round {found} and should hold round {expected}")
}

/// A table at one version. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TableSnapshot {
    log: TableLog,
    state: Arc<TableState>,
}

impl TableSnapshot {
    pub(crate) fn new(log: TableLog, state: Arc<TableState>) -> TableSnapshot {
        TableSnapshot { log, state }
    }

    pub(crate) fn log(&self) -> &TableLog {
        &self.log
    }

    pub(crate) fn state(&self) -> &Arc<TableState> {
        &self.state
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.log.name()
    }

    /// The version of its log.
    pub fn version(&self) -> u64 {
        self.state.version()
    }

    /// Its columns, the partition column last.
    pub fn schema(&self) -> &SchemaRef {
        self.state.schema()
    }

    /// The partition column, `YYYY-MM`.
    pub fn partition_column(&self) -> Option<&str> {
        self.state.partition_column()
    }

    /// Where its files are.
    pub fn object_store(&self) -> &Arc<dyn ObjectStore> {
        self.log.objects()
    }

    /// Its folder in [`TableSnapshot::object_store`].
    pub fn prefix(&self) -> &Path {
        self.log.folder()
    }

    /// Its live files, by path. Read from the log once, at the first call.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn files(&self) -> Result<Arc<[LiveFile]>> {
        self.log.files(&self.state).await
    }
}

/// A data file that a snapshot shows.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveFile {
    /// Full path in the snapshot's object store.
    pub path: Path,
    /// Bytes.
    pub size: u64,
    /// Rows.
    pub rows: u64,
    /// Value of the partition column.
    pub partition: Option<String>,
    /// Statistics per column, in the order of the log; a column without any is not among them.
    /// Shared, for the list of all files is copied at every commit.
    pub stats: Arc<[ColumnStats]>,
}

/// Statistics of one column of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnStats {
    /// The column.
    pub column: Arc<str>,
    /// No value is smaller (text: possibly cut short).
    pub min: Option<ScalarStat>,
    /// No value is larger (text: possibly rounded up).
    pub max: Option<ScalarStat>,
    /// Nulls, where counted.
    pub nulls: Option<u64>,
}

/// A value in statistics.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum ScalarStat {
    /// Microseconds since 1970, UTC.
    Time(i64),
    /// Text.
    Text(String),
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
}

impl LiveFile {
    /// The statistics of `column`.
    pub fn stats(&self, column: &str) -> Option<&ColumnStats> {
        self.stats.iter().find(|stats| *stats.column == *column)
    }
}
