//! `information_schema`: the standard's tables about tables, with Trino's type names.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, exec_err};
use traillake_trino::type_names::trino_type;

use crate::directory::Directory;
use crate::resolve::CATALOG;

/// The columns of `table`.
pub(crate) fn schema(table: &str) -> SchemaRef {
    let text = |name: &&str| Field::new(*name, DataType::Utf8View, true);
    let names: &[&str] = match table {
        "schemata" => &["catalog_name", "schema_name"],
        "tables" => &["table_catalog", "table_schema", "table_name", "table_type"],
        _ => &[
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "is_nullable",
            "data_type",
        ],
    };
    let mut fields: Vec<Field> = names.iter().map(text).collect();
    if table == "columns" {
        fields.insert(4, Field::new("ordinal_position", DataType::Int64, true));
    }
    Arc::new(Schema::new(fields))
}

/// The rows of `table`.
///
/// # Errors
/// When there is no such table, or its columns do not fit.
pub(crate) fn rows(table: &str, directory: &Directory) -> Result<RecordBatch> {
    let columns = match table {
        "schemata" => vec![
            constant(CATALOG, directory.schemas().count()),
            texts(directory.schemas().map(str::to_string)),
        ],
        "tables" => {
            let tables = || directory.tables();
            vec![
                constant(CATALOG, tables().count()),
                texts(tables().map(|table| table.schema.clone())),
                texts(tables().map(|table| table.name.clone())),
                constant("BASE TABLE", tables().count()),
            ]
        }
        "columns" => {
            let cells = || {
                directory.tables().flat_map(|table| {
                    table
                        .columns
                        .fields()
                        .iter()
                        .enumerate()
                        .map(move |(at, field)| (table, at, field))
                })
            };
            vec![
                constant(CATALOG, cells().count()),
                texts(cells().map(|(table, ..)| table.schema.clone())),
                texts(cells().map(|(table, ..)| table.name.clone())),
                texts(cells().map(|(.., field)| field.name().clone())),
                Arc::new(cells().map(|(_, at, _)| at as i64 + 1).collect::<Int64Array>()),
                constant("YES", cells().count()),
                texts(cells().map(|(.., field)| trino_type(field))),
            ]
        }
        other => return exec_err!("there is no table `information_schema.{other}`"),
    };
    Ok(RecordBatch::try_new(schema(table), columns)?)
}

fn texts(values: impl Iterator<Item = String>) -> ArrayRef {
    Arc::new(StringViewArray::from_iter_values(values))
}

fn constant(value: &str, rows: usize) -> ArrayRef {
    Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(value, rows)))
}
