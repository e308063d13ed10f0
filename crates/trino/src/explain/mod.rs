//! Errors of DataFusion in our words, with the place in the statement and a hint where they are
//! known. None of its own words about plans, types or itself gets through.

mod known;
mod place;
mod types;

use datafusion::arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

use self::known::{correlated, known};
use crate::names::{edit_distance, nearest};
use crate::{Kind, Names, SqlError};

/// More than one row where a value stands, in Trino's words.
pub(crate) const MANY_ROWS: &str = "a subquery that stands for a value has more than one row";

/// Returns what a planning or run-time error of DataFusion means in our words, with the place in
/// the statement `sql` and a did-you-mean where they are known.
pub fn explain_error(error: &DataFusionError, names: &Names, sql: &str) -> SqlError {
    let error = first(error);
    let place = place_of(error);
    let root = error.find_root();
    let explained = match root {
        DataFusionError::SchemaError(schema, _) => unknown_column(schema, names, place, sql),
        other => in_our_words(other, names),
    };
    match place {
        _ if explained.line > 0 => explained,
        Some((line, column, length)) => explained.at(line, column, length),
        None => placed(explained, names, sql),
    }
}

/// Returns the error with the place of what it names, when it has none and that can be told.
pub(crate) fn placed(error: SqlError, names: &Names, sql: &str) -> SqlError {
    match (error.line, place::of_named(&error.message, names, sql)) {
        (0, Some(span)) => error.placed(span),
        _ => error,
    }
}

/// Of several errors the first one counts.
fn first(error: &DataFusionError) -> &DataFusionError {
    match error {
        DataFusionError::Collection(errors) => errors.first().map_or(error, first),
        other => other,
    }
}

fn place_of(error: &DataFusionError) -> Option<(usize, usize, usize)> {
    let span = error.diagnostic()?.span?;
    let (start, end) = (span.start, span.end);
    let length = if end.line == start.line { end.column.saturating_sub(start.column) } else { 1 };
    let known = start.line > 0;
    known.then_some((start.line as usize, start.column as usize, length as usize))
}

fn unknown_column(
    error: &SchemaError,
    names: &Names,
    place: Option<(usize, usize, usize)>,
    sql: &str,
) -> SqlError {
    match error {
        // A column that was found once and is missing later is one of an outer query.
        SchemaError::FieldNotFound { field, .. }
            if place.is_none() && names.spelling(&field.name).is_some() =>
        {
            correlated()
        }
        SchemaError::FieldNotFound { field, valid_fields } => {
            let typed = place.and_then(|(line, column, length)| text_at(sql, line, column, length));
            if let Some(text) = typed.as_deref().and_then(quoted_text) {
                let message = format!("column `{text}` does not exist");
                return SqlError::new(Kind::UnknownName, message)
                    .with_hint(format!("text stands in single quotes: '{text}'"));
            }
            let unknown =
                SqlError::new(Kind::UnknownName, format!("column `{}` does not exist", field.name));
            let valid = valid_fields.iter().map(|column| column.name.as_str());
            let near = nearest(&field.name, valid).or_else(|| names.nearest(&field.name));
            let compared = place.is_some_and(|(line, column, _)| is_compared(sql, line, column));
            match near {
                Some(near) if !compared || is_mistyped(&field.name, near) => {
                    unknown.with_hint(format!("did you mean `{near}`?"))
                }
                _ if compared || field.name.contains('-') => {
                    unknown.with_hint(format!("text stands in single quotes: '{}'", field.name))
                }
                _ => unknown,
            }
        }
        SchemaError::AmbiguousReference { field } => SqlError::new(
            Kind::Semantic,
            format!("column `{}` is ambiguous: several tables have it", field.name),
        )
        .with_hint(format!("write the table's name before it: `t.{}`", field.name)),
        SchemaError::DuplicateQualifiedField { qualifier, .. } => SqlError::new(
            Kind::Semantic,
            format!("two relations are called `{}`", qualifier.table()),
        )
        .with_hint("give one of them another name: `FROM t a, t b`"),
        SchemaError::DuplicateUnqualifiedField { name } => {
            SqlError::new(Kind::Semantic, format!("two columns are called `{name}`"))
                .with_hint("give one of them another name: `x AS y`")
        }
    }
}

