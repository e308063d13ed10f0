//! One value as text, the way Athena and the Trino command line print it.

use std::fmt::Write as _;

use arrow::array::{Array, AsArray, StructArray};
use arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Float16Type, Float32Type, Float64Type, TimeUnit,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, Utc};

use super::Result;

/// Appends the value at `row`. NULL appends nothing at the top and `null` inside a list, a map or
/// a row: `[a, null]`, `{key=value, other=null}`.
pub fn push_value(array: &dyn Array, row: usize, out: &mut String) -> Result<()> {
    if array.is_null(row) {
        return Ok(());
    }
    match array.data_type() {
        DataType::Utf8 => out.push_str(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => out.push_str(array.as_string::<i64>().value(row)),
        DataType::Utf8View => out.push_str(array.as_string_view().value(row)),
        DataType::Binary => push_hex(array.as_binary::<i32>().value(row), out),
        DataType::LargeBinary => push_hex(array.as_binary::<i64>().value(row), out),
        DataType::BinaryView => push_hex(array.as_binary_view().value(row), out),
        DataType::FixedSizeBinary(_) => push_hex(array.as_fixed_size_binary().value(row), out),
        DataType::Float16 => {
            push_double(f64::from(array.as_primitive::<Float16Type>().value(row)), out);
        }
        DataType::Float32 => push_real(array.as_primitive::<Float32Type>().value(row), out),
        DataType::Float64 => push_double(array.as_primitive::<Float64Type>().value(row), out),
        DataType::Decimal128(..) => {
            out.push_str(&array.as_primitive::<Decimal128Type>().value_as_string(row));
        }
        DataType::Decimal256(..) => {
            out.push_str(&array.as_primitive::<Decimal256Type>().value_as_string(row));
        }
        DataType::Timestamp(unit, None) => push_timestamp(array, row, *unit, out),
        DataType::Timestamp(_, Some(zone)) => push_zoned(array, row, zone, out)?,
        DataType::List(_) => push_list(array.as_list::<i32>().value(row), out)?,
        DataType::LargeList(_) => push_list(array.as_list::<i64>().value(row), out)?,
        DataType::Map(..) => push_entries(&array.as_map().value(row), out)?,
        DataType::Struct(_) => push_fields(array.as_struct(), row, out)?,
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let key = dictionary.normalized_keys()[row];
            push_value(dictionary.values(), key, out)?;
        }
        DataType::Interval(_) | DataType::Duration(_) => {
            out.push_str(&traillake_query::interval_text(array, row).unwrap_or_default());
        }
        _ => {
            let options = FormatOptions::default();
            write!(out, "{}", ArrayFormatter::try_new(array, &options)?.value(row))?;
        }
    }
    Ok(())
}

