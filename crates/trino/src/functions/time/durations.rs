//! `parse_duration(text)`, `to_milliseconds(interval)`, `human_readable_seconds(seconds)`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, PrimitiveArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Field, FieldRef, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
    IntervalUnit,
};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint, returns, varchar};
use crate::type_names::trino_type;

const MILLIS_PER_DAY: i64 = 86_400_000;

pub(super) fn functions() -> Vec<Function> {
    let function =
        |syntax, doc, udf| Function { family: "time", syntax, doc, url: super::URL, udf };
    vec![
        function(
            "human_readable_seconds(seconds)",
            "Seconds as weeks, days, hours, minutes and seconds: `1 hour, 2 minutes, 42 seconds`. \
             The sign is dropped; infinite seconds are an error.",
            Scalar::new("human_readable_seconds", &[Takes::Number], varchar, readable).udf(),
        ),
        function(
            "parse_duration(text)",
            "The interval of text such as `42.8ms` or `3.81 d`, to milliseconds; units are ns, us, \
             ms, s, m, h and d. Other text is an error.",
            Scalar::new("parse_duration", &[Takes::Text], interval, parse).udf(),
        ),
        function(
            "to_milliseconds(interval)",
            "The milliseconds of an interval of days to seconds, as bigint.",
            Scalar::new("to_milliseconds", &[Takes::Any], millis_of, to_milliseconds).udf(),
        ),
    ]
}

fn interval(_args: &ReturnFieldArgs) -> Result<FieldRef> {
    returns(DataType::Interval(IntervalUnit::MonthDayNano))
}

fn parse(rows: &Rows) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    let values = (0..rows.count()).map(|row| {
        let Some(text) = texts.get(row)? else { return Ok(None) };
        let millis = duration(text)?;
        let (days, rest) = (millis / MILLIS_PER_DAY, millis % MILLIS_PER_DAY);
        match i32::try_from(days) {
            Ok(days) => Ok(Some(IntervalMonthDayNano::new(0, days, rest * 1_000_000))),
            Err(_) => exec_err!("duration out of range: {text}"),
        }
    });
    let values: PrimitiveArray<IntervalMonthDayNanoType> = values.collect::<Result<_>>()?;
    rows.finish(Arc::new(values))
}

/// Returns the milliseconds of a duration, half up.
fn duration(text: &str) -> Result<i64> {
    if text.is_empty() {
        return exec_err!("duration is empty");
    }
    let trimmed = text.trim();
    let end = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(trimmed.len());
    let (number, unit) = (trimmed[..end].parse::<f64>(), trimmed[end..].trim());
    let letters = !unit.is_empty() && unit.chars().all(|c| c.is_ascii_alphabetic());
    let (Ok(number), true) = (number, letters) else {
        return exec_err!("duration is not a valid data duration string: {text}");
    };
    let millis = match unit {
        "ns" => 1e-6,
        "us" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 6e4,
        "h" => 3.6e6,
        "d" => 8.64e7,
        _ => return exec_err!("Unknown time unit: {unit}"),
    };
    let millis = (number * millis + 0.5).floor();
    if millis >= 9.0e18 {
        return exec_err!("duration out of range: {text}");
    }
    Ok(millis as i64)
}

fn millis_of(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let field: &Field = &args.arg_fields[0];
    match field.data_type() {
        DataType::Interval(_) | DataType::Duration(_) | DataType::Null => bigint(args),
        _ => plan_err!("`to_milliseconds` takes an interval, not {}", trino_type(field)),
    }
}

fn to_milliseconds(rows: &Rows) -> Result<ColumnarValue> {
    let array = cast(&rows.full_array(0)?, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    let intervals = array.as_primitive::<IntervalMonthDayNanoType>();
    rows.primitives::<Int64Type>(|row| {
        if intervals.is_null(row) {
            return Ok(None);
        }
        let value = intervals.value(row);
        if value.months != 0 {
            return exec_err!("months have no fixed number of milliseconds");
        }
        Ok(Some(i64::from(value.days) * MILLIS_PER_DAY + value.nanoseconds / 1_000_000))
    })
}

fn readable(rows: &Rows) -> Result<ColumnarValue> {
    let seconds = rows.number(0)?;
    rows.texts(|row| {
        let Some(seconds) = seconds.get(row) else { return Ok(None) };
        if !seconds.is_finite() {
            return exec_err!("Invalid argument found: {seconds}");
        }
        let mut rest = seconds.abs().round() as u64;
        let mut parts = Vec::new();
        let units =
            [("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)];
        for (unit, length) in units {
            let count = rest / length;
            rest %= length;
            match count {
                0 if unit != "second" || !parts.is_empty() => {}
                1 => parts.push(format!("1 {unit}")),
                count => parts.push(format!("{count} {unit}s")),
            }
        }
        Ok(Some(parts.join(", ")))
    })
}
