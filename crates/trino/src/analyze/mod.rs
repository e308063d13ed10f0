//! Plan rules, run before DataFusion's own: the plan still says what the user wrote.

mod calls;
pub(crate) mod compare;
mod compare_rule;
mod lateral_unnest;
mod marks;
mod rows;

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

/// Returns the rules in the order they must run.
pub(crate) fn rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    vec![
        Arc::new(lateral_unnest::LateralUnnest),
        Arc::new(rows::DissolveRows),
        Arc::new(marks::KeepMarks),
        Arc::new(calls::ResolveCalls),
        Arc::new(compare_rule::CompareText),
    ]
}

/// Rewrites every expression of the plan, inner ones first, keeping the names of outputs.
/// `rewrite` sees the schema the expression reads.
pub(crate) fn rewrite_expressions(
    plan: LogicalPlan,
    rewrite: &dyn Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|plan| {
        let schema = merge_schema(&plan.inputs());
        let names = NamePreserver::new(&plan);
        let rewritten = plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let rewritten = expr.transform_up(|expr| rewrite(expr, &schema))?;
            Ok(rewritten.update_data(|expr| name.restore(expr)))
        })?;
        rewritten.map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(rewritten.data)
}
