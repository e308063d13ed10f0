//! Arithmetic of integers fails out of range, as Trino's does, and decimals are divided as Trino does
//! it. Constant integers are computed here, so that a comparison of a column with one still prunes.

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator};
use datafusion::optimizer::AnalyzerRule;

use crate::functions::internal::arithmetic::{are_integers, checked, negated};
use crate::functions::internal::decimals::{are_decimals, divided};

/// Puts functions of ours in the place of operators between integers, and between decimals.
#[derive(Debug)]
pub(super) struct TrinoArithmetic;

impl AnalyzerRule for TrinoArithmetic {
    fn name(&self) -> &str {
        "trino_arithmetic"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        super::rewrite_expressions(plan, &|expr, schema| {
            let found = match &expr {
                Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                    let (Ok(left_type), Ok(right_type)) =
                        (left.get_type(schema), right.get_type(schema))
                    else {
                        return Ok(Transformed::no(expr));
                    };
                    let operands = || (left.as_ref().clone(), right.as_ref().clone());
                    if *op == Operator::Divide && are_decimals(&left_type, &right_type) {
                        let (left, right) = operands();
                        Some(divided(left, right))
                    } else if are_integers(&[left_type, right_type]) {
                        let (left, right) = operands();
                        checked(*op, left, right)
                    } else {
                        None
                    }
                }
                Expr::Negative(value) => {
                    let integer = value.get_type(schema).is_ok_and(|kind| are_integers(&[kind]));
                    integer.then(|| negated(value.as_ref().clone()))
                }
                _ => None,
            };
            Ok(found.map_or(Transformed::no(expr), Transformed::yes))
        })
    }
}
