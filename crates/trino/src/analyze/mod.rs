//! Plan rules, run before DataFusion's own: the plan still says what the user wrote.

mod ambiguous;
mod arithmetic;
mod calls;
mod chain;
pub(crate) mod compare;
mod compare_rule;
mod elements;
mod intervals;
mod lateral_unnest;
mod marks;
mod rows;
mod set_operations;
mod subquery_values;
mod total;
mod unnest_subquery;
mod windows;
mod zones;

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
        Arc::new(ambiguous::RefuseAmbiguous),
        Arc::new(lateral_unnest::LateralUnnest),
        Arc::new(unnest_subquery::UnnestSubquery),
        Arc::new(subquery_values::SubqueryValues),
        Arc::new(set_operations::AlikeSides),
        Arc::new(set_operations::CountCopies),
        Arc::new(rows::DissolveRows),
        Arc::new(marks::KeepMarks),
        Arc::new(calls::ResolveCalls),
        Arc::new(zones::MeetInUtc),
        Arc::new(compare_rule::CompareText),
        Arc::new(arithmetic::TrinoArithmetic),
        Arc::new(intervals::CompareIntervals),
        Arc::new(windows::CheckOffsets),
    ]
}

/// Rewrites every expression of the plan, inner ones first, keeping the names of outputs.
/// `rewrite` sees the schema the expression reads.
pub(crate) fn rewrite_expressions(
    plan: LogicalPlan,
    rewrite: &dyn Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
) -> Result<LogicalPlan> {
    rewrite_by_place(plan, &|expr, schema, _| rewrite(expr, schema))
}

/// What [`rewrite_by_place`] does with each expression.
type RewriteByPlace<'a> = dyn Fn(Expr, &DFSchema, Place) -> Result<Transformed<Expr>> + 'a;

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The condition of a WHERE or HAVING.
    Filter,
    /// Anywhere else.
    Value,
}

/// As [`rewrite_expressions`]; `rewrite` also sees where the expression stands.
pub(crate) fn rewrite_by_place(
    plan: LogicalPlan,
    rewrite: &RewriteByPlace<'_>,
) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|plan| {
        let schema = merge_schema(&plan.inputs());
        let place = match plan {
            LogicalPlan::Filter(_) => Place::Filter,
            _ => Place::Value,
        };
        let names = NamePreserver::new(&plan);
        let rewritten = plan.map_expressions(|expr| {
            keep_names(expr, &names, &|expr| expr.transform_up(|e| rewrite(e, &schema, place)))
        })?;
        rewritten.map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(rewritten.data)
}

/// Rewrites an expression of a plan under its name. Of grouping sets every member is an output.
pub(crate) fn keep_names(
    expr: Expr,
    names: &NamePreserver,
    rewrite: &dyn Fn(Expr) -> Result<Transformed<Expr>>,
) -> Result<Transformed<Expr>> {
    if matches!(expr, Expr::GroupingSet(_)) {
        return expr.map_children(|member| keep_names(member, names, rewrite));
    }
    let name = names.save(&expr);
    Ok(rewrite(expr)?.update_data(|expr| name.restore(expr)))
}
