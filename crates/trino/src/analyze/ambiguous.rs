//! `SELECT x FROM (SELECT 1 AS x, 2 AS x)`: which of the two is meant cannot be told.
//!
//! Names that stand twice in a SELECT got different ones (`rewrite::headers`), so DataFusion would
//! take the first. The names they got cannot be typed: what reads all of them is a `*`, or an
//! operator that takes whole rows, and need not choose.

use std::collections::BTreeSet;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, DFSchema, Diagnostic, Result, plan_datafusion_err};
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::optimizer::AnalyzerRule;

use crate::rewrite::headers::REPEATED;

/// Refuses names that several columns of a subquery have.
#[derive(Debug)]
pub(super) struct RefuseAmbiguous;

impl AnalyzerRule for RefuseAmbiguous {
    fn name(&self) -> &str {
        "refuse_ambiguous"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.apply_with_subqueries(|node| check(node).map(|()| TreeNodeRecursion::Continue))?;
        Ok(plan)
    }
}

fn check(node: &LogicalPlan) -> Result<()> {
    let schema = merge_schema(&node.inputs());
    // ORDER BY may name what a SELECT reads, or a place, as well as what it gives.
    let sorts = matches!(node, LogicalPlan::Sort(_));
    if sorts || !schema.fields().iter().any(|field| field.name().contains(REPEATED)) {
        return Ok(());
    }
    let mut read: BTreeSet<Column> = BTreeSet::new();
    node.apply_expressions(|expr| {
        read.extend(expr.column_refs().into_iter().cloned());
        Ok(TreeNodeRecursion::Continue)
    })?;
    let ambiguous =
        |column: &&Column| !others(column, &schema).iter().all(|other| read.contains(other));
    let Some(column) = read.iter().find(ambiguous) else { return Ok(()) };
    let message = format!("column `{}` is ambiguous: two columns have that name", column.name);
    let diagnostic = Diagnostic::new_error(message.clone(), column.spans().first());
    Err(plan_datafusion_err!("{message}; give one of them another: `x AS y`")
        .with_diagnostic(diagnostic))
}

/// The other columns of the name: of the same relation, or of a SELECT without a name, whose first
/// column keeps the relation that it comes from.
fn others(column: &Column, schema: &DFSchema) -> Vec<Column> {
    let repeated = format!("{}{REPEATED}", column.name);
    let mut columns = schema.columns();
    columns.retain(|other| {
        let near = other.relation.is_none() || other.relation == column.relation;
        near && other.name.starts_with(&repeated)
    });
    columns
}
