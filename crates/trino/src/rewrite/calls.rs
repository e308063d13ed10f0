//! Calls and special forms of Trino that become other expressions.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, LambdaFunction, LambdaSyntax, ObjectName, OneOrManyWithParens,
    Spanned, TrimWhereField, UnaryOperator,
};

use super::{internal, tree};
use crate::{Kind, Names, SqlError};

pub(crate) fn rewrite(
    expr: &mut Expr,
    names: &Names,
    notes: &mut Vec<String>,
) -> Result<(), SqlError> {
    let span = expr.span();
    let rewritten = match expr {
        Expr::Function(function) => return call(expr_function(function, names)?, expr, notes),
        Expr::AtTimeZone { timestamp, time_zone } => {
            tree::call("at_timezone", vec![(**timestamp).clone(), (**time_zone).clone()], span)
        }
        Expr::Extract { field, expr: value, .. } => {
            tree::call(extract(field, span)?, vec![(**value).clone()], span)
        }
        Expr::Position { expr: part, r#in } => {
            tree::call("strpos", vec![(**r#in).clone(), (**part).clone()], span)
        }
        Expr::Substring { expr: value, substring_from, substring_for, .. } => {
            let mut args = vec![(**value).clone()];
            args.push(substring_from.as_deref().cloned().unwrap_or_else(|| tree::number("1")));
            args.extend(substring_for.as_deref().cloned());
            tree::call("substr", args, span)
        }
        Expr::Overlay { expr: value, overlay_what, overlay_from, overlay_for } => {
            let args = [value, overlay_what, overlay_from].map(|arg| (**arg).clone());
            let length = overlay_for.as_deref().cloned();
            tree::call("overlay", args.into_iter().chain(length).collect(), span)
        }
        Expr::Trim { expr: value, trim_where, trim_what, trim_characters } => {
            let name = match trim_where {
                Some(TrimWhereField::Leading) => "ltrim",
                Some(TrimWhereField::Trailing) => "rtrim",
                _ => "trim",
            };
            let mut args = vec![(**value).clone()];
            args.extend(trim_what.as_deref().cloned());
            args.extend(trim_characters.iter().flatten().cloned());
            tree::call(name, args, span)
        }
        Expr::BinaryOp {
            left,
            op: BinaryOperator::LongArrow | BinaryOperator::HashArrow,
            right,
        } => tree::call("$json_text_at", vec![(**left).clone(), (**right).clone()], span),
        _ => return Ok(()),
    };
    *expr = rewritten;
    Ok(())
}

/// `date_add(day, …)`: the unit is a text, also where it is written as a name.
pub(crate) fn name_units(expr: &mut Expr) {
    const TAKERS: [&str; 5] = ["date_add", "date_diff", "date_trunc", "dateadd", "datediff"];
    let Expr::Function(function) = expr else { return };
    let takes_unit = tree::name_of(function).is_some_and(|name| TAKERS.contains(&name.as_str()));
    if let (true, FunctionArguments::List(list)) = (takes_unit, &mut function.args)
        && let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(unit))) = list.args.first_mut()
        && let Expr::Identifier(Ident { value, quote_style: None, span }) = unit
    {
        *unit = tree::text(value, *span);
    }
}

/// Brings the name to the registry's spelling; returns it when it is a single one.
fn expr_function(function: &mut Function, names: &Names) -> Result<Option<String>, SqlError> {
    let Some(lower) = tree::name_of(function) else { return Ok(None) };
    let name = names.function(&lower).map_or(lower, str::to_owned);
    let span = tree::span_of(function);
    function.name = ObjectName::from(vec![Ident { value: name.clone(), quote_style: None, span }]);
    Ok(Some(name))
}

fn call(name: Option<String>, expr: &mut Expr, notes: &mut Vec<String>) -> Result<(), SqlError> {
    let (Some(name), Expr::Function(function)) = (name, &*expr) else { return Ok(()) };
    let span = tree::span_of(function);
    let Some(args) = tree::args_of(function) else { return Ok(()) };
    let renamed = |to: &str| tree::call(to, args.clone(), span);
    *expr = match name.as_str() {
        "if" => conditional(&args, function)?,
        "try" => attempt(args, function)?,
        "all_match" | "none_match" => matched(args, name == "all_match", function)?,
        "approx_distinct" => {
            let counted = Expr::Function(function.clone());
            tree::call(internal::CAST, vec![counted, tree::text("bigint", span)], span)
        }
        "geometric_mean" => {
            let [value] = args.as_slice() else { return Ok(()) };
            let logarithm = tree::call("ln", vec![value.clone()], span);
            let mut mean = tree::function("avg", vec![logarithm], span);
            (mean.filter, mean.over) = (function.filter.clone(), function.over.clone());
            tree::call("exp", vec![Expr::Function(mean)], span)
        }
        "nullif" | "coalesce" => return Ok(()),
        "dateadd" => {
            notes.push("`dateadd` is read as Trino's `date_add`".to_owned());
            renamed("date_add")
        }
        "datediff" => {
            notes.push("`datediff` is read as Trino's `date_diff`".to_owned());
            renamed("date_diff")
        }
        "localtimestamp" => tree::call(
            internal::CAST,
            vec![tree::call("now", Vec::new(), span), tree::text("timestamp(3)", span)],
            span,
        ),
        "localtime" => tree::call(
            internal::CAST,
            vec![tree::call("now", Vec::new(), span), tree::text("time(3)", span)],
            span,
        ),
        "current_timestamp" | "now" if args.is_empty() => tree::call(
            internal::CAST,
            vec![
                tree::call("now", Vec::new(), span),
                tree::text("timestamp(3) with time zone", span),
            ],
            span,
        ),
        "current_timezone" => tree::text("UTC", span),
        "current_user" => tree::text("traillake", span),
        "position" if args.len() == 2 => {
            tree::call("strpos", vec![args[1].clone(), args[0].clone()], span)
        }
        // DataFusion looks for one function by a name, with lambdas or without.
        "array_sort" | "regexp_replace" if matches!(args.last(), Some(Expr::Lambda(_))) => {
            renamed(&format!("${name}"))
        }
        "map" => renamed("$make_map"),
        "substring" => renamed("substr"),
        "ceiling" => renamed("ceil"),
        "mod" if args.len() == 2 => Expr::Nested(Box::new(Expr::BinaryOp {
            left: Box::new(Expr::Nested(Box::new(args[0].clone()))),
            op: BinaryOperator::Modulo,
            right: Box::new(Expr::Nested(Box::new(args[1].clone()))),
        })),
        _ => return Ok(()),
    };
    Ok(())
}

/// `IF(condition, value[, otherwise])`.
fn conditional(args: &[Expr], function: &Function) -> Result<Expr, SqlError> {
    let (condition, result, otherwise) = match args {
        [condition, result] => (condition, result, None),
        [condition, result, otherwise] => (condition, result, Some(otherwise.clone())),
        _ => {
            let message = "`if` takes (condition, value) or (condition, value, otherwise)";
            return Err(tree::error_at(Kind::Semantic, message, tree::span_of(function)));
        }
    };
    Ok(Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition: condition.clone(), result: result.clone() }],
        else_result: otherwise.map(Box::new),
    })
}

