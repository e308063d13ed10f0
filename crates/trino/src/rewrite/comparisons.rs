//! Comparisons that DataFusion does not plan, or plans otherwise: with ANY and ALL, of rows, and
//! patterns with an escape character.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, Query, SelectItem, SetExpr, Spanned, Statement, TableFactor,
    UnaryOperator, Value,
};
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Span;

use super::tree;
use crate::dialect::TrinoDialect;
use crate::{Kind, SqlError};

pub(crate) fn rewrite(expr: &mut Expr) -> Result<(), SqlError> {
    match expr {
        Expr::AnyOp { left, compare_op, right, .. } => {
            if let Expr::Subquery(query) = right.as_ref() {
                *expr = quantified(left, compare_op, query, false)?;
            }
        }
        Expr::AllOp { left, compare_op, right } => {
            if let Expr::Subquery(query) = right.as_ref() {
                *expr = quantified(left, compare_op, query, true)?;
            }
        }
        Expr::InSubquery { expr: value, subquery, .. } => {
            if let Some(width) = row_width(value)
                && columns(subquery) != Some(1)
            {
                **subquery = of_rows(subquery, width)?;
            }
        }
        Expr::Tuple(values) => {
            let span = values.first().map_or_else(Span::empty, Spanned::span);
            let Expr::Tuple(values) = std::mem::replace(expr, tree::null()) else { return Ok(()) };
            *expr = tree::call("row", values, span);
        }
        Expr::Like { pattern, escape_char, .. } => {
            let escape = match escape_char.take().map(|value| value.value) {
                None => None,
                Some(Value::SingleQuotedString(text)) => Some(escape_of(&text, pattern)?),
                Some(_) => None,
            };
            if let Expr::Value(value) = pattern.as_mut()
                && let Value::SingleQuotedString(text) = &value.value
            {
                value.value = Value::SingleQuotedString(escaped_by_backslash(text, escape));
            } else if escape.is_some_and(|escape| escape != '\\') {
                let message = "ESCAPE needs a pattern that is a literal";
                return Err(tree::error_at(Kind::Unsupported, message, pattern.span()));
            }
        }
        _ => {}
    }
    Ok(())
}

fn escape_of(text: &str, pattern: &Expr) -> Result<char, SqlError> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(escape), None) => Ok(escape),
        _ => {
            let message = format!("ESCAPE takes one character, not `'{text}'`");
            Err(tree::error_at(Kind::Semantic, message, pattern.span()))
        }
    }
}

/// Trino's patterns have the escape character they say, and none otherwise; DataFusion's have the
/// backslash.
fn escaped_by_backslash(pattern: &str, escape: Option<char>) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        match c {
            c if Some(c) == escape => {
                out.push('\\');
                out.extend(characters.next());
            }
            '\\' => out.push_str("\\\\"),
            c => out.push(c),
        }
    }
    out
}

/// `x < ANY (q)`, `x < ALL (q)`. DataFusion makes an EXISTS of them in which a column of the outer
/// query is taken for the inner one of the same name; here the least or the greatest value of `q`
/// decides, with SQL's rules for NULL.
/// <https://trino.io/docs/current/functions/comparison.html#quantified-comparison-predicates-all-any-and-some>
fn quantified(
    left: &Expr,
    op: &BinaryOperator,
    query: &Query,
    all: bool,
) -> Result<Expr, SqlError> {
    use BinaryOperator::{And, Eq, Gt, GtEq, Lt, LtEq, NotEq, Or};
    if matches!((op, all), (Eq, false) | (NotEq, true)) {
        let (expr, subquery) = (Box::new(left.clone()), Box::new(query.clone()));
        return Ok(Expr::InSubquery { expr, subquery, negated: all });
    }
    let value = |item: &str| -> Result<Expr, SqlError> {
        let query = over(query, item, &["$value".to_owned()])?;
        Ok(Expr::Subquery(Box::new(query)))
    };
    let compared = |item: &str| -> Result<Expr, SqlError> {
        Ok(binary(left.clone(), op.clone(), value(item)?))
    };
    let (least, greatest) = ("min(\"$value\")", "max(\"$value\")");
    let holds = match (op, all) {
        (Lt | LtEq, false) | (Gt | GtEq, true) => compared(greatest)?,
        (Gt | GtEq, false) | (Lt | LtEq, true) => compared(least)?,
        (Eq, _) => binary(compared(least)?, And, compared(greatest)?),
        (NotEq, _) => binary(compared(least)?, Or, compared(greatest)?),
        _ => {
            let message = format!("`{op}` cannot stand before ANY or ALL");
            return Err(tree::error_at(Kind::Semantic, message, left.span()));
        }
    };
    let decided = match all {
        true => Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(nested(holds)) },
        false => holds,
    };
    let nothing = binary(value("count(*)")?, Eq, tree::number("0"));
    let unknown = binary(
        Expr::IsNull(Box::new(left.clone())),
        Or,
        binary(value("count(\"$value\")")?, Lt, value("count(*)")?),
    );
    let truth = |truth: bool| Expr::Value(Value::Boolean(truth).with_empty_span());
    let when = |condition, result| CaseWhen { condition, result };
    Ok(Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![
            when(nothing, truth(all)),
            when(decided, truth(!all)),
            when(unknown, tree::null()),
        ],
        else_result: Some(Box::new(truth(all))),
    })
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    nested(Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) })
}

fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

/// Returns how many fields the row has that the expression makes.
fn row_width(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Nested(inner) => row_width(inner),
        Expr::Function(function) if tree::name_of(function).as_deref() == Some("row") => {
            tree::args_of(function).map(|args| args.len())
        }
        _ => None,
    }
}

/// Returns how many columns the query has, when that can be seen.
fn columns(query: &Query) -> Option<usize> {
    match query.body.as_ref() {
        SetExpr::Select(select) => {
            let plain = select.projection.iter().all(|item| {
                matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. })
            });
            plain.then_some(select.projection.len())
        }
        SetExpr::Values(values) => values.rows.first().map(|row| row.len()),
        _ => None,
    }
}

/// Returns the query with its columns as one row.
fn of_rows(query: &Query, width: usize) -> Result<Query, SqlError> {
    let names: Vec<String> = (0..width).map(|at| format!("$value{at}")).collect();
    let row: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    over(query, &format!("row({})", row.join(", ")), &names)
}

/// Returns `SELECT item FROM (query) AS "$rows" (names)`.
fn over(query: &Query, item: &str, names: &[String]) -> Result<Query, SqlError> {
    let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let text = format!("SELECT {item} FROM (SELECT 1) AS \"$rows\" ({})", names.join(", "));
    let parsed = Parser::parse_sql(&TrinoDialect, &text).unwrap_or_default();
    let Ok([Statement::Query(mut outer)]) = <[Statement; 1]>::try_from(parsed) else {
        return Err(SqlError::new(Kind::Syntax, "this subquery cannot be compared"));
    };
    if let SetExpr::Select(select) = outer.body.as_mut()
        && let Some(table) = select.from.first_mut()
        && let TableFactor::Derived { subquery, .. } = &mut table.relation
    {
        **subquery = query.clone();
    }
    Ok(*outer)
}
