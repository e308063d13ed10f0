//! A value as Trino's JSON has it: numbers for numbers, text for what JSON has no form for, arrays
//! for arrays and rows, objects for maps.

use std::fmt::Write as _;

use arrow::array::timezone::Tz;
use arrow::array::{Array, AsArray, StructArray};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal128Type, Decimal256Type, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTimeType,
    IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::columns::digits;
use crate::formats::{Result, moment, push_value};

/// Appends the value at `row`; `precise` times have all the digits of their type, others three.
///
/// # Errors
/// A value of a type that has no text.
pub(super) fn push(array: &dyn Array, row: usize, precise: bool, out: &mut String) -> Result<()> {
    if array.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    macro_rules! number {
        ($kind:ty) => {
            write!(out, "{}", array.as_primitive::<$kind>().value(row))?
        };
    }
    match array.data_type() {
        DataType::Null => out.push_str("null"),
        DataType::Boolean => write!(out, "{}", array.as_boolean().value(row))?,
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float16 => {
            push_double(f64::from(array.as_primitive::<Float16Type>().value(row)), out);
        }
        DataType::Float32 => push_real(array.as_primitive::<Float32Type>().value(row), out)?,
        DataType::Float64 => push_double(array.as_primitive::<Float64Type>().value(row), out),
        DataType::Decimal128(..) => {
            push_text(&array.as_primitive::<Decimal128Type>().value_as_string(row), out);
        }
        DataType::Decimal256(..) => {
            push_text(&array.as_primitive::<Decimal256Type>().value_as_string(row), out);
        }
        DataType::Utf8 => push_text(array.as_string::<i32>().value(row), out),
        DataType::LargeUtf8 => push_text(array.as_string::<i64>().value(row), out),
        DataType::Utf8View => push_text(array.as_string_view().value(row), out),
        DataType::Binary => push_bytes(array.as_binary::<i32>().value(row), out),
        DataType::LargeBinary => push_bytes(array.as_binary::<i64>().value(row), out),
        DataType::BinaryView => push_bytes(array.as_binary_view().value(row), out),
        DataType::FixedSizeBinary(_) => push_bytes(array.as_fixed_size_binary().value(row), out),
        DataType::List(_) => push_list(&array.as_list::<i32>().value(row), precise, out)?,
        DataType::LargeList(_) => push_list(&array.as_list::<i64>().value(row), precise, out)?,
        DataType::FixedSizeList(..) => {
            push_list(&array.as_fixed_size_list().value(row), precise, out)?;
        }
        DataType::Map(..) => push_map(&array.as_map().value(row), precise, out)?,
        DataType::Struct(_) => push_row(array.as_struct(), row, precise, out)?,
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            push(dictionary.values(), dictionary.normalized_keys()[row], precise, out)?;
        }
        _ => push_time(array, row, precise, out)?,
    }
    Ok(())
}

/// Dates, times and lengths of time: texts.
fn push_time(array: &dyn Array, row: usize, precise: bool, out: &mut String) -> Result<()> {
    out.push('"');
    match array.data_type() {
        DataType::Date32 => push_date(array.as_primitive::<Date32Type>().value_as_date(row), out)?,
        DataType::Date64 => push_date(array.as_primitive::<Date64Type>().value_as_date(row), out)?,
        DataType::Time32(unit) | DataType::Time64(unit) => {
            push_time_of_day(array, row, *unit, precise, out)?;
        }
        DataType::Timestamp(unit, zone) => {
            push_timestamp(array, row, (*unit, zone.as_deref()), precise, out)?;
        }
        DataType::Duration(unit) => push_length(duration(array, row, *unit), out)?,
        DataType::Interval(IntervalUnit::YearMonth) => {
            push_months(array.as_primitive::<IntervalYearMonthType>().value(row), out)?;
        }
        DataType::Interval(IntervalUnit::DayTime) => {
            let value = array.as_primitive::<IntervalDayTimeType>().value(row);
            let millis = i128::from(value.days) * DAY_MILLIS + i128::from(value.milliseconds);
            push_length(millis, out)?;
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            let millis = i128::from(value.nanoseconds) / 1_000_000;
            match (value.months, value.days, millis) {
                (0, days, millis) => push_length(i128::from(days) * DAY_MILLIS + millis, out)?,
                (months, 0, 0) => push_months(months, out)?,
                (months, days, millis) => {
                    let days = i128::from(months) * 30 + i128::from(days);
                    push_length(days * DAY_MILLIS + millis, out)?;
                }
            }
        }
        _ => {
            let mut text = String::new();
            push_value(array, row, &mut text)?;
            let quoted = serde_json::to_string(&text)?;
            out.push_str(quoted.trim_matches('"'));
        }
    }
    out.push('"');
    Ok(())
}

const DAY_MILLIS: i128 = 86_400_000;

