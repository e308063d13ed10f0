//! Intervals are compared by how long they are: DataFusion compares days first and then the rest,
//! so that 48 hours are less than a day.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

use super::compare_rule::compares;
use crate::functions::internal::interval_length::length;

/// Compares the lengths of intervals.
#[derive(Debug)]
pub(super) struct CompareIntervals;

impl AnalyzerRule for CompareIntervals {
    fn name(&self) -> &str {
        "compare_intervals"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        super::rewrite_expressions(plan, &|expr, schema| {
            let intervals = |parts: &[&Expr]| parts.iter().all(|part| is_interval(part, schema));
            let compared = match &expr {
                Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                    compares(*op) && intervals(&[left, right])
                }
                Expr::Between(Between { expr, low, high, .. }) => intervals(&[expr, low, high]),
                Expr::InList(InList { expr, list, .. }) => {
                    is_interval(expr, schema) && list.iter().all(|item| is_interval(item, schema))
                }
                _ => false,
            };
            match compared {
                true => expr.map_children(|part| Ok(Transformed::yes(length(part)))),
                false => Ok(Transformed::no(expr)),
            }
        })
    }
}

fn is_interval(expr: &Expr, schema: &DFSchema) -> bool {
    let data_type = expr.get_type(schema);
    matches!(data_type, Ok(DataType::Interval(_) | DataType::Duration(_)))
}
