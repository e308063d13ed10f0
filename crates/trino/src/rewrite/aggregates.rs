//! Trino's aggregates that DataFusion has under another form.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, Ident, LambdaFunction, LambdaFunctionParameter,
    LambdaSyntax, NullTreatment, ObjectName, OneOrManyWithParens, OrderByExpr, OrderByOptions,
};

use datafusion::sql::sqlparser::tokenizer::Span;

use super::literals::MAKE_ARRAY;
use super::{internal, tree};
use crate::{Kind, SqlError};

pub(crate) fn rewrite(expr: &mut Expr) -> Result<(), SqlError> {
    let Expr::Function(function) = expr else { return Ok(()) };
    let Some(name) = tree::name_of(function) else { return Ok(()) };
    match name.as_str() {
        "count_if" => count_if(function),
        "arbitrary" | "any_value" => first_of_group(function),
        "max_by" => extreme_by(expr, false),
        "min_by" => extreme_by(expr, true),
        "max" | "min" => extremes(function, name == "min"),
        "map_agg" => gathered(expr, "$map_agg", 2),
        "multimap_agg" => gathered(expr, "multimap_from_entries", 2),
        "histogram" => gathered(expr, "$histogram", 1),
        "map_union" => gathered(expr, "$map_union", 1),
        "reduce_agg" => reduced(expr),
        "approx_most_frequent" => most_frequent(expr),
        "numeric_histogram" => numeric_histogram(expr),
        "every" => rename(function, "bool_and"),
        "listagg" | "string_agg" => listagg(function),
        "approx_percentile" => percentile(expr),
        "stddev" => rename(function, "stddev_samp"),
        "variance" => rename(function, "var_samp"),
        "bitwise_and_agg" => rename(function, "bit_and"),
        "bitwise_or_agg" => rename(function, "bit_or"),
        "bitwise_xor_agg" => rename(function, "bit_xor"),
        _ => Ok(()),
    }
}

fn rename(function: &mut Function, name: &str) -> Result<(), SqlError> {
    let span = tree::span_of(function);
    function.name = ObjectName::from(vec![Ident { value: name.into(), quote_style: None, span }]);
    Ok(())
}

/// `count_if(x)` is `count(*) FILTER (WHERE x)`.
fn count_if(function: &mut Function) -> Result<(), SqlError> {
    let condition = one_argument(function)?;
    filter(function, condition);
    function.args = FunctionArguments::List(FunctionArgumentList {
        duplicate_treatment: None,
        args: vec![FunctionArg::Unnamed(FunctionArgExpr::Wildcard)],
        clauses: Vec::new(),
    });
    rename(function, "count")
}

/// `arbitrary(x)` is any value that is not NULL.
fn first_of_group(function: &mut Function) -> Result<(), SqlError> {
    one_argument(function)?;
    function.null_treatment = Some(NullTreatment::IgnoreNulls);
    rename(function, "first_value")
}

/// `max_by(x, y)` is the first `x` by `y` descending, rows without `y` left out; with a third
/// argument `n` it is the first `n` of them.
fn extreme_by(expr: &mut Expr, ascending: bool) -> Result<(), SqlError> {
    let Expr::Function(function) = expr else { return Ok(()) };
    let span = tree::span_of(function);
    let args = tree::args_of(function).unwrap_or_default();
    let (value, key, count) = match args.as_slice() {
        [value, key] => (value.clone(), key.clone(), None),
        [value, key, count] => (value.clone(), key.clone(), Some(count.clone())),
        _ => return Err(arity(function, "(value, key) or (value, key, n)")),
    };
    filter(function, Expr::IsNotNull(Box::new(key.clone())));
    let name = if count.is_some() { "array_agg" } else { "first_value" };
    set_ordered(function, name, value, key, ascending)?;
    if let Some(count) = count {
        let all = expr.clone();
        *expr = tree::call("$first_of_array", vec![all, count], span);
    }
    Ok(())
}

