//! Arithmetic of integers fails out of range, decimals are divided and dates subtracted as in Trino.
//! Constant integers are computed here, so that a comparison of a column with one still prunes.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, cast};
use datafusion::optimizer::AnalyzerRule;

use crate::functions::internal::arithmetic::{are_integers, checked, negated};
use crate::functions::internal::decimals::{are_decimals, divided};

/// Puts functions of ours in the place of operators.
#[derive(Debug)]
pub(super) struct TrinoArithmetic;

impl AnalyzerRule for TrinoArithmetic {
    fn name(&self) -> &str {
        "trino_arithmetic"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        super::rewrite_expressions(plan, &|expr, schema| {
            let found = replaced(&expr, schema);
            Ok(found.map_or(Transformed::no(expr), Transformed::yes))
        })
    }
}

/// Returns what an operator means in Trino; none where DataFusion means the same.
fn replaced(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    use Operator::{Divide, Minus, Modulo, Multiply, Plus};
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if matches!(op, Plus | Minus | Multiply | Divide | Modulo) =>
        {
            let types = [left.get_type(schema).ok()?, right.get_type(schema).ok()?];
            let (left, right) = (left.as_ref().clone(), right.as_ref().clone());
            match op {
                _ if are_integers(&types) => checked(*op, left, right),
                Divide if are_decimals(&types[0], &types[1]) => Some(divided(left, right)),
                Minus if types == [DataType::Date32, DataType::Date32] => {
                    Some(between(left, right))
                }
                _ => None,
            }
        }
        Expr::Negative(value) => {
            let integer = are_integers(&[value.get_type(schema).ok()?]);
            integer.then(|| negated(value.as_ref().clone()))
        }
        _ => None,
    }
}

/// Between dates lies an interval; DataFusion's difference is a number of days.
fn between(left: Expr, right: Expr) -> Expr {
    let midnight = DataType::Timestamp(TimeUnit::Millisecond, None);
    cast(left, midnight.clone()) - cast(right, midnight)
}
