//! One element of an array or map: what `element_at` and the subscript share.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, ListArray, UInt32Array, new_null_array,
};
use datafusion::arrow::compute::kernels::cmp::eq;
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs};

use crate::functions::support::{Rows, is_text};
use crate::json_path::{JsonPath, Step};
use crate::type_names::trino_type;
use crate::{json, map};

/// What a missing element gives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// NULL, and negative indices count from the end: `element_at`.
    IsNull,
    /// An error: the subscript.
    Fails,
}

/// Returns the field of an element.
pub(crate) fn result(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let (value, key) = (&args.arg_fields[0], &args.arg_fields[1]);
    let element = |field: &Field| Ok(Arc::new(field.clone().with_name("").with_nullable(true)));
    match value.data_type() {
        // Plain text may be a map whose mark the analyzer puts back, see `$field`.
        data_type if is_text(data_type) => {
            Ok(Arc::new(map::payload(Field::new("", DataType::Utf8, true))))
        }
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            match key.data_type().is_integer() || key.data_type().is_null() {
                true => element(field),
                false => plan_err!("an array's index is bigint, not {}", trino_type(key)),
            }
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => element(&fields[1]),
            _ => plan_err!("not a map"),
        },
        _ => plan_err!("{} has no elements", trino_type(value)),
    }
}

pub(crate) fn invoke(rows: &Rows, missing: Missing) -> Result<ColumnarValue> {
    if map::holds_json(rows.field(0)) {
        return json_element(rows);
    }
    let value = rows.full_array(0)?;
    match value.data_type() {
        DataType::Map(..) => map_element(rows, &value, missing),
        DataType::Null => rows.finish(value),
        DataType::List(_) => list_element(rows, value.as_list(), missing),
        DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            let list = cast(&value, &DataType::List(Arc::clone(field)))?;
            list_element(rows, list.as_list(), missing)
        }
        other => exec_err!("`{other}` has no elements"),
    }
}

/// A key of a map's text, or an index (from 0) into an array inside it.
fn json_element(rows: &Rows) -> Result<ColumnarValue> {
    let text = rows.text(0)?;
    if is_text(rows.field(1).data_type()) {
        let keys = rows.text(1)?;
        return rows.texts(|row| {
            let (Some(json), Some(key)) = (text.get(row)?, keys.get(row)?) else { return Ok(None) };
            Ok(json::member(json, key).and_then(json::text).map(|text| text.into_owned()))
        });
    }
    let indices = rows.integer(1)?;
    rows.texts(|row| {
        let (Some(json), Some(index)) = (text.get(row)?, indices.get(row)) else {
            return Ok(None);
        };
        // A key that is a number, or a place in an array.
        let by_key = || json::member(json, &index.to_string()).map(str::to_owned);
        let path = JsonPath { steps: vec![Step::Element(index)] };
        let by_place = path.walk(json).map(|value| value.into_owned());
        Ok(by_place
            .or_else(by_key)
            .and_then(|value| json::text(&value).map(|text| text.into_owned())))
    })
}

fn list_element(rows: &Rows, list: &ListArray, missing: Missing) -> Result<ColumnarValue> {
    let indices = cast(&rows.full_array(1)?, &DataType::Int64)?;
    let indices: &Int64Array = indices.as_primitive::<Int64Type>();
    let places = (0..list.len()).map(|row| {
        if list.is_null(row) || indices.is_null(row) {
            return Ok(None);
        }
        let (index, length) = (indices.value(row), i64::from(list.value_length(row)));
        let place = match index {
            0 => return exec_err!("SQL array indices start at 1"),
            index if index > length || -index > length => None,
            index if index > 0 => Some(index - 1),
            index if missing == Missing::IsNull => Some(length + index),
            index => return exec_err!("Array subscript is negative: {index}"),
        };
        if place.is_none() && missing == Missing::Fails {
            return exec_err!(
                "Array subscript must be less than or equal to array length: {index} > {length}"
            );
        }
        Ok(place.map(|place| (i64::from(list.value_offsets()[row]) + place) as u32))
    });
    let places: UInt32Array = places.collect::<Result<_>>()?;
    rows.finish(take(list.values(), &places, None)?)
}

