//! Messages of DataFusion that are known, and what they mean to somebody who knows SQL.

use super::{MANY_ROWS, types};
use crate::{Kind, Names, SqlError};

/// Names of functions of other databases, and Trino's.
const FOREIGN: &[(&str, &str)] = &[
    ("approx_count_distinct", "approx_distinct(x)"),
    ("array_length", "cardinality(array)"),
    ("array_size", "cardinality(array)"),
    ("charindex", "strpos(text, part)"),
    ("collect_list", "array_agg(x)"),
    ("collect_set", "array_agg(DISTINCT x)"),
    ("countif", "count_if(condition)"),
    ("date_sub", "date_add('day', -1, x)"),
    ("first", "arbitrary(x)"),
    ("get_json_object", "json_extract_scalar(json, '$.path')"),
    ("getdate", "now()"),
    ("group_concat", "listagg(x, ',') WITHIN GROUP (ORDER BY x)"),
    ("isnull", "coalesce(x, otherwise)"),
    ("json_extract_string", "json_extract_scalar(json, '$.path')"),
    ("json_extract_text", "json_extract_scalar(json, '$.path')"),
    ("lcase", "lower(text)"),
    ("left", "substr(text, 1, n)"),
    ("len", "length(text)"),
    ("object_keys", "map_keys(map)"),
    ("parse_json", "json_parse(text)"),
    ("regexp_matches", "regexp_like(text, pattern)"),
    ("regexp_substr", "regexp_extract(text, pattern)"),
    ("right", "substr(text, -n)"),
    ("strftime", "date_format(time, '%Y-%m-%d')"),
    ("string_split", "split(text, ',')"),
    ("sysdate", "now()"),
    ("timestampdiff", "date_diff('day', a, b)"),
    ("to_char", "date_format(time, '%Y-%m-%d')"),
    ("ucase", "upper(text)"),
    ("unix_timestamp", "to_unixtime(time)"),
];

type Known = fn(&str, &Names) -> Option<SqlError>;

/// Returns what the message is known to mean.
pub(super) fn known(message: &str, names: &Names) -> Option<SqlError> {
    KNOWN.iter().find_map(|known| known(message, names))
}

const KNOWN: &[Known] =
    &[unknown_function, unknown_table, not_grouped, wrong_types, wrong_call, wrong_shape, not_run];

fn semantic(message: impl Into<String>) -> Option<SqlError> {
    Some(SqlError::new(Kind::Semantic, message))
}

/// Functions that need OVER.
const WINDOWS: [&str; 10] = [
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "nth_value",
    "last_value",
];

fn unknown_function(message: &str, names: &Names) -> Option<SqlError> {
    let name = between(message, "Invalid function '", "'")?;
    let lower = name.to_lowercase();
    if WINDOWS.contains(&lower.as_str()) {
        return semantic(format!("`{lower}` is a window function"))
            .map(|error| error.with_hint(format!("write `{lower}(…) OVER (ORDER BY eventTime)`")));
    }
    let unknown = SqlError::new(Kind::UnknownName, format!("function `{name}` does not exist"));
    if let Some((_, instead)) = FOREIGN.iter().find(|(foreign, _)| *foreign == lower) {
        return Some(unknown.with_hint(format!("write `{instead}`")));
    }
    Some(match names.nearest_function(name) {
        Some(near) => unknown.with_hint(format!("did you mean `{near}`?")),
        None => unknown,
    })
}

fn unknown_table(message: &str, names: &Names) -> Option<SqlError> {
    let name = between(message, "table '", "' not found")?;
    let table = name.rsplit('.').next().unwrap_or(name);
    let unknown = SqlError::new(Kind::UnknownName, format!("table `{table}` does not exist"));
    Some(match names.nearest_table(table) {
        Some(near) => unknown.with_hint(format!("did you mean `{near}`?")),
        None => unknown,
    })
}

fn not_grouped(message: &str, _names: &Names) -> Option<SqlError> {
    if message.contains("must be in GROUP BY or an aggregate function")
        && let Some(column) = between(message, "column \"", "\" must appear")
    {
        let column = column.rsplit('.').next().unwrap_or(column);
        let message = format!("`{column}` must be in GROUP BY or inside an aggregate function");
        return semantic(message).map(|error| {
            error.with_hint(format!("`arbitrary({column})` takes any of its values"))
        });
    }
    if message.starts_with("Aggregate functions are not allowed in the WHERE clause") {
        return semantic("an aggregate function cannot stand in WHERE")
            .map(|error| error.with_hint("write the condition in HAVING"));
    }
    if message.starts_with("Aggregate function calls cannot be nested") {
        return semantic("an aggregate function cannot stand inside another")
            .map(|error| error.with_hint("aggregate the result of a subquery"));
    }
    if message.contains("to grouping function is not in grouping columns") {
        return semantic("`grouping` takes columns of GROUP BY");
    }
    if message.starts_with("HAVING clause references") {
        return semantic("HAVING needs GROUP BY or an aggregate function");
    }
    None
}

