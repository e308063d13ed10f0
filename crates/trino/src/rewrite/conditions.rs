//! Long chains of AND and OR as balanced trees.
//!
//! They mean the same, in the same order and with unknown values too; and whatever walks a balanced
//! tree goes only as deep as the logarithm of the chain's length.

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, Statement, VisitMut, VisitorMut,
};

/// A chain of so many conditions is left as it was written.
const SHORT: usize = 32;

/// Balances every long chain of a statement. Nothing may walk the statement before.
pub(crate) fn balance(statement: &mut Statement) {
    let _: ControlFlow<Infallible> = statement.visit(&mut Balance);
}

struct Balance;

impl VisitorMut for Balance {
    type Break = Infallible;

    /// A chain is met at its last AND or OR first.
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Infallible> {
        let op = match &*expr {
            Expr::BinaryOp { op: op @ (BinaryOperator::And | BinaryOperator::Or), .. }
                if is_long(expr, op) =>
            {
                op.clone()
            }
            _ => return ControlFlow::Continue(()),
        };
        let chain = std::mem::replace(expr, Expr::Identifier(Ident::new("")));
        *expr = balanced(conditions(chain, &op), &op);
        ControlFlow::Continue(())
    }
}

fn is_long(expr: &Expr, of: &BinaryOperator) -> bool {
    let mut rest = expr;
    for _ in 0..SHORT {
        match rest {
            Expr::BinaryOp { left, op, .. } if op == of => rest = left,
            _ => return false,
        }
    }
    true
}

/// The conditions of a chain, the first first.
fn conditions(chain: Expr, of: &BinaryOperator) -> Vec<Expr> {
    let mut found = Vec::new();
    let mut rest = chain;
    loop {
        match rest {
            Expr::BinaryOp { left, op, right } if op == *of => {
                found.push(*right);
                rest = *left;
            }
            first => {
                found.push(first);
                found.reverse();
                return found;
            }
        }
    }
}

/// Joins neighbours until one tree is left.
fn balanced(conditions: Vec<Expr>, op: &BinaryOperator) -> Expr {
    let mut trees = conditions;
    while trees.len() > 1 {
        let mut pairs = Vec::with_capacity(trees.len().div_ceil(2));
        let mut rest = trees.into_iter();
        while let Some(left) = rest.next() {
            pairs.push(match rest.next() {
                Some(right) => {
                    let (left, right) = (Box::new(left), Box::new(right));
                    Expr::BinaryOp { left, op: op.clone(), right }
                }
                None => left,
            });
        }
        trees = pairs;
    }
    trees.pop().unwrap_or_else(|| Expr::Identifier(Ident::new("")))
}