/// `approx_percentile(x[, weight], p)`, where `p` may be an array of them; the smallest `x` tells the
/// type of the result.
fn percentile(expr: &mut Expr) -> Result<(), SqlError> {
    let Expr::Function(function) = expr else { return Ok(()) };
    let args = tree::args_of(function).unwrap_or_default();
    let (name, values, wanted) = match args.as_slice() {
        [value, wanted] => ("approx_percentile_cont", vec![value.clone()], wanted),
        [value, weight, wanted] => {
            ("approx_percentile_cont_with_weight", vec![value.clone(), weight.clone()], wanted)
        }
        _ => return Err(arity(function, "(value, percentage)")),
    };
    let span = tree::span_of(function);
    let one = |wanted: &Expr| {
        let args = values.iter().chain([wanted]).cloned().collect();
        let calls = [(name, args), ("min", vec![values[0].clone()])].map(|(name, args)| {
            let mut call = tree::function(name, args, span);
            (call.filter, call.over) = (function.filter.clone(), function.over.clone());
            Expr::Function(call)
        });
        tree::call("$rounded_as", calls.to_vec(), span)
    };
    *expr = match wanted {
        Expr::Function(several) if tree::name_of(several).as_deref() == Some(MAKE_ARRAY) => {
            let several = tree::args_of(several).unwrap_or_default();
            tree::call(MAKE_ARRAY, several.iter().map(one).collect(), span)
        }
        wanted => one(wanted),
    };
    Ok(())
}

/// `map_agg(k, v)` is a map made of `array_agg(row(k, v))`, rows without a key left out.
fn gathered(expr: &mut Expr, maker: &str, width: usize) -> Result<(), SqlError> {
    let Expr::Function(function) = expr else { return Ok(()) };
    let args = tree::args_of(function).unwrap_or_default();
    let Some(key) = args.first().filter(|_| args.len() == width).cloned() else {
        return Err(arity(function, if width == 1 { "one argument" } else { "(key, value)" }));
    };
    let span = tree::span_of(function);
    let gathered = if width == 1 { key.clone() } else { tree::call("row", args, span) };
    filter(function, Expr::IsNotNull(Box::new(key)));
    function.args = FunctionArguments::List(FunctionArgumentList {
        duplicate_treatment: None,
        args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(gathered))],
        clauses: Vec::new(),
    });
    rename(function, "array_agg")?;
    let all = expr.clone();
    *expr = tree::call(maker, vec![all], span);
    Ok(())
}

/// `reduce_agg(x, initial, (state, x) -> state, …)` is `reduce` over the values that are not NULL.
fn reduced(expr: &mut Expr) -> Result<(), SqlError> {
    let Expr::Function(function) = expr else { return Ok(()) };
    let span = tree::span_of(function);
    let args = tree::args_of(function).unwrap_or_default();
    let Ok([value, initial, input, Expr::Lambda(_)]) = <[Expr; 4]>::try_from(args) else {
        return Err(arity(function, "(x, initial, (state, x) -> state, (state, state) -> state)"));
    };
    let all = array_of(function, value.clone(), value)?;
    let state = Ident { value: "state".into(), quote_style: None, span };
    let same = Expr::Lambda(LambdaFunction {
        params: OneOrManyWithParens::One(LambdaFunctionParameter {
            name: state.clone(),
            data_type: None,
        }),
        body: Box::new(Expr::Identifier(state)),
        syntax: LambdaSyntax::Arrow,
    });
    *expr = tree::call("reduce", vec![all, initial, input, same], span);
    Ok(())
}

/// `approx_most_frequent(buckets, x, capacity)` keeps the largest counts of the histogram.
fn most_frequent(expr: &mut Expr) -> Result<(), SqlError> {
    let Expr::Function(function) = expr else { return Ok(()) };
    let span = tree::span_of(function);
    let args = tree::args_of(function).unwrap_or_default();
    let Ok([buckets, value, _capacity]) = <[Expr; 3]>::try_from(args) else {
        return Err(arity(function, "(buckets, x, capacity)"));
    };
    let all = array_of(function, value.clone(), value)?;
    *expr = tree::call("$most_frequent", vec![all, buckets], span);
    Ok(())
}