fn wrong_types(message: &str, _names: &Names) -> Option<SqlError> {
    let typed = types::in_trinos(message);
    let operands = |after: &str, before: &str| {
        let inner = between(&typed, after, before)?;
        Some(inner.to_owned())
    };
    if let Some(inner) = operands("annot coerce arithmetic expression ", " to valid types") {
        return semantic(format!("no operator fits `{inner}`"));
    }
    if let Some((_, inner)) = typed.split_once("temporal operation ") {
        let inner = inner.split(": ").next().unwrap_or(inner);
        return semantic(format!("no operator fits `{inner}`"));
    }
    if let Some((_, inner)) = typed.split_once("common argument type for comparison operation ") {
        return semantic(format!("values of these types cannot be compared: `{inner}`"));
    }
    if let Some((_, inner)) =
        typed.split_once("common argument type for logical boolean operation ")
    {
        return semantic(format!("AND and OR take booleans, not `{inner}`"));
    }
    if let Some(inner) = operands("a common type to coerce ", " in LIKE expression") {
        return semantic(format!("LIKE takes two varchars, not {inner}"));
    }
    if typed.starts_with("Cannot create filter with non-boolean predicate") {
        let kind = typed.rsplit(" returning ").next().unwrap_or("another type");
        return semantic(format!("a condition is a boolean, not {kind}"));
    }
    if let Some((_, kind)) = typed.split_once("requires a boolean expression, got ") {
        return semantic(format!("NOT takes a boolean, not {kind}"));
    }
    if typed.starts_with("Unary operator '-'") {
        return semantic("a minus stands before a number or an interval");
    }
    if let Some(inner) = operands("annot cast string ", " type") {
        let (value, kind) = inner.split_once(" to value of ")?;
        return semantic(format!("cannot cast {value} to {kind}"));
    }
    if let Some(inner) = operands("annot cast value ", " type") {
        let (value, kind) = inner.split_once(" to value of ")?;
        return semantic(format!("cannot cast {value} to {kind}"));
    }
    if typed.starts_with("Cannot cast LIST to non-list") {
        return semantic("an array cannot be cast to this type");
    }
    if let Some(value) = operands(" overflow on abs(", ")") {
        return semantic(format!("out of range: abs({value})"));
    }
    if let Some((_, text)) = typed.split_once("Invalid input syntax for type interval: ") {
        return semantic(format!("{text} is not an interval"));
    }
    None
}

fn wrong_call(message: &str, _names: &Names) -> Option<SqlError> {
    if message.contains("does not support zero arguments") {
        let function = between(message, "'", "'")?;
        return semantic(format!("`{}` takes an argument", trinos_name(function)));
    }
    if let Some((function, given)) = not_coerced(message) {
        let (function, given) = (trinos_name(function), types::in_trinos(given));
        return semantic(format!("`{function}` does not take ({given})"));
    }
    if let Some(function) = between(message, "unction '", "'") {
        let function = trinos_name(function);
        if let Some((expected, given)) = wrong_count(message) {
            return semantic(format!("`{function}` takes {expected} arguments, not {given}"));
        }
        let refused = ["requires", "expects", "signature", "coerc", "does not support"];
        if refused.iter().any(|word| message.contains(word)) {
            return semantic(format!("`{function}` does not take values of these types"));
        }
    }
    if let Some((function, given)) = message.split_once(" lambda must return boolean, got ") {
        let (function, given) = (trinos_name(function), types::in_trinos(given));
        return semantic(format!("the lambda of `{function}` returns a boolean, not {given}"));
    }
    if message.contains("expected a list as first argument") || message.starts_with("expected list")
    {
        return semantic("the first argument is an array");
    }
    if let Some((function, _)) = message.split_once(" does not support type ") {
        let function = function.rsplit(' ').next().unwrap_or(function);
        return semantic(format!(
            "`{}` does not take values of these types",
            trinos_name(function)
        ));
    }
    None
}

/// Returns the function and the types of its arguments, none of which it could be given.
fn not_coerced(message: &str) -> Option<(&str, &str)> {
    let function = between(message, "to satisfy a call to '", "' function")?;
    Some((function, between(message, "coercion from ", " to the signature")?))
}

/// Returns how many arguments a function takes and how many it was given. A function with several
/// forms has a report for each; only when all are about the number is it the number.
fn wrong_count(message: &str) -> Option<(String, &str)> {
    let forms = message.split(",Error during planning: ").map(|form| {
        let (_, counts) = form.split_once(" expects ").or_else(|| form.split_once(" expected "))?;
        counts
            .split_once(" arguments but received ")
            .or_else(|| counts.split_once(" argument(s) but received "))
    });
    let forms = forms.collect::<Option<Vec<(&str, &str)>>>()?;
    let (_, given) = forms.first()?;
    let mut expected: Vec<&str> = forms.iter().map(|(expected, _)| *expected).collect();
    expected.dedup();
    Some((expected.join(" or "), given.trim_end_matches(|c: char| !c.is_ascii_digit())))
}