fn map_element(rows: &Rows, value: &ArrayRef, missing: Missing) -> Result<ColumnarValue> {
    let maps = value.as_map();
    let keys = cast(&rows.full_array(1)?, maps.keys().data_type())?;
    let row_of_entry: UInt32Array = (0..maps.len())
        .flat_map(|row| {
            let length = maps.value_length(row) as usize;
            std::iter::repeat_n(row as u32, length)
        })
        .collect();
    let first = maps.value_offsets()[0] as usize;
    let entries = maps.keys().slice(first, row_of_entry.len());
    let matches = eq(&entries, &take(&keys, &row_of_entry, None)?)?;
    let places = (0..maps.len()).map(|row| {
        if maps.is_null(row) || keys.is_null(row) {
            return Ok(None);
        }
        let offsets = maps.value_offsets();
        let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
        let place =
            (start..end).find(|at| matches.is_valid(*at - first) && matches.value(*at - first));
        if place.is_none() && missing == Missing::Fails {
            return exec_err!("Key not present in map; `element_at` gives NULL for a missing key");
        }
        Ok(place.map(|place| place as u32))
    });
    let places: UInt32Array = places.collect::<Result<_>>()?;
    rows.finish(take(maps.values(), &places, None)?)
}

/// Returns the type of a map's keys (0) or values (1) as an array.
pub(crate) fn column_type(args: &ReturnFieldArgs, at: usize) -> Result<FieldRef> {
    let field = &args.arg_fields[0];
    let element = match field.data_type() {
        _ if map::is_map(field) && at == 0 => Field::new("item", DataType::Utf8, true),
        _ if map::is_map(field) => map::payload(Field::new("item", DataType::Utf8, true)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => {
                fields[at].as_ref().clone().with_name("item").with_nullable(true)
            }
            _ => return plan_err!("not a map"),
        },
        DataType::Null => Field::new("item", DataType::Null, true),
        _ => return plan_err!("a map is needed, not {}", trino_type(field)),
    };
    Ok(Arc::new(Field::new("", DataType::List(Arc::new(element)), true)))
}

/// Returns the keys (0) or values (1) of maps as arrays.
pub(crate) fn column(rows: &Rows, at: usize) -> Result<ColumnarValue> {
    let DataType::List(element) = rows.args.return_field.data_type() else {
        return exec_err!("a map's column is an array");
    };
    if rows.field(0).data_type().is_null() {
        let nothing = new_null_array(rows.args.return_field.data_type(), rows.count());
        return rows.finish(nothing);
    }
    if !map::is_map(rows.field(0)) {
        let value = rows.full_array(0)?;
        let maps = value.as_map();
        let values = Arc::clone(if at == 0 { maps.keys() } else { maps.values() });
        let list = ListArray::try_new(
            Arc::clone(element),
            maps.offsets().clone(),
            values,
            maps.nulls().cloned(),
        )?;
        return rows.finish(Arc::new(list));
    }
    let text = rows.text(0)?;
    let builder = datafusion::arrow::array::StringBuilder::new();
    let mut lists =
        datafusion::arrow::array::ListBuilder::new(builder).with_field(Arc::clone(element));
    for row in 0..rows.count() {
        let members = text.get(row)?.and_then(json::members);
        let present = members.is_some();
        let mut seen = std::collections::HashSet::new();
        for (key, value) in members.into_iter().flatten() {
            let key = json::unescape(key);
            if !seen.insert(key.clone()) {
                continue;
            }
            match at {
                0 => lists.values().append_value(&key),
                _ => lists.values().append_option(json::text(value)),
            }
        }
        lists.append(present);
    }
    rows.finish(Arc::new(lists.finish()))
}
