//! `format(format, args…)`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Field, FieldRef, Float32Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::common::{Result, exec_datafusion_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::as_text;
use super::java_format::{Argument, Format};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};
use crate::functions::time::clock::{Zone, is_utc, moment};
use crate::map;
use crate::type_names::trino_type;

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "format(format, x, …)",
        doc: "The format with its specifiers (Java's: `%s`, `%d`, `%,.2f`, `%03d`, `%-7s`, `%2$s`, \
              `%x`, `%e`, `%b`, `%tF`) replaced by the arguments; NULL when the format is NULL, a \
              NULL argument is written `null`. A specifier that does not fit its argument is an \
              error, as are `%a`, `%g`, `%h` and `%tc`.",
        url: "https://trino.io/docs/current/functions/conversion.html",
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("format", &[Takes::Text], checked, invoke).variadic(Takes::Any).udf()
}

fn checked(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let nested = args.arg_fields.iter().skip(1).find(|field| {
        matches!(field.data_type(), DataType::List(_) | DataType::Struct(_) | DataType::Map(..))
            || map::is_map(field)
    });
    match nested {
        Some(field) => plan_err!("Type not supported for formatting: {}", trino_type(field)),
        None => varchar(args),
    }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let formats = rows.text(0)?;
    let columns = (1..rows.width())
        .map(|at| Ok((rows.full_array(at)?, rows.field(at))))
        .collect::<Result<Vec<_>>>()?;
    let constant = formats.constant().map(parsed).transpose()?;
    rows.texts(|row| {
        let Some(text) = formats.get(row)? else { return Ok(None) };
        let arguments = columns
            .iter()
            .map(|(column, field)| argument(column, field, row))
            .collect::<Result<Vec<_>>>()?;
        let written = match &constant {
            Some(format) => format.write(&arguments),
            None => parsed(text)?.write(&arguments),
        };
        written
            .map(Some)
            .map_err(|fault| exec_datafusion_err!("Invalid format string: {text} ({fault})"))
    })
}

fn parsed(text: &str) -> Result<Format> {
    Format::parse(text)
        .map_err(|fault| exec_datafusion_err!("Invalid format string: {text} ({fault})"))
}

/// Returns the value as Java's formatter would get it.
fn argument(column: &ArrayRef, field: &Field, row: usize) -> Result<Argument> {
    if column.data_type().is_null() || column.is_null(row) {
        return Ok(Argument::Null);
    }
    let one = |to: &DataType| cast(&column.slice(row, 1), to);
    Ok(match column.data_type() {
        DataType::Boolean => Argument::Boolean(column.as_boolean().value(row)),
        data_type if data_type.is_integer() => {
            Argument::Integer(one(&DataType::Int64)?.as_primitive::<Int64Type>().value(0))
        }
        DataType::Float64 => Argument::Double(column.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => {
            // Through its own shortest digits, as Java writes a float.
            let value = column.as_primitive::<Float32Type>().value(row);
            Argument::Double(value.to_string().parse().unwrap_or(f64::from(value)))
        }
        DataType::Timestamp(..) | DataType::Date32 => {
            let zone = match column.data_type() {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => None,
            };
            let micros = one(&DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
            let micros = micros.as_primitive::<TimestampMicrosecondType>().value(0);
            let named = zone.as_deref().map(Zone::named).transpose()?;
            let local = named.map_or(Ok(micros), |zone| zone.local(micros))?;
            let at = moment(local)?;
            let text = match (&zone, *column.data_type() == DataType::Date32) {
                (_, true) => at.format("%F").to_string(),
                (None, _) => iso(at),
                (Some(name), _) => {
                    let minutes = (local - micros) / 60_000_000;
                    let name = if is_utc(name) { "UTC".into() } else { Arc::clone(name) };
                    format!("{}{}[{name}]", iso(at), offset(minutes))
                }
            };
            Argument::Time(at, text)
        }
        DataType::Time32(_) | DataType::Time64(_) => {
            let text = as_text::value(column, field, row)?.unwrap_or_default();
            match chrono::NaiveTime::parse_from_str(&text, "%H:%M:%S%.f") {
                Ok(time) => Argument::Time(chrono::NaiveDate::MIN.and_time(time), text),
                Err(_) => Argument::Text(text),
            }
        }
        data_type if is_decimal(data_type) => {
            Argument::Decimal(as_text::value(column, field, row)?.unwrap_or_default())
        }
        _ if map::is_json(field) => {
            let mut text = String::new();
            crate::functions::json::write::value(column, field, row, &mut text)?;
            Argument::Text(text)
        }
        _ => Argument::Text(as_text::value(column, field, row)?.unwrap_or_default()),
    })
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(..) | DataType::Decimal256(..))
}

/// ISO 8601 as Java writes it: without seconds when they are 0, fractions by thousands.
fn iso(at: chrono::NaiveDateTime) -> String {
    use chrono::Timelike;
    let pattern = match (at.second(), at.nanosecond()) {
        (0, 0) => "%FT%H:%M",
        (_, 0) => "%FT%T",
        (_, nanos) if nanos % 1_000_000 == 0 => "%FT%T%.3f",
        _ => "%FT%T%.6f",
    };
    at.format(pattern).to_string()
}

fn offset(minutes: i64) -> String {
    if minutes == 0 {
        return "Z".to_owned();
    }
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}