/// Trino's name of a function of DataFusion's.
fn trinos_name(function: &str) -> &str {
    const KEPT: [&str; 5] =
        ["array_agg", "array_distinct", "array_except", "array_intersect", "array_union"];
    match function {
        "approx_percentile_cont" | "approx_percentile_cont_with_weight" => "approx_percentile",
        "bit_and" => "bitwise_and_agg",
        "bit_or" => "bitwise_or_agg",
        "bit_xor" => "bitwise_xor_agg",
        "stddev" => "stddev_samp",
        "var" => "var_samp",
        kept if KEPT.contains(&kept) => kept,
        other => other.strip_prefix("array_").unwrap_or(other),
    }
}

fn wrong_shape(message: &str, _names: &Names) -> Option<SqlError> {
    if message.starts_with("Too many columns! The subquery should only return one column") {
        return semantic("a subquery that stands for a value has one column");
    }
    if message.contains("more than one row") {
        return semantic(MANY_ROWS).map(|error| error.with_hint("add LIMIT 1, or an aggregate"));
    }
    if message.contains("have different number of columns")
        || message.contains("must have the same number of columns")
    {
        return semantic("the queries have a different number of columns");
    }
    if let Some(counts) = between(message, "Source table contains ", " names given") {
        let (columns, given) = counts.split_once(" columns but only ")?;
        return semantic(format!("{given} names are given for {columns} columns"));
    }
    if let Some(place) = between(message, "Cannot find column with position ", " in SELECT") {
        return semantic(format!("GROUP BY {place}: the SELECT has no item {place}"));
    }
    if let Some(place) = between(message, "Order by column out of bounds, specified: ", ",") {
        return semantic(format!("ORDER BY {place}: the SELECT has no item {place}"));
    }
    if message.starts_with("Inconsistent data length across values list") {
        return semantic("the rows of VALUES have a different number of values");
    }
    if let Some(name) = between(message, "WITH query name \"", "\"") {
        return semantic(format!("two WITH queries are called `{name}`"));
    }
    if let Some(name) = between(message, "The window ", " is not defined") {
        return semantic(format!("window `{name}` is not defined"));
    }
    if let Some((_, name)) = message.split_once("Invalid qualifier ") {
        let unknown = SqlError::new(Kind::UnknownName, format!("there is no relation `{name}`"));
        return Some(unknown);
    }
    if let Some(name) = between(message, "compound identifier '", "'") {
        return semantic(format!("`{name}` has too many parts; a table is `catalog.schema.table`"));
    }
    if message.starts_with("LIMIT must be") || message.starts_with("OFFSET must be") {
        return semantic("a number of rows is not negative");
    }
    if message.contains("to be an integer or null, but got") {
        return semantic("a number of rows is an integer");
    }
    if message.starts_with("Invalid escape character") {
        return semantic("ESCAPE takes one character");
    }
    if message.starts_with("Invalid window frame") {
        return semantic("the window frame ends before it starts");
    }
    None
}

fn not_run(message: &str, _names: &Names) -> Option<SqlError> {
    let unsupported = |message: &str| Some(SqlError::new(Kind::Unsupported, message));
    if message.contains("OuterReferenceColumn")
        || message.contains("Subquery")
        || message.contains("Exists(")
        || message.contains("null_aware anti join")
        || message.contains("Correlated")
        || message.contains("correlated")
    {
        return Some(correlated());
    }
    if message.contains("ast node in sqltorel: Lambda") || message.contains("operator ->") {
        return semantic("`->` stands only in an argument of a function such as `filter`").map(
            |error| error.with_hint("write `json_extract_scalar(x, '$.member')` to read JSON"),
        );
    }
    if message.contains("WindowFunction(") {
        return semantic("a window function cannot stand in WHERE or GROUP BY")
            .map(|error| error.with_hint("filter the result of a subquery"));
    }
    if message.contains("Wildcard") {
        return semantic("`*` stands in `count(*)` and as an item of SELECT only");
    }
    if message.contains("binary operator") {
        return unsupported("this operator is not one of Trino's");
    }
    None
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let start = text.find(before)? + before.len();
    let end = text[start..].find(after)?;
    Some(&text[start..start + end])
}

/// A subquery that DataFusion cannot separate from the outer query.
pub(super) fn correlated() -> SqlError {
    SqlError::new(Kind::Unsupported, "this subquery reads an outer query in a way that is not run")
        .with_hint("compare with `=`, or join the tables and group")
}
