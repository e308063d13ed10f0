//! Asking the engine what an expression is for given values of its one column.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Field, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::physical_expr::create_physical_expr;

/// Returns `expr` for each of `values` of `column`, none when it has no value for one of them.
pub(super) fn values(expr: &Expr, column: &Column, values: ArrayRef) -> Option<ArrayRef> {
    if expr.is_volatile() {
        return None;
    }
    let field = Field::new("value", values.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let named = expr.clone().transform(|expr| {
        Ok(match expr {
            Expr::Column(found) if found == *column => {
                Transformed::yes(Expr::Column(Column::from_name("value")))
            }
            other => Transformed::no(other),
        })
    });
    let fields = DFSchema::try_from(Arc::clone(&schema)).ok()?;
    let (props, context) = (ExecutionProps::new(), PhysicalPlanningContext::default());
    let physical = create_physical_expr(&named.ok()?.data, &fields, &props, &context).ok()?;
    let count = values.len();
    let batch = RecordBatch::try_new(schema, vec![values]).ok()?;
    physical.evaluate(&batch).ok()?.into_array(count).ok()
}

/// Returns whether `condition` holds for each of `values`.
pub(super) fn truth(condition: &Expr, column: &Column, given: ArrayRef) -> Option<Vec<bool>> {
    let truth = values(condition, column, given)?;
    let truth = truth.as_boolean_opt()?;
    Some(truth.iter().map(|truth| truth == Some(true)).collect())
}

/// Whether `is_one` says so of any part of `expr`.
pub(super) fn mentions(expr: &Expr, is_one: impl Fn(&Expr) -> bool) -> bool {
    expr.exists(|expr| Ok(is_one(expr))).unwrap_or(false)
}
