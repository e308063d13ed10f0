//! What values stand for `?`? `ExecutionParameters` are SQL literals as text:
//! <https://docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html>.
//!
//! They are read here and bound by the engine, never pasted into the statement. Text that is no
//! literal of another kind, and has no quote that could be meant as SQL, is a text itself.

use traillake_query::{Parameters, Value};

use super::{Fault, check_length, invalid};
use crate::literal_types;
use crate::queries::STATEMENT_BYTES_MAX;

/// Returns the values of a statement's `?`, in their order.
///
/// # Errors
/// For a value that is longer than Athena allows, or that is SQL but no literal; for more values
/// than a statement could have written out.
pub(super) fn read(texts: &[String]) -> Result<Parameters, Fault> {
    let bytes: usize = texts.iter().map(String::len).sum();
    if bytes > STATEMENT_BYTES_MAX {
        return Err(invalid(format!(
            "`ExecutionParameters` have {bytes} bytes; the limit is {STATEMENT_BYTES_MAX}"
        )));
    }
    let mut parameters = Parameters::default();
    for (i, text) in texts.iter().enumerate() {
        check_length("ExecutionParameters", text, 1..=1024)?;
        let value = literal(text.trim()).ok_or_else(|| {
            let place = i + 1;
            invalid(format!("execution parameter {place} is no literal: `{text}`"))
        })?;
        parameters.positional.push(value);
    }
    Ok(parameters)
}

fn literal(text: &str) -> Option<Value> {
    if let Some(text) = quoted(text) {
        return Some(Value::Text(text));
    }
    if let Some(value) = typed(text).or_else(|| number(text)) {
        return Some(value);
    }
    Some(match text.to_ascii_uppercase().as_str() {
        "NULL" => Value::Null,
        "TRUE" => Value::Boolean(true),
        "FALSE" => Value::Boolean(false),
        _ if text.contains('\'') => return None,
        _ => Value::Text(text.to_owned()),
    })
}

/// The text of `'it''s'`.
fn quoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let without_pairs = inner.replace("''", "");
    (!without_pairs.contains('\'')).then(|| inner.replace("''", "'"))
}

/// `DATE '2024-05-01'`, `TIMESTAMP '2024-05-01 12:00:00'`, `DECIMAL '1.50'`, `BIGINT '7'`, …
fn typed(text: &str) -> Option<Value> {
    let (word, rest) = text.split_at(text.find('\'')?);
    let text = quoted(rest)?;
    let type_name = match word.trim_end().to_ascii_uppercase().as_str() {
        "DATE" => "date".to_owned(),
        "TIME" => literal_types::time(&text),
        "TIMESTAMP" => literal_types::timestamp(&text),
        "DECIMAL" => literal_types::decimal(&text)?,
        word @ ("BIGINT" | "INTEGER" | "SMALLINT" | "TINYINT" | "REAL" | "DOUBLE" | "BOOLEAN"
        | "VARCHAR" | "JSON" | "IPADDRESS" | "UUID") => word.to_ascii_lowercase(),
        _ => return None,
    };
    Some(Value::Typed { text, type_name })
}

fn number(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let begins = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let only = |allowed: &str| digits.chars().all(|c| c.is_ascii_digit() || allowed.contains(c));
    if !begins {
        return None;
    }
    if only("")
        && let Ok(integer) = text.strip_prefix('+').unwrap_or(text).parse()
    {
        return Some(Value::Integer(integer));
    }
    if only(".") {
        let type_name = literal_types::decimal(text)?;
        return Some(Value::Typed { text: text.to_owned(), type_name });
    }
    let double = text.parse().ok().filter(|double: &f64| double.is_finite());
    double.filter(|_| only(".eE+-")).map(Value::Double)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str, type_name: &str) -> Option<Value> {
        Some(Value::Typed { text: text.into(), type_name: type_name.into() })
    }

    #[test]
    fn literals_are_read_as_athena_does() {
        let text = |text: &str| Some(Value::Text(text.into()));
        for (given, expected) in [
            ("'abc'", text("abc")),
            ("''", text("")),
            ("'it''s'", text("it's")),
            ("'12'", text("12")),
            ("'x'' OR ''1''=''1'", text("x' OR '1'='1")),
            ("12", Some(Value::Integer(12))),
            ("-12", Some(Value::Integer(-12))),
            ("+7", Some(Value::Integer(7))),
            ("1.50", typed("1.50", "decimal(3, 2)")),
            ("-.5", typed("-.5", "decimal(1, 1)")),
            ("9223372036854775808", typed("9223372036854775808", "decimal(19, 0)")),
            ("1e3", Some(Value::Double(1000.0))),
            ("true", Some(Value::Boolean(true))),
            ("NULL", Some(Value::Null)),
            ("DATE '2024-05-01'", typed("2024-05-01", "date")),
            ("date'2024-05-01'", typed("2024-05-01", "date")),
            ("TIMESTAMP '2024-05-01 12:00:00'", typed("2024-05-01 12:00:00", "timestamp(3)")),
            (
                "timestamp '2024-05-01 12:00:00.123'",
                typed("2024-05-01 12:00:00.123", "timestamp(3)"),
            ),
            (
                "TIMESTAMP '2024-05-01 12:00:00.5 UTC'",
                typed("2024-05-01 12:00:00.5 UTC", "timestamp(3) with time zone"),
            ),
            ("DECIMAL '010.25'", typed("010.25", "decimal(4, 2)")),
            ("eu-central-1", text("eu-central-1")),
            ("2024-05-01", text("2024-05-01")),
            ("203.0.113.7", text("203.0.113.7")),
            ("111122223333abc", text("111122223333abc")),
            ("1e400e", text("1e400e")),
            ("1) OR (1=1", text("1) OR (1=1")),
            ("'a' OR 'b'", None),
            ("'a' || 'b'", None),
            ("'open", None),
            ("concat('a', 'b')", None),
            ("DATE 'a' + INTERVAL 'b'", None),
        ] {
            assert_eq!(literal(given), expected, "{given}");
        }
    }
}
