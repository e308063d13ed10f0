//! Comparisons between a timestamp, a boolean or a number and text.
//!
//! CloudTrail Lake compares timestamps with text in every spelling, and people compare booleans
//! with `'true'`. The text becomes a value of the column's type, never the reverse: only a bare
//! column prunes. A number as text is what most clients bind: they know no other values.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{Expr, ExprSchemable, cast, lit};

use crate::functions::internal::time_of_text;
use crate::functions::support::is_text;
use crate::functions::time::read;

/// Returns both sides with one type, or none when they compare as they are.
pub(crate) fn fit(
    left: &Expr,
    right: &Expr,
    schema: &datafusion::common::DFSchema,
) -> Result<Option<(Expr, Expr)>> {
    let types = (left.get_type(schema), right.get_type(schema));
    let (Ok(left_type), Ok(right_type)) = types else { return Ok(None) };
    if text(left).is_some() && right_type.is_numeric() {
        let left = fit_one(right, &right_type, left, &left_type)?;
        return Ok(left.map(|left| (left, right.clone())));
    }
    if let Some(right) = fit_one(left, &left_type, right, &right_type)? {
        return Ok(Some((left.clone(), right)));
    }
    Ok(fit_one(right, &right_type, left, &left_type)?.map(|left| (left, right.clone())))
}

/// Returns `other` as a value of `value`'s type; none when it compares as it is.
pub(crate) fn fit_one(
    value: &Expr,
    value_type: &DataType,
    other: &Expr,
    other_type: &DataType,
) -> Result<Option<Expr>> {
    match value_type {
        DataType::Timestamp(..) | DataType::Date32 if is_text(other_type) => match text(other) {
            Some(text) => time_literal(text, value_type).map(Some),
            None => time_of_text(other.clone(), value_type).map(Some),
        },
        // A constant of another precision takes the column's, so that the column stays bare.
        DataType::Timestamp(..)
            if matches!(other_type, DataType::Timestamp(..))
                && value_type != other_type
                && is_column(value)
                && other.column_refs().is_empty() =>
        {
            Ok(Some(cast(other.clone(), value_type.clone())))
        }
        DataType::Boolean if is_text(other_type) => match (text(other), truth(value)) {
            (Some(text), _) => match text.to_ascii_lowercase().as_str() {
                "true" => Ok(Some(lit(true))),
                "false" => Ok(Some(lit(false))),
                _ => plan_err!("`'{text}'` is compared with a boolean; write true or false"),
            },
            // `sessionCredentialFromConsole = true`: the column is text and stays bare.
            (None, Some(_)) => Ok(None),
            (None, None) => Ok(Some(cast(other.clone(), DataType::Boolean))),
        },
        data_type if is_text(data_type) && *other_type == DataType::Boolean => {
            Ok(truth(other).map(|truth| lit(if truth { "true" } else { "false" })))
        }
        data_type if data_type.is_numeric() && is_text(other_type) => {
            text(other).map(number_literal).transpose()
        }
        // Else the text of every row would be read as a number, and the first that is none ends it.
        data_type if is_text(data_type) && other_type.is_numeric() => match other {
            Expr::Literal(number, _) => plan_err!(
                "`{number}` is compared with text but is a number; write it in quotes: '{number}'"
            ),
            _ => plan_err!("a number is compared with text; `CAST(… AS varchar)` makes it text"),
        },
        _ => Ok(None),
    }
}

/// Reads a literal as a number, with all its digits.
fn number_literal(text: &str) -> Result<Expr> {
    let trimmed = text.trim();
    if let Ok(number) = trimmed.parse::<i64>() {
        return Ok(lit(number));
    }
    if let Some(decimal) = decimal(trimmed) {
        return Ok(lit(decimal));
    }
    match trimmed.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(lit(number)),
        _ => plan_err!("`'{text}'` is compared with a number but is none"),
    }
}

/// Reads `-12.50`: no exponent, and no more digits than a decimal has.
fn decimal(text: &str) -> Option<ScalarValue> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction}");
    let count = digits.trim_start_matches(['+', '-']).len();
    let precision = u8::try_from(count).ok().filter(|digits| (1..=38).contains(digits))?;
    let is_plain = fraction.bytes().all(|byte| byte.is_ascii_digit());
    let unscaled = digits.parse::<i128>().ok().filter(|_| is_plain)?;
    Some(ScalarValue::Decimal128(Some(unscaled), precision, i8::try_from(fraction.len()).ok()?))
}

/// Reads a literal as a value of a date or timestamp type.
fn time_literal(text: &str, data_type: &DataType) -> Result<Expr> {
    let Some(read) = read::timestamp(text) else {
        return plan_err!(
            "`'{text}'` is compared with a timestamp but is none; write it as \
             '2023-01-31 10:00:00'"
        );
    };
    let micros = ScalarValue::TimestampMicrosecond(Some(read.micros), None);
    let value = match data_type {
        DataType::Timestamp(unit, Some(zone)) => {
            let utc = DataType::Timestamp(TimeUnit::Microsecond, Some(zone.clone()));
            let utc = ScalarValue::new_primitive::<
                datafusion::arrow::datatypes::TimestampMicrosecondType,
            >(Some(read.micros), &utc)?;
            utc.cast_to(&DataType::Timestamp(*unit, Some(zone.clone())))?
        }
        other => micros.cast_to(other)?,
    };
    Ok(lit(value))
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        Expr::Alias(alias) => text(&alias.expr),
        _ => None,
    }
}

fn truth(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Literal(ScalarValue::Boolean(truth), _) => *truth,
        Expr::Alias(alias) => truth(&alias.expr),
        _ => None,
    }
}

fn is_column(expr: &Expr) -> bool {
    !expr.column_refs().is_empty()
}
