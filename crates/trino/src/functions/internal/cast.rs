//! `$cast(value, 'type')`, `$try_cast(value, 'type')`: Trino's casts
//! (<https://trino.io/docs/current/functions/conversion.html>).
//!
//! The analyzer turns casts that DataFusion does alike into its own, so that they prune; the rest
//! is done here: text to anything, anything to text, rounding, JSON, nested types.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, MapArray, StringBuilder,
    StructArray,
};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimestampMicrosecondType};
use datafusion::common::{Result, exec_datafusion_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use crate::functions::json::{typed, write};
use crate::functions::support::{Rows, Scalar, Takes, Texts, constant_text, invalid, is_text};
use crate::functions::text::as_text;
use crate::functions::time::clock;
use crate::functions::time::read::{self, Read};
use crate::map;
use crate::rewrite::internal::{CAST, TRY_CAST};
use crate::type_names::{TrinoType, trino_type};

pub(super) fn udf(lenient: bool) -> ScalarUDF {
    let takes = [Takes::Any, Takes::Text];
    match lenient {
        true => Scalar::new(TRY_CAST, &takes, returns, |rows| invoke(rows, true)).udf(),
        false => Scalar::new(CAST, &takes, returns, |rows| invoke(rows, false)).udf(),
    }
}

/// Returns the type a cast names.
pub(crate) fn target(name: &str, value: Option<&str>) -> Result<TrinoType> {
    // A literal `TIMESTAMP '…'` has the digits and the zone that its text has.
    if name.ends_with("literal") {
        let read = value.and_then(read::timestamp);
        let (digits, zone) = read.map_or((3, None), |read| (read.digits, read.zone));
        let zoned = zone.is_some() || name.contains("zone");
        return Ok(TrinoType::Timestamp(digits.max(3), zoned));
    }
    TrinoType::parse(name).or_else(|message| plan_err!("{message}"))
}

fn returns(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let name = constant_text(args, 1).unwrap_or_default();
    let text = constant_text(args, 0);
    let target = target(name, text)?;
    let from = &args.arg_fields[0];
    if let (TrinoType::Timestamp(..) | TrinoType::Date, true) =
        (&target, from.data_type().is_numeric() || *from.data_type() == DataType::Boolean)
    {
        return plan_err!(
            "cannot cast {} to {target}; `from_unixtime` reads seconds",
            trino_type(from)
        );
    }
    if from.data_type().is_temporal()
        && matches!(
            target,
            TrinoType::Integer(_) | TrinoType::Real | TrinoType::Double | TrinoType::Decimal(..)
        )
    {
        return plan_err!(
            "cannot cast {} to {target}; `to_unixtime` gives seconds",
            trino_type(from)
        );
    }
    let field = target.field("");
    Ok(Arc::new(match (field.data_type(), text.and_then(read::timestamp)) {
        (DataType::Timestamp(unit, Some(_)), Some(Read { zone: Some(zone), .. }))
            if name.ends_with("literal") =>
        {
            let zoned = DataType::Timestamp(*unit, Some(clock::zone_name(zone)));
            field.with_data_type(zoned)
        }
        _ => field,
    }))
}

fn invoke(rows: &Rows, lenient: bool) -> Result<ColumnarValue> {
    let name = rows.text(1)?;
    let value = rows.array(0)?;
    let first = match is_text(value.data_type()) && value.len() == 1 {
        true => Texts::of(&value)?.get(0),
        false => None,
    };
    let target = target(name.constant().unwrap_or_default(), first)?;
    let mut array = cast(&value, rows.field(0), &target, lenient)?;
    if let DataType::Timestamp(_, Some(_)) = array.data_type() {
        // The same moment on the clock of the literal's zone.
        array = arrow_cast(&array, rows.args.return_field.data_type(), lenient)?;
    }
    match rows.args.args[0] {
        ColumnarValue::Scalar(_) => rows.finish(array),
        ColumnarValue::Array(_) => Ok(ColumnarValue::Array(array)),
    }
}

/// Casts an array of `field`'s type; what does not fit is NULL when `lenient`, else an error.
pub(crate) fn cast(
    array: &ArrayRef,
    field: &Field,
    to: &TrinoType,
    lenient: bool,
) -> Result<ArrayRef> {
    let from = array.data_type();
    if map::is_json(field) {
        return typed::from_json(array, to, lenient);
    }
    if map::is_map(field) && matches!(to, TrinoType::Map(..) | TrinoType::Json) {
        let built = map::build(array)?;
        let entries = Field::new("", map::arrow_type(), true);
        return cast(&built, &entries, to, lenient);
    }
    match to {
        TrinoType::Json => json_of(array, field),
        TrinoType::Varchar(length) => text_of(array, field, *length),
        TrinoType::Char(length) => text_of(array, field, Some(*length)),
        TrinoType::Array(element) => list(array, element, lenient),
        TrinoType::Map(key, value) => entries(array, key, value, lenient),
        TrinoType::Row(fields) => row(array, fields, lenient),
        TrinoType::IpAddress => by_text(array, lenient, "IPADDRESS", |text| {
            text.trim().parse::<std::net::IpAddr>().ok().map(|ip| ip.to_string())
        }),
        TrinoType::Uuid => by_text(array, lenient, "UUID", uuid),
        _ if is_text(from) => from_text(array, to, lenient),
        TrinoType::Integer(_) => rounded(array, to, lenient),
        _ => arrow_cast(array, &to.arrow(), lenient),
    }
}

fn arrow_cast(array: &ArrayRef, to: &DataType, lenient: bool) -> Result<ArrayRef> {
    let options = CastOptions { safe: lenient, ..CastOptions::default() };
    // Arrow reads a timestamp without zone as the zone's wall clock, and so does Trino.
    Ok(cast_with_options(array, to, &options)?)
}

/// Trino rounds half away from zero where Arrow truncates.
fn rounded(array: &ArrayRef, to: &TrinoType, lenient: bool) -> Result<ArrayRef> {
    if !array.data_type().is_floating() {
        return arrow_cast(array, &to.arrow(), lenient);
    }
    let doubles = arrow_cast(array, &DataType::Float64, lenient)?;
    let doubles = doubles.as_primitive::<datafusion::arrow::datatypes::Float64Type>();
    let whole = doubles.iter().map(|value| match value.map(f64::round) {
        None => Ok(None),
        Some(value) if (-9.223_372_036_854_776e18..9.223_372_036_854_776e18).contains(&value) => {
            Ok(Some(value as i64))
        }
        Some(_) if lenient => Ok(None),
        Some(value) => invalid(format!("Unable to cast {value} to {to}")),
    });
    let whole: ArrayRef = Arc::new(whole.collect::<Result<Int64Array>>()?);
    arrow_cast(&whole, &to.arrow(), lenient)
}

fn from_text(array: &ArrayRef, to: &TrinoType, lenient: bool) -> Result<ArrayRef> {
    let texts = Texts::of(array)?;
    let failed = |text: &str| -> Result<()> {
        match lenient {
            true => Ok(()),
            false => invalid(format!("Value cannot be cast to {to}: {text}")),
        }
    };
    match to {
        TrinoType::Boolean => {
            let values = (0..array.len()).map(|row| {
                let Some(text) = texts.get(row) else { return Ok(None) };
                let value = match text.to_ascii_lowercase().as_str() {
                    "t" | "true" | "1" => Some(true),
                    "f" | "false" | "0" => Some(false),
                    _ => None,
                };
                value.map_or_else(|| failed(text).map(|()| None), |value| Ok(Some(value)))
            });
            Ok(Arc::new(values.collect::<Result<BooleanArray>>()?))
        }
        TrinoType::Timestamp(..) | TrinoType::Date => {
            let values = (0..array.len()).map(|row| {
                let Some(text) = texts.get(row) else { return Ok(None) };
                match moment(text, to) {
                    Some(micros) => Ok(Some(micros)),
                    None => failed(text).map(|()| None),
                }
            });
            let values = values.collect::<Result<
                datafusion::arrow::array::PrimitiveArray<TimestampMicrosecondType>,
            >>()?;
            let utc: ArrayRef = match to.arrow() {
                DataType::Timestamp(_, Some(zone)) => Arc::new(values.with_timezone(zone)),
                _ => Arc::new(values),
            };
            arrow_cast(&utc, &to.arrow(), lenient)
        }
        TrinoType::Varbinary => arrow_cast(array, &DataType::Binary, lenient),
        _ => {
            let mut trimmed = StringBuilder::new();
            (0..array.len()).for_each(|row| trimmed.append_option(texts.get(row).map(str::trim)));
            let trimmed: ArrayRef = Arc::new(trimmed.finish());
            arrow_cast(&trimmed, &to.arrow(), lenient).map_err(|_| {
                let first = (0..array.len()).filter_map(|row| texts.get(row)).find(|text| {
                    let one: ArrayRef =
                        Arc::new(datafusion::arrow::array::StringArray::from(vec![text.trim()]));
                    arrow_cast(&one, &to.arrow(), false).is_err()
                });
                exec_datafusion_err!("Cannot cast '{}' to {to}", first.unwrap_or_default())
            })
        }
    }
}

fn moment(text: &str, to: &TrinoType) -> Option<i64> {
    if *to == TrinoType::Date {
        let day = read::date(text)?;
        return Some(clock::micros(day.and_time(chrono::NaiveTime::MIN)));
    }
    read::timestamp(text).map(|read| read.micros)
}

fn uuid(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let shaped = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    shaped.then_some(text)
}

fn by_text(
    array: &ArrayRef,
    lenient: bool,
    name: &str,
    read: impl Fn(&str) -> Option<String>,
) -> Result<ArrayRef> {
    let texts = Texts::of(array)?;
    let mut out = StringBuilder::new();
    for row in 0..array.len() {
        let value = texts.get(row).map(|text| (text, read(text)));
        match value {
            Some((text, None)) if !lenient => {
                return invalid(format!("Cannot cast value to {name}: {text}"));
            }
            value => out.append_option(value.and_then(|(_, value)| value)),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn text_of(array: &ArrayRef, field: &Field, length: Option<u64>) -> Result<ArrayRef> {
    if length.is_none() && is_text(array.data_type()) {
        return arrow_cast(array, &DataType::Utf8, false);
    }
    let mut out = StringBuilder::new();
    for row in 0..array.len() {
        let text = as_text::value(array, field, row)?;
        out.append_option(text.map(|text| match length {
            Some(length) => text.chars().take(length as usize).collect(),
            None => text,
        }));
    }
    Ok(Arc::new(out.finish()))
}

fn json_of(array: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    let mut out = StringBuilder::new();
    for row in 0..array.len() {
        if array.data_type().is_null() || array.is_null(row) {
            out.append_null();
            continue;
        }
        let mut text = String::new();
        write::value(array, field, row, &mut text)?;
        out.append_value(text);
    }
    Ok(Arc::new(out.finish()))
}

fn list(array: &ArrayRef, element: &TrinoType, lenient: bool) -> Result<ArrayRef> {
    if array.data_type().is_null() {
        return arrow_cast(array, &TrinoType::Array(Box::new(element.clone())).arrow(), lenient);
    }
    let DataType::List(field) = array.data_type() else {
        return invalid(format!("cannot cast {} to an array", array.data_type()));
    };
    let list = array.as_list::<i32>();
    let values = cast(list.values(), field, element, lenient)?;
    let field = Arc::new(element.field("item"));
    let nulls = list.nulls().cloned();
    Ok(Arc::new(ListArray::try_new(field, list.offsets().clone(), values, nulls)?))
}

fn entries(
    array: &ArrayRef,
    key: &TrinoType,
    value: &TrinoType,
    lenient: bool,
) -> Result<ArrayRef> {
    let target = TrinoType::Map(Box::new(key.clone()), Box::new(value.clone())).arrow();
    let (DataType::Map(from, _), DataType::Map(to, _)) = (array.data_type(), &target) else {
        return arrow_cast(array, &target, lenient);
    };
    let (DataType::Struct(from), DataType::Struct(fields)) = (from.data_type(), to.data_type())
    else {
        return invalid("a map has keys and values");
    };
    let maps = array.as_map();
    let columns = vec![
        cast(maps.keys(), &from[0], key, lenient)?,
        cast(maps.values(), &from[1], value, lenient)?,
    ];
    let entries = StructArray::try_new(fields.clone(), columns, None)?;
    let (offsets, nulls) = (maps.offsets().clone(), maps.nulls().cloned());
    Ok(Arc::new(MapArray::try_new(Arc::clone(to), offsets, entries, nulls, false)?))
}

/// Rows are cast field by field, in order; names come from the type.
fn row(
    array: &ArrayRef,
    fields: &[(Option<String>, TrinoType)],
    lenient: bool,
) -> Result<ArrayRef> {
    let target = TrinoType::Row(fields.to_vec()).arrow();
    let (DataType::Struct(from), DataType::Struct(to)) = (array.data_type(), &target) else {
        return arrow_cast(array, &target, lenient);
    };
    if from.len() != fields.len() {
        return invalid(format!(
            "a row of {} fields cannot be cast to {}",
            from.len(),
            fields.len()
        ));
    }
    let rows = array.as_struct();
    let columns = rows.columns().iter().zip(from.iter()).zip(fields);
    let columns = columns
        .map(|((column, field), (_, kind))| cast(column, field, kind, lenient))
        .collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(StructArray::try_new(to.clone(), columns, rows.nulls().cloned())?))
}
