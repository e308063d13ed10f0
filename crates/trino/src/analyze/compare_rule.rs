//! Applies [`compare`](super::compare) to what the planner does not hand to an expression planner:
//! BETWEEN, IN, IS DISTINCT FROM and CASE with an operand.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{
    Between, BinaryExpr, Case, Expr, ExprSchemable, LogicalPlan, Operator,
};
use datafusion::optimizer::AnalyzerRule;

use super::compare::{fit, fit_one};
use crate::type_names::trino_type;

/// Fits the sides of comparisons to one type.
#[derive(Debug)]
pub(super) struct CompareText;

impl AnalyzerRule for CompareText {
    fn name(&self) -> &str {
        "compare_text"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        super::rewrite_expressions(plan, &|expr, schema| {
            Ok(match expr {
                Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(op) => {
                    match fit(&left, &right, schema)? {
                        Some((left, right)) => {
                            let fitted = BinaryExpr::new(Box::new(left), op, Box::new(right));
                            Transformed::yes(Expr::BinaryExpr(fitted))
                        }
                        None => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
                    }
                }
                Expr::Between(mut between) => {
                    between.low = fitted(&between.expr, between.low, schema)?;
                    between.high = fitted(&between.expr, between.high, schema)?;
                    let (text, low) = (between.expr.clone(), between.low.clone());
                    between.expr = fitted(&low, text, schema)?;
                    Transformed::yes(Expr::Between(Between { ..between }))
                }
                Expr::InList(InList { expr, list, negated }) => {
                    let list = list
                        .into_iter()
                        .map(|item| fitted(&expr, Box::new(item), schema).map(|item| *item))
                        .collect::<Result<_>>()?;
                    Transformed::yes(Expr::InList(InList { expr, list, negated }))
                }
                Expr::Case(Case { expr: Some(operand), when_then_expr, else_expr }) => {
                    let when_then_expr = when_then_expr
                        .into_iter()
                        .map(|(when, then)| Ok((fitted(&operand, when, schema)?, then)))
                        .collect::<Result<_>>()?;
                    let expr = Some(operand);
                    Transformed::yes(Expr::Case(Case { expr, when_then_expr, else_expr }))
                }
                Expr::Case(case) => {
                    for (condition, _) in &case.when_then_expr {
                        check_condition(condition, schema)?;
                    }
                    Transformed::no(Expr::Case(case))
                }
                other => Transformed::no(other),
            })
        })
    }
}

/// A number is no condition, though DataFusion takes any but 0 for true.
fn check_condition(condition: &Expr, schema: &DFSchema) -> Result<()> {
    match condition.to_field(schema) {
        Ok((_, field)) if field.data_type().is_numeric() => {
            plan_err!("a condition is a boolean, not {}", trino_type(&field))
        }
        _ => Ok(()),
    }
}

fn fitted(value: &Expr, other: Box<Expr>, schema: &DFSchema) -> Result<Box<Expr>> {
    let (Ok(value_type), Ok(other_type)) = (value.get_type(schema), other.get_type(schema)) else {
        return Ok(other);
    };
    Ok(fit_one(value, &value_type, &other, &other_type)?.map_or(other, Box::new))
}

pub(super) fn compares(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}