/// Returns whether something is compared with what stands at a place, as a text would be.
fn is_compared(sql: &str, line: usize, column: usize) -> bool {
    let mut lines = sql.lines();
    let above = lines.by_ref().take(line.saturating_sub(1)).flat_map(|line| [line, "\n"]);
    let mut before: String = above.collect();
    before.extend(lines.next().unwrap_or_default().chars().take(column.saturating_sub(1)));
    let before = before.trim_end().to_lowercase();
    let is_in_list = before.rsplit_once('(').is_some_and(|(operator, list)| {
        operator.trim_end().ends_with(" in") && !list.contains(')')
    });
    match before.ends_with(['(', ',']) {
        true => is_in_list,
        false => before.ends_with(['=', '<', '>']) && !before.ends_with("->"),
    }
}

/// Returns whether `word` is `name` but for a letter or two: a longer way off it is another word.
fn is_mistyped(word: &str, name: &str) -> bool {
    let letters = |text: &str| text.to_lowercase().chars().collect::<Vec<_>>();
    let (word, name) = (letters(word), letters(name));
    edit_distance(&word, &name) <= (word.len() / 5).max(1)
}

/// Returns the characters of the statement at a place.
fn text_at(sql: &str, line: usize, column: usize, length: usize) -> Option<String> {
    let line = sql.lines().nth(line.checked_sub(1)?)?;
    Some(line.chars().skip(column.checked_sub(1)?).take(length).collect())
}

fn quoted_text(typed: &str) -> Option<&str> {
    typed.strip_prefix('"')?.strip_suffix('"')
}

fn in_our_words(error: &DataFusionError, names: &Names) -> SqlError {
    let message = match error {
        DataFusionError::Plan(message)
        | DataFusionError::Execution(message)
        | DataFusionError::NotImplemented(message)
        | DataFusionError::Internal(message)
        | DataFusionError::Configuration(message) => message.clone(),
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            ArrowError::DivideByZero => DIVIDE_BY_ZERO.to_owned(),
            ArrowError::CastError(message)
            | ArrowError::ComputeError(message)
            | ArrowError::ParseError(message)
            | ArrowError::ArithmeticOverflow(message)
            | ArrowError::InvalidArgumentError(message) => message.clone(),
            other => other.to_string(),
        },
        other => other.strip_backtrace(),
    };
    let message = message.lines().next().unwrap_or_default().trim();
    let message = innermost(message);
    if let Some(known) = known(message, names) {
        return known;
    }
    let kind = match error {
        DataFusionError::NotImplemented(_) => Kind::Unsupported,
        _ => Kind::Semantic,
    };
    let message = match starts_with(message, DIVIDE_BY_ZERO) {
        true => "division by zero".to_owned(),
        false => types::in_trinos(message),
    };
    match is_foreign(&message) {
        true => SqlError::new(Kind::Unsupported, "this statement is not supported"),
        false => SqlError::new(kind, first_in_lower_case(&message)),
    }
}

/// What Arrow says of a division by zero.
const DIVIDE_BY_ZERO: &str = "divide by zero";

/// Words that stand before a message and say nothing about the statement.
const PREFIXES: [&str; 8] = [
    "internal error: ",
    "arrow error: ",
    "error during planning: ",
    "execution error: ",
    "schema error: ",
    "cast error: ",
    "compute error: ",
    "invalid argument error: ",
];

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}

/// Takes the wrappings off a message: ours stands inside DataFusion's report on a function.
fn innermost(message: &str) -> &str {
    let mut text = message;
    while let Some(prefix) = PREFIXES.iter().find(|prefix| starts_with(text, prefix)) {
        text = text[prefix.len()..].trim_start();
    }
    for wrapping in ["user-defined coercion failed with: ", "Error during planning: "] {
        if let Some((_, inner)) = text.split_once(wrapping) {
            text = inner;
        }
    }
    let text = text.split(". No function matches the given name").next().unwrap_or(text);
    text.trim_end_matches('.')
}

/// Returns whether the message has words that none of ours has; what it quotes does not count.
fn is_foreign(message: &str) -> bool {
    const WORDS: [&str; 17] = [
        "Exec:",
        "assertion failed",
        "DataFusion",
        "datafusion",
        "Arrow",
        "arrow error",
        "Utf8",
        "logical expression",
        "physical plan",
        "sqltorel",
        "ast node",
        "LogicalPlan",
        "Int64",
        "Internal error",
        "Ident {",
        "Field {",
        "Span(",
    ];
    let unquoted: String = message.split(['\'', '`']).step_by(2).collect();
    WORDS.iter().any(|word| unquoted.contains(word))
}

/// A message begins in lower case, unless its first word is one of SQL.
fn first_in_lower_case(message: &str) -> String {
    let second = message.chars().nth(1);
    match second.is_some_and(char::is_uppercase) {
        true => message.to_owned(),
        false => crate::parse::lower_first(message),
    }
}
