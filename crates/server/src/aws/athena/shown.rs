//! Under which names do clients look for what a statement shows? Trino's columns are given those of
//! Athena's statements: <https://docs.aws.amazon.com/athena/latest/ug/describe-table.html>,
//! <https://docs.aws.amazon.com/athena/latest/ug/show-tables.html>.

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;

/// Places and names of columns.
type Shown = &'static [(usize, &'static str)];

/// Trino's columns, and which of them Athena shows, under which names. SHOW COLUMNS answers as
/// DESCRIBE does.
const SHOWN: [(&[&str], Shown); 3] = [
    // What is extra about a column is its comment for Athena; comments of others there are none.
    (&["Column", "Type", "Extra", "Comment"], &[(0, "col_name"), (1, "data_type"), (2, "comment")]),
    (&["Table"], &[(0, "tab_name")]),
    (&["Schema"], &[(0, "database_name")]),
];

/// Returns the columns that Athena shows of those.
///
/// # Errors
/// When the schema lacks a column that it has: never.
pub(super) fn schema(of: &SchemaRef) -> Result<SchemaRef, ArrowError> {
    let empty = RecordBatch::new_empty(of.clone());
    Ok(rows(&empty)?.schema())
}

/// Returns the rows with the columns that Athena shows; as they are where Athena says the same.
///
/// # Errors
/// When the batch lacks a column that it has: never.
pub(super) fn rows(of: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = of.schema();
    let names = || schema.fields().iter().map(|field| field.name().as_str());
    let Some((_, shown)) = SHOWN.iter().find(|(trino, _)| names().eq(trino.iter().copied())) else {
        return Ok(of.clone());
    };
    let named = |(place, name): &(usize, &str)| schema.field(*place).clone().with_name(*name);
    let fields: Vec<Field> = shown.iter().map(named).collect();
    let columns = shown.iter().map(|(place, _)| of.column(*place).clone()).collect();
    RecordBatch::try_new(Schema::new(fields).into(), columns)
}