/// Returns true for types whose values read best flush right.
pub fn is_numeric(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

/// Returns the double in Java's spelling, which Trino's text casts use: `1.0`, `1.0E7`, `NaN`.
pub fn push_double(value: f64, out: &mut String) {
    push_floating(format!("{value:e}"), value.abs(), value, out);
}

fn push_real(value: f32, out: &mut String) {
    push_floating(format!("{value:e}"), f64::from(value.abs()), f64::from(value), out);
}

/// Java prints plain decimals from 1e-3 up to 1e7 and scientific notation elsewhere, both with the
/// shortest digits that read back; Rust's `{:e}` has those digits.
fn push_floating(scientific: String, magnitude: f64, value: f64, out: &mut String) {
    let plain = magnitude == 0.0 || (1e-3..1e7).contains(&magnitude);
    let parts = scientific.split_once('e').and_then(|(m, e)| Some((m, e.parse::<i32>().ok()?)));
    match (value.is_finite(), parts) {
        (true, Some((mantissa, exponent))) if plain => push_plain(mantissa, exponent, out),
        (true, Some((mantissa, exponent))) => {
            let dot = if mantissa.contains('.') { "" } else { ".0" };
            let _ = write!(out, "{mantissa}{dot}E{exponent}");
        }
        _ if value.is_nan() => out.push_str("NaN"),
        _ => out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" }),
    }
}

fn push_plain(mantissa: &str, exponent: i32, out: &mut String) {
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    out.push_str(sign);
    match usize::try_from(exponent) {
        Ok(exponent) => {
            let whole = exponent + 1;
            let padded = format!("{digits:0<whole$}");
            let (whole, fraction) = padded.split_at(whole);
            let _ = write!(out, "{whole}.{}", if fraction.is_empty() { "0" } else { fraction });
        }
        Err(_) => {
            let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
            let _ = write!(out, "0.{zeros}{digits}");
        }
    }
}

/// Returns the moment at `row` of timestamps in `unit`; none beyond what a calendar holds.
pub(crate) fn moment(array: &dyn Array, row: usize, unit: TimeUnit) -> Option<DateTime<Utc>> {
    use arrow::datatypes::{
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
        TimestampSecondType,
    };
    match unit {
        TimeUnit::Second => {
            DateTime::from_timestamp(array.as_primitive::<TimestampSecondType>().value(row), 0)
        }
        TimeUnit::Millisecond => DateTime::from_timestamp_millis(
            array.as_primitive::<TimestampMillisecondType>().value(row),
        ),
        TimeUnit::Microsecond => DateTime::from_timestamp_micros(
            array.as_primitive::<TimestampMicrosecondType>().value(row),
        ),
        TimeUnit::Nanosecond => Some(DateTime::from_timestamp_nanos(
            array.as_primitive::<TimestampNanosecondType>().value(row),
        )),
    }
}

/// Appends `YYYY-MM-DD HH:MM:SS.mmm`, with six or nine digits when a value has them.
fn push_timestamp(array: &dyn Array, row: usize, unit: TimeUnit, out: &mut String) {
    let Some(time) = moment(array, row, unit) else {
        out.push_str("out of range");
        return;
    };
    let _ = match time.timestamp_subsec_nanos() {
        nanos if nanos % 1_000_000 == 0 => write!(out, "{}", time.format("%Y-%m-%d %H:%M:%S%.3f")),
        nanos if nanos % 1_000 == 0 => write!(out, "{}", time.format("%Y-%m-%d %H:%M:%S%.6f")),
        _ => write!(out, "{}", time.format("%Y-%m-%d %H:%M:%S%.9f")),
    };
}

/// Appends a time of a type with a zone: the wall clock there and the zone's name, as Trino does.
fn push_zoned(array: &dyn Array, row: usize, zone: &str, out: &mut String) -> Result<()> {
    let options = FormatOptions::default().with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.3f"));
    let zone = if matches!(zone, "+00:00" | "Z") { "UTC" } else { zone };
    write!(out, "{} {zone}", ArrayFormatter::try_new(array, &options)?.value(row))?;
    Ok(())
}

fn push_hex(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}

fn push_list(values: arrow::array::ArrayRef, out: &mut String) -> Result<()> {
    out.push('[');
    for row in 0..values.len() {
        out.push_str(if row > 0 { ", " } else { "" });
        push_inner(&values, row, out)?;
    }
    out.push(']');
    Ok(())
}

fn push_entries(entries: &StructArray, out: &mut String) -> Result<()> {
    out.push('{');
    for row in 0..entries.len() {
        out.push_str(if row > 0 { ", " } else { "" });
        push_inner(entries.column(0), row, out)?;
        out.push('=');
        push_inner(entries.column(1), row, out)?;
    }
    out.push('}');
    Ok(())
}

fn push_fields(fields: &StructArray, row: usize, out: &mut String) -> Result<()> {
    out.push('{');
    for (i, (field, column)) in fields.fields().iter().zip(fields.columns()).enumerate() {
        out.push_str(if i > 0 { ", " } else { "" });
        out.push_str(field.name());
        out.push('=');
        push_inner(column, row, out)?;
    }
    out.push('}');
    Ok(())
}

fn push_inner(array: &dyn Array, row: usize, out: &mut String) -> Result<()> {
    match array.is_null(row) || *array.data_type() == DataType::Null {
        true => out.push_str("null"),
        false => push_value(array, row, out)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_read_as_java_prints_them() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (1234.5, "1234.5"),
            (0.001, "0.001"),
            (0.000_12, "1.2E-4"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (-1.234e21, "-1.234E21"),
            (0.1 + 0.2, "0.30000000000000004"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            let mut out = String::new();
            push_double(value, &mut out);
            assert_eq!(out, expected);
        }
    }
}
