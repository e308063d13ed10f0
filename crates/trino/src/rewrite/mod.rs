//! What Trino writes, as DataFusion's planner wants it; one rewrite a file.
//!
//! One walk over the syntax tree keeps track of the relations and lambda parameters in scope and
//! hands every query, select and expression to the rewrites below.

mod aggregates;
mod calls;
mod casts;
mod comparisons;
pub(crate) mod conditions;
mod fields;
pub(crate) mod headers;
pub(crate) mod json_calls;
mod limits;
mod literals;
pub(crate) mod mistakes;
pub(crate) mod parameters;
pub(crate) mod recognise;
mod scope;
pub(crate) mod tables;
pub(crate) mod tree;
mod unsupported;
mod using;
mod wildcards;
mod windows;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, LambdaFunction, OneOrManyWithParens, Query, Select, Spanned, Statement,
    TableFactor, Value, VisitMut, VisitorMut,
};

use crate::tokens::Typed;
use crate::{Names, SqlError};

use scope::Scope;

/// Names of the functions that rewrites introduce; no user can type them.
pub(crate) mod internal {
    /// `row.name`, `map.name`.
    pub(crate) const FIELD: &str = "$field";
    /// `array[i]`, `map[k]`.
    pub(crate) const SUBSCRIPT: &str = "$subscript";
    /// `CAST(x AS type)`; the second argument is the type's name.
    pub(crate) const CAST: &str = "$cast";
    /// `TRY_CAST(x AS type)`.
    pub(crate) const TRY_CAST: &str = "$try_cast";
}

/// Applies all rewrites.
pub(crate) fn apply(
    statement: &mut Statement,
    typed: &Typed,
    names: &Names,
    notes: &mut Vec<String>,
) -> Result<(), SqlError> {
    let mut rewriter = Rewriter { typed, names, notes, scope: Scope::default() };
    match statement.visit(&mut rewriter) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

/// Returns the note on a comparison with NULL, which is never true.
fn never_true(expr: &Expr) -> Option<String> {
    let Expr::BinaryOp { left, op, right } = expr else { return None };
    let is_null = |side: &Expr| matches!(side, Expr::Value(v) if v.value == Value::Null);
    let value = match (is_null(left), is_null(right)) {
        (false, true) => left,
        (true, false) => right,
        _ => return None,
    };
    let instead = match op {
        BinaryOperator::Eq => "IS NULL",
        BinaryOperator::NotEq => "IS NOT NULL",
        _ => return None,
    };
    let line = value.span().start.line;
    Some(format!("line {line}: `{value} {op} NULL` is never true; write `{value} {instead}`"))
}

struct Rewriter<'a> {
    typed: &'a Typed,
    names: &'a Names,
    notes: &'a mut Vec<String>,
    scope: Scope,
}

type Flow = ControlFlow<Box<SqlError>>;

fn flow(outcome: Result<(), SqlError>) -> Flow {
    match outcome {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(Box::new(error)),
    }
}

impl VisitorMut for Rewriter<'_> {
    type Break = Box<SqlError>;

    fn pre_visit_query(&mut self, query: &mut Query) -> Flow {
        self.scope.enter_query(query);
        headers::name_values(query);
        limits::order_distinct_by_place(query);
        flow(unsupported::query(query).and_then(|()| limits::rewrite(query)))
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> Flow {
        self.scope.leave_query();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> Flow {
        self.scope.enter_select(select);
        // Before names that stand twice get others.
        let supported = unsupported::select(select);
        headers::name_items(select, &self.scope);
        limits::flatten_groups(select);
        let written_out = supported.and_then(|()| wildcards::rewrite(select));
        flow(written_out.and_then(|()| windows::rewrite(select)))
    }

    fn post_visit_select(&mut self, _select: &mut Select) -> Flow {
        self.scope.leave_select();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> Flow {
        flow(unsupported::table(factor))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        if let Expr::Lambda(lambda) = expr {
            keep_case(lambda);
            self.scope.enter_lambda(lambda);
        }
        self.notes.extend(never_true(expr));
        calls::name_units(expr);
        let supported = unsupported::expr(expr);
        let rewritten = supported.and_then(|()| fields::rewrite(expr, &self.scope, self.typed));
        using::rewrite(expr, &self.scope);
        flow(rewritten)
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        if matches!(expr, Expr::Lambda(_)) {
            self.scope.leave_lambda();
        }
        let rewritten = literals::rewrite(expr)
            .and_then(|()| comparisons::rewrite(expr))
            .and_then(|()| casts::rewrite(expr))
            .and_then(|()| aggregates::rewrite(expr))
            .and_then(|()| calls::rewrite(expr, self.names, self.notes));
        flow(rewritten)
    }
}

/// Quotes the parameters: the planner folds their case where they are declared without quotes, and
/// nowhere where they are used.
fn keep_case(lambda: &mut LambdaFunction) {
    let params = match &mut lambda.params {
        OneOrManyWithParens::One(param) => std::slice::from_mut(param),
        OneOrManyWithParens::Many(params) => params.as_mut_slice(),
    };
    params.iter_mut().for_each(|param| param.name.quote_style = Some('"'));
}
