//! Second, differing copies of a record, whole.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, Int64Builder, ListBuilder, RecordBatch,
    StringArray, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{DateTime, Utc};

use super::{batch, time, times};
use crate::error::Result;
use crate::spec::{Identity, StoreSpec, TableSpec};

/// The table of variants. Its key columns and its partition are those of the main record table, so
/// that variants are found, and one day dropped, together with the rows they differ from.
pub(crate) fn variants_table(spec: &StoreSpec) -> Option<TableSpec> {
    let main = spec.records.first()?;
    let identity = main.identity?;
    Some(TableSpec {
        name: "variants",
        schema: schema(&identity),
        partition: main.partition,
        time_column: Some(identity.columns[2]),
        sort: &[],
        bloom: &[],
        stats: &[],
        identity: None,
    })
}

fn schema(identity: &Identity) -> SchemaRef {
    let [id, account, event_time] = identity.columns;
    Arc::new(Schema::new(vec![
        Field::new(id, DataType::Utf8, true),
        Field::new(account, DataType::Utf8, true),
        Field::new(event_time, time(), true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("object_id", DataType::Int64, false),
        Field::new("index", DataType::Int64, false),
        Field::new("record", DataType::Binary, false),
        Field::new("paths", DataType::List(path()), false),
        Field::new("committed_at", time(), false),
    ]))
}

fn path() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Utf8, false))
}

/// A variant.
pub(crate) struct VariantRow<'a> {
    /// Id, account and time.
    pub key: (Option<&'a str>, Option<&'a str>, Option<i64>),
    /// The object it was read from.
    pub object_id: i64,
    /// Its position there.
    pub index: i64,
    /// Its bytes.
    pub record: &'a [u8],
    /// Paths at which it differs from the stored row.
    pub paths: Vec<String>,
}

/// Variants found in one record table.
#[derive(Debug)]
pub(crate) struct VariantRows {
    table: &'static str,
    ids: StringBuilder,
    accounts: StringBuilder,
    times: TimestampMicrosecondBuilder,
    objects: Int64Builder,
    indexes: Int64Builder,
    records: BinaryBuilder,
    paths: ListBuilder<StringBuilder>,
    rows: usize,
}

/// The columns of stored variants that a comparison needs.
pub(crate) struct VariantColumns {
    /// The record table each belongs to.
    pub tables: StringArray,
    /// Their bytes.
    pub records: BinaryArray,
}

impl VariantRows {
    /// No variants yet of records of `table`.
    pub fn of(table: &'static str) -> VariantRows {
        VariantRows {
            table,
            ids: StringBuilder::new(),
            accounts: StringBuilder::new(),
            times: TimestampMicrosecondBuilder::new(),
            objects: Int64Builder::new(),
            indexes: Int64Builder::new(),
            records: BinaryBuilder::new(),
            paths: ListBuilder::new(StringBuilder::new()).with_field(path()),
            rows: 0,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Adds one.
    pub fn push(&mut self, row: VariantRow<'_>) {
        let (id, account, time) = row.key;
        self.ids.append_option(id);
        self.accounts.append_option(account);
        self.times.append_option(time);
        self.objects.append_value(row.object_id);
        self.indexes.append_value(row.index);
        self.records.append_value(row.record);
        self.paths.append_value(row.paths.into_iter().map(Some));
        self.rows += 1;
    }

    /// Their rows.
    ///
    /// # Errors
    /// [`crate::Error::Input`] when they do not fit a batch.
    pub fn into_rows(
        mut self,
        identity: &Identity,
        committed_at: DateTime<Utc>,
    ) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.ids.finish()),
            Arc::new(self.accounts.finish()),
            Arc::new(self.times.finish().with_timezone("UTC")),
            Arc::new(StringArray::from(vec![self.table; self.rows])),
            Arc::new(self.objects.finish()),
            Arc::new(self.indexes.finish()),
            Arc::new(self.records.finish()),
            Arc::new(self.paths.finish()),
            times((0..self.rows).map(|_| Some(committed_at))),
        ];
        batch(&schema(identity), columns)
    }

    /// The columns of a batch of stored variants; none when it is not one.
    pub fn columns(batch: &RecordBatch) -> Option<VariantColumns> {
        let tables = batch.column_by_name("table_name")?.as_string_opt::<i32>()?.clone();
        let records = batch.column_by_name("record")?.as_binary_opt::<i32>()?.clone();
        (tables.null_count() == 0 && records.null_count() == 0)
            .then_some(VariantColumns { tables, records })
    }
}
