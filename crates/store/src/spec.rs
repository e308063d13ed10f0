//! What a store is made of: its tables, as the caller describes them.

use arrow::datatypes::SchemaRef;

/// A table of a store.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// Name, also its folder.
    pub name: &'static str,
    /// Physical columns, without the partition column.
    pub schema: SchemaRef,
    /// Partition column: the month (`YYYY-MM`, UTC) of `time_column`.
    pub partition: Option<&'static str>,
    /// Timestamp column that slices and partitions are made from.
    pub time_column: Option<&'static str>,
    /// Sort order inside a slice.
    pub sort: &'static [&'static str],
    /// Columns with a bloom filter.
    pub bloom: &'static [&'static str],
    /// Columns with statistics in the log.
    pub stats: &'static [&'static str],
    /// What makes two rows the same record; none for plain tables.
    pub identity: Option<Identity>,
}

/// What makes two rows the same record.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// Id, account and time columns.
    pub columns: [&'static str; 3],
    /// Hash of the record's bytes (int64).
    pub fingerprint: &'static str,
}

/// The tables of a store.
#[derive(Debug, Clone)]
pub struct StoreSpec {
    /// Record tables; the first is the main one, whose commit is the commit of a round.
    pub records: Vec<TableSpec>,
    /// Tables without identity.
    pub plain: Vec<TableSpec>,
}
