//! `system`: what the lake knows about itself. One table a file.

pub(crate) mod coverage;
pub(crate) mod files;
pub(crate) mod information_schema;
pub(crate) mod listed;
pub(crate) mod missing;
pub(crate) mod objects;
pub(crate) mod rejects;
pub(crate) mod stores;
mod text;
pub(crate) mod variants;

use arrow::datatypes::SchemaRef;
use datafusion::common::Column;
use datafusion::logical_expr::Expr;

/// The column `name`.
fn column(name: &str) -> Expr {
    Expr::from(Column::from_name(name))
}

/// Those of `names` that the table has, as columns.
fn columns(stored: &SchemaRef, names: &[&str]) -> Vec<Expr> {
    let known = names.iter().filter(|name| stored.field_with_name(name).is_ok());
    known.map(|name| column(name)).collect()
}
