//! Values as Trino writes them: what `CAST(x AS varchar)` gives.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{
    DataType, Field, Float32Type, Float64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;

use crate::functions::support::{Texts, invalid, is_text};
use crate::functions::time::clock::{Zone, is_utc, moment};
use crate::intervals::interval_text;
use crate::json;
use crate::map;
use crate::type_names::trino_type;

/// Returns the value at `row` as text; none for NULL.
pub(crate) fn value(array: &ArrayRef, field: &Field, row: usize) -> Result<Option<String>> {
    if array.data_type().is_null() || array.is_null(row) {
        return Ok(None);
    }
    match array.data_type() {
        data_type if is_text(data_type) => {
            let text = Texts::of(array)?.get(row).unwrap_or_default();
            if !map::is_json(field) {
                return Ok(Some(text.to_owned()));
            }
            match text.trim_start().as_bytes().first() {
                Some(b'{' | b'[') => invalid(format!("Cannot cast '{text}' to varchar")),
                _ => Ok(json::text(text).map(|text| text.into_owned())),
            }
        }
        DataType::Float64 => Ok(Some(double(array.as_primitive::<Float64Type>().value(row)))),
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            Ok(Some(exponent(format!("{value:e}"), f64::from(value))))
        }
        DataType::Timestamp(unit, zone) => timestamp(array, *unit, zone.as_deref(), row).map(Some),
        DataType::List(_) | DataType::Struct(_) | DataType::Map(..) => invalid(format!(
            "Cannot cast {} to varchar; `json_format(CAST(… AS json))` writes it",
            trino_type(field)
        )),
        DataType::Interval(_) | DataType::Duration(_) => Ok(interval_text(array, row)),
        _ => {
            let formatter = ArrayFormatter::try_new(array.as_ref(), &FormatOptions::default())?;
            Ok(Some(formatter.value(row).to_string()))
        }
    }
}

fn timestamp(array: &ArrayRef, unit: TimeUnit, zone: Option<&str>, row: usize) -> Result<String> {
    let micros_type = DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
    let micros = datafusion::arrow::compute::cast(&array.slice(row, 1), &micros_type)?;
    let micros = micros.as_primitive::<TimestampMicrosecondType>().value(0);
    let local = match zone {
        Some(name) => Zone::named(name)?.local(micros)?,
        None => micros,
    };
    let pattern = match unit {
        TimeUnit::Second => "%F %T",
        TimeUnit::Millisecond => "%F %T%.3f",
        TimeUnit::Microsecond | TimeUnit::Nanosecond => "%F %T%.6f",
    };
    let text = moment(local)?.format(pattern).to_string();
    Ok(match zone {
        Some(name) if is_utc(name) => format!("{text} UTC"),
        Some(name) => format!("{text} {name}"),
        None => text,
    })
}

/// Writes a double as Java's scientific notation: `1.0E0`, `1.2345E2`.
pub(crate) fn double(value: f64) -> String {
    exponent(format!("{value:e}"), value)
}

fn exponent(written: String, value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let (mantissa, power) = written.split_once('e').unwrap_or((&written, "0"));
    let point = if mantissa.contains('.') { "" } else { ".0" };
    format!("{mantissa}{point}E{power}")
}
