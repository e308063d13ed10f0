//! INTERSECT ALL and EXCEPT ALL: DataFusion asks only whether a row stands on the other side, not
//! how often. The copies of a row are numbered on both sides, and the numbers compared too.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, NullEquality, Result};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, Join, JoinType, LogicalPlan, LogicalPlanBuilder,
};
use datafusion::optimizer::AnalyzerRule;

/// The name of the column of numbers.
const COPY: &str = "$copy";

/// Numbers the copies of rows.
#[derive(Debug)]
pub(super) struct CountCopies;

impl AnalyzerRule for CountCopies {
    fn name(&self) -> &str {
        "count_copies"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|plan| match &plan {
            LogicalPlan::Join(join) if compares_rows(join) => {
                numbered_join(join).map(Transformed::yes)
            }
            _ => Ok(Transformed::no(plan)),
        })?;
        plan.map_data(LogicalPlan::recompute_schema).map(|plan| plan.data)
    }
}

/// Only set operations join with NULLs being equal; without ALL the left side is distinct.
fn compares_rows(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
        && join.null_equality == NullEquality::NullEqualsNull
        && !matches!(join.left.as_ref(), LogicalPlan::Distinct(_))
}

fn numbered_join(join: &Join) -> Result<LogicalPlan> {
    let outputs: Vec<Expr> = join.left.schema().columns().into_iter().map(Expr::Column).collect();
    let sides = |plan: &Arc<LogicalPlan>| {
        let columns = plan.schema().columns();
        let all: Vec<Expr> = columns.iter().cloned().map(Expr::Column).collect();
        let number = row_number().partition_by(all).build()?.alias(COPY);
        let numbered = LogicalPlanBuilder::from(plan.as_ref().clone()).window(vec![number])?;
        let keys = columns.into_iter().chain([Column::new_unqualified(COPY)]).collect();
        Ok::<(LogicalPlan, Vec<Column>), datafusion::error::DataFusionError>((
            numbered.build()?,
            keys,
        ))
    };
    let ((left, left_keys), (right, right_keys)) = (sides(&join.left)?, sides(&join.right)?);
    LogicalPlanBuilder::from(left)
        .join_detailed(
            right,
            join.join_type,
            (left_keys, right_keys),
            None,
            NullEquality::NullEqualsNull,
        )?
        .project(outputs)?
        .build()
}
