//! Days of Athena's partition columns beside text: `2026/03/11`, as keys spell them.
//!
//! Tables whose partitions were added by hand spell days with dashes, and so do the questions kept
//! for them. As text every day with slashes comes after every one with dashes of its year, so such a
//! question would be answered with the wrong days; dashes beside these columns are read as slashes.

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, LogicalPlan, lit};

use super::time_text::{TimeForm, written};

/// Returns `plan` with the constants that days are compared with spelled as the days are.
///
/// # Errors
/// When a rewritten node no longer fits, which would be a fault of this module.
pub(crate) fn with_slashes(plan: LogicalPlan) -> Result<LogicalPlan> {
    let spelled = plan.transform_up_with_subqueries(|plan| {
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let spelled = expr.transform_up(|expr| Ok(spell(expr)))?;
            Ok(spelled.update_data(|expr| name.restore(expr)))
        })
    })?;
    Ok(spelled.data)
}

fn spell(expr: Expr) -> Transformed<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_day(&left) || is_day(&right) => {
            let (left, right) = (Box::new(slashed(*left)), Box::new(slashed(*right)));
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        Expr::Between(between) if is_day(&between.expr) => {
            let (low, high) = (Box::new(slashed(*between.low)), Box::new(slashed(*between.high)));
            Transformed::yes(Expr::Between(Between { low, high, ..between }))
        }
        Expr::InList(mut list) if is_day(&list.expr) => {
            list.list = list.list.into_iter().map(slashed).collect();
            Transformed::yes(Expr::InList(list))
        }
        other => Transformed::no(other),
    }
}

fn is_day(expr: &Expr) -> bool {
    written(expr).is_some_and(|(_, form)| form == TimeForm::Date)
}

fn slashed(constant: Expr) -> Expr {
    match &constant {
        Expr::Literal(value, _) => match value.try_as_str() {
            Some(Some(text)) if text.contains('-') => lit(text.replace('-', "/")),
            _ => constant,
        },
        expr if !expr.column_refs().is_empty() || expr.is_volatile() => constant,
        _ => match traillake_trino::functions::named("replace") {
            Some(replace) => replace.call(vec![constant, lit("-"), lit("/")]),
            None => constant,
        },
    }
}
