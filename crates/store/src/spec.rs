//! What a store is made of: its tables, as the caller describes them.

use arrow::datatypes::SchemaRef;

/// A table of a store.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// Name, also its folder.
    pub name: &'static str,
    /// Physical columns, without the partition column.
    pub schema: SchemaRef,
    /// Partition column: a month, `YYYY-MM` in UTC; of `time_column` where there is one.
    pub partition: Option<&'static str>,
    /// Timestamp column (microseconds) that slices and partitions are made from. Without one a
    /// file is a single run in the order of `sort`.
    pub time_column: Option<&'static str>,
    /// Sort order inside a slice, ascending, nulls last.
    pub sort: &'static [&'static str],
    /// Columns with a bloom filter.
    pub bloom: &'static [&'static str],
    /// Columns with statistics in the log.
    pub stats: &'static [&'static str],
    /// What makes two rows the same record; none for plain tables.
    pub identity: Option<Identity>,
}

impl TableSpec {
    /// The columns with statistics in the log: those asked for, and always the time column.
    pub fn stats_columns(&self) -> Vec<&'static str> {
        let time = self.time_column.filter(|time| !self.stats.contains(time));
        time.into_iter().chain(self.stats.iter().copied()).collect()
    }
}

/// What makes two rows the same record.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// Id, account and time columns.
    pub columns: [&'static str; 3],
    /// Hash of the record's bytes (int64).
    pub fingerprint: &'static str,
}

/// The column of every record table that holds the object a row was read from (int64): its ordinal
/// in a round's input, its id once stored.
pub const OBJECT: &str = "_object";

/// The column of every record table that holds the position of a row's record in its object.
pub const INDEX: &str = "_index";

/// The tables of a store.
#[derive(Debug, Clone)]
pub struct StoreSpec {
    /// Record tables; the first is the main one, whose commit is the commit of a round.
    pub records: Vec<TableSpec>,
    /// Tables without identity.
    pub plain: Vec<TableSpec>,
}