/// `numeric_histogram(buckets, x[, weight])`.
fn numeric_histogram(expr: &mut Expr) -> Result<(), SqlError> {
    let Expr::Function(function) = expr else { return Ok(()) };
    let span = tree::span_of(function);
    let args = tree::args_of(function).unwrap_or_default();
    let (buckets, value, weight) = match args.as_slice() {
        [buckets, value] => (buckets.clone(), value.clone(), tree::number("1")),
        [buckets, value, weight] => (buckets.clone(), value.clone(), weight.clone()),
        _ => return Err(arity(function, "(buckets, x) or (buckets, x, weight)")),
    };
    let double =
        |expr: Expr| tree::call(internal::CAST, vec![expr, tree::text("double", span)], span);
    let pair = tree::call("row", vec![double(value.clone()), double(weight)], span);
    let all = array_of(function, pair, value)?;
    *expr = tree::call("$numeric_histogram", vec![all, buckets], span);
    Ok(())
}

/// `array_agg(value) FILTER (WHERE present IS NOT NULL)`, with the filter and window of the call.
fn array_of(function: &Function, value: Expr, present: Expr) -> Result<Expr, SqlError> {
    let mut all = function.clone();
    filter(&mut all, Expr::IsNotNull(Box::new(present)));
    all.args = FunctionArguments::List(FunctionArgumentList {
        duplicate_treatment: None,
        args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(value))],
        clauses: Vec::new(),
    });
    rename(&mut all, "array_agg")?;
    Ok(Expr::Function(all))
}

/// `max(x, n)`: the `n` largest.
fn extremes(function: &mut Function, ascending: bool) -> Result<(), SqlError> {
    let args = tree::args_of(function).unwrap_or_default();
    let [value, count] = args.as_slice() else { return Ok(()) };
    let span = tree::span_of(function);
    let (value, count) = (value.clone(), count.clone());
    filter(function, Expr::IsNotNull(Box::new(value.clone())));
    set_ordered(function, "array_agg", value.clone(), value, ascending)?;
    let all = Expr::Function(function.clone());
    *function = tree::function("$first_of_array", vec![all, count], span);
    Ok(())
}

/// `listagg(x, separator) WITHIN GROUP (ORDER BY y)`.
fn listagg(function: &mut Function) -> Result<(), SqlError> {
    let order = std::mem::take(&mut function.within_group);
    if let FunctionArguments::List(list) = &mut function.args {
        if list.args.len() == 1 {
            let empty = tree::text("", Span::empty());
            list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(empty)));
        }
        // ON OVERFLOW ERROR is what DataFusion does at its own limits.
        list.clauses.retain(|clause| !matches!(clause, FunctionArgumentClause::OnOverflow(_)));
        if !order.is_empty() {
            list.clauses.push(FunctionArgumentClause::OrderBy(order));
        }
    }
    rename(function, "string_agg")
}

fn set_ordered(
    function: &mut Function,
    name: &str,
    value: Expr,
    key: Expr,
    ascending: bool,
) -> Result<(), SqlError> {
    let options = OrderByOptions { asc: Some(ascending), nulls_first: Some(false) };
    let order = OrderByExpr { expr: key, options, with_fill: None };
    function.args = FunctionArguments::List(FunctionArgumentList {
        duplicate_treatment: None,
        args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(value))],
        clauses: vec![FunctionArgumentClause::OrderBy(vec![order])],
    });
    rename(function, name)
}

fn filter(function: &mut Function, condition: Expr) {
    let condition = Box::new(condition);
    function.filter = Some(match function.filter.take() {
        None => condition,
        Some(filter) => Box::new(Expr::BinaryOp {
            left: Box::new(Expr::Nested(filter)),
            op: BinaryOperator::And,
            right: Box::new(Expr::Nested(condition)),
        }),
    });
}

fn one_argument(function: &Function) -> Result<Expr, SqlError> {
    match tree::args_of(function).as_deref() {
        Some([argument]) => Ok(argument.clone()),
        _ => Err(arity(function, "one argument")),
    }
}

fn arity(function: &Function, expected: &str) -> SqlError {
    let message = format!("`{}` takes {expected}", function.name);
    tree::error_at(Kind::Semantic, message, tree::span_of(function))
}