/// `TRY(x)`: NULL where `x` fails. A lambda without parameters lets the function decide when its
/// argument is evaluated.
fn attempt(args: Vec<Expr>, function: &Function) -> Result<Expr, SqlError> {
    let span = tree::span_of(function);
    let Ok([body]) = <[Expr; 1]>::try_from(args) else {
        return Err(tree::error_at(Kind::Semantic, "`try` takes one argument", span));
    };
    let lambda = Expr::Lambda(LambdaFunction {
        params: OneOrManyWithParens::Many(Vec::new()),
        body: Box::new(body),
        syntax: LambdaSyntax::Arrow,
    });
    Ok(tree::call("try", vec![lambda], span))
}

/// `all_match(a, x -> p)` is `NOT any_match(a, x -> NOT p)`, `none_match` is `NOT any_match`; both
/// hold for NULLs too.
fn matched(args: Vec<Expr>, all: bool, function: &Function) -> Result<Expr, SqlError> {
    let span = tree::span_of(function);
    let not = |expr: Expr| Expr::UnaryOp {
        op: UnaryOperator::Not,
        expr: Box::new(Expr::Nested(Box::new(expr))),
    };
    match <[Expr; 2]>::try_from(args) {
        Ok([array, Expr::Lambda(mut lambda)]) => {
            if all {
                lambda.body = Box::new(not(*lambda.body));
            }
            Ok(not(tree::call("any_match", vec![array, Expr::Lambda(lambda)], span)))
        }
        _ => {
            let message = format!("`{}` takes (array, x -> condition)", function.name);
            Err(tree::error_at(Kind::Semantic, message, span))
        }
    }
}

/// `EXTRACT(field FROM x)` is the function of that name.
fn extract(
    field: &DateTimeField,
    span: datafusion::sql::sqlparser::tokenizer::Span,
) -> Result<&'static str, SqlError> {
    Ok(match field.to_string().to_lowercase().as_str() {
        "year" => "year",
        "quarter" => "quarter",
        "month" => "month",
        "week" => "week",
        "day" | "day_of_month" => "day",
        "day_of_week" | "dow" => "day_of_week",
        "day_of_year" | "doy" => "day_of_year",
        "year_of_week" | "yow" => "year_of_week",
        "hour" => "hour",
        "minute" => "minute",
        "second" => "second",
        "timezone_hour" => "timezone_hour",
        "timezone_minute" => "timezone_minute",
        other => {
            let message = format!("`extract` knows no field `{other}`");
            return Err(tree::error_at(Kind::Semantic, message, span));
        }
    })
}