/// JSON has no name for the others: they are texts.
pub(super) fn push_double(value: f64, out: &mut String) {
    match serde_json::Number::from_f64(value) {
        Some(number) => out.push_str(&number.to_string()),
        None if value.is_nan() => out.push_str("\"NaN\""),
        None => out.push_str(if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" }),
    }
}

fn push_real(value: f32, out: &mut String) -> Result<()> {
    match value.is_finite() {
        true => out.push_str(&serde_json::to_string(&value)?),
        false => push_double(f64::from(value), out),
    }
    Ok(())
}

/// Appends a JSON string.
pub(super) fn push_text(text: &str, out: &mut String) {
    // Writing a text to memory as JSON cannot fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

fn push_bytes(bytes: &[u8], out: &mut String) {
    out.push('"');
    STANDARD.encode_string(bytes, out);
    out.push('"');
}

fn push_list(values: &dyn Array, precise: bool, out: &mut String) -> Result<()> {
    out.push('[');
    for row in 0..values.len() {
        out.push_str(if row > 0 { "," } else { "" });
        push(values, row, precise, out)?;
    }
    out.push(']');
    Ok(())
}

/// The keys of an object are texts: what the key is as a value, in quotes.
fn push_map(entries: &StructArray, precise: bool, out: &mut String) -> Result<()> {
    out.push('{');
    for row in 0..entries.len() {
        out.push_str(if row > 0 { "," } else { "" });
        let mut key = String::new();
        push(entries.column(0), row, precise, &mut key)?;
        match key.starts_with('"') {
            true => out.push_str(&key),
            false => push_text(&key, out),
        }
        out.push(':');
        push(entries.column(1), row, precise, out)?;
    }
    out.push('}');
    Ok(())
}

fn push_row(array: &StructArray, row: usize, precise: bool, out: &mut String) -> Result<()> {
    out.push('[');
    for (i, column) in array.columns().iter().enumerate() {
        out.push_str(if i > 0 { "," } else { "" });
        push(column, row, precise, out)?;
    }
    out.push(']');
    Ok(())
}

fn push_date(date: Option<chrono::NaiveDate>, out: &mut String) -> Result<()> {
    match date {
        Some(date) => write!(out, "{}", date.format("%Y-%m-%d"))?,
        None => out.push_str("out of range"),
    }
    Ok(())
}

fn push_time_of_day(
    array: &dyn Array,
    row: usize,
    unit: TimeUnit,
    precise: bool,
    out: &mut String,
) -> Result<()> {
    let nanos = match unit {
        TimeUnit::Second => {
            i64::from(array.as_primitive::<Time32SecondType>().value(row)) * 1_000_000_000
        }
        TimeUnit::Millisecond => {
            i64::from(array.as_primitive::<Time32MillisecondType>().value(row)) * 1_000_000
        }
        TimeUnit::Microsecond => array.as_primitive::<Time64MicrosecondType>().value(row) * 1_000,
        TimeUnit::Nanosecond => array.as_primitive::<Time64NanosecondType>().value(row),
    };
    let seconds = nanos.div_euclid(1_000_000_000);
    write!(out, "{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)?;
    push_fraction(nanos.rem_euclid(1_000_000_000) as u32, unit, precise, out)
}

/// As many digits as the type has.
fn push_fraction(nanos: u32, unit: TimeUnit, precise: bool, out: &mut String) -> Result<()> {
    let digits = if precise { digits(unit) } else { 3 };
    if digits > 0 {
        let width = digits as usize;
        write!(out, ".{:0width$}", nanos / 10_u32.pow(9 - digits))?;
    }
    Ok(())
}

/// A zone's times are its wall clock's, with its name behind.
fn push_timestamp(
    array: &dyn Array,
    row: usize,
    (unit, zone): (TimeUnit, Option<&str>),
    precise: bool,
    out: &mut String,
) -> Result<()> {
    let Some(time) = moment(array, row, unit) else {
        out.push_str("out of range");
        return Ok(());
    };
    const CLOCK: &str = "%Y-%m-%d %H:%M:%S";
    match zone {
        None => write!(out, "{}", time.format(CLOCK))?,
        Some(name) => write!(out, "{}", time.with_timezone(&name.parse::<Tz>()?).format(CLOCK))?,
    }
    push_fraction(time.timestamp_subsec_nanos(), unit, precise, out)?;
    match zone {
        Some("+00:00" | "Z" | "UTC") => out.push_str(" UTC"),
        Some(name) => write!(out, " {name}")?,
        None => {}
    }
    Ok(())
}

/// Milliseconds.
fn duration(array: &dyn Array, row: usize, unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Second => {
            i128::from(array.as_primitive::<DurationSecondType>().value(row)) * 1_000
        }
        TimeUnit::Millisecond => array.as_primitive::<DurationMillisecondType>().value(row).into(),
        TimeUnit::Microsecond => {
            i128::from(array.as_primitive::<DurationMicrosecondType>().value(row)) / 1_000
        }
        TimeUnit::Nanosecond => {
            i128::from(array.as_primitive::<DurationNanosecondType>().value(row)) / 1_000_000
        }
    }
}

/// `2 03:04:05.006`
fn push_length(millis: i128, out: &mut String) -> Result<()> {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    let (days, rest) = (millis / 86_400_000, millis % 86_400_000);
    let (hours, minutes) = (rest / 3_600_000, rest / 60_000 % 60);
    let (seconds, millis) = (rest / 1_000 % 60, rest % 1_000);
    write!(out, "{sign}{days} {hours:02}:{minutes:02}:{seconds:02}.{millis:03}")?;
    Ok(())
}

/// `1-02`, years and months.
fn push_months(months: i32, out: &mut String) -> Result<()> {
    let sign = if months < 0 { "-" } else { "" };
    let months = months.unsigned_abs();
    write!(out, "{sign}{}-{}", months / 12, months % 12)?;
    Ok(())
}
