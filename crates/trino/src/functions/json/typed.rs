//! JSON text as a value of any type: what `CAST(json AS type)` gives.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ListArray, MapArray, StringBuilder, StructArray};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::Result;

use crate::functions::internal::cast;
use crate::functions::support::{Texts, invalid};
use crate::json;
use crate::type_names::TrinoType;

/// Casts json values; what does not fit is NULL when `lenient`, else an error.
pub(crate) fn from_json(array: &ArrayRef, to: &TrinoType, lenient: bool) -> Result<ArrayRef> {
    let texts = Texts::of(array)?;
    let values = (0..array.len()).map(|row| texts.get(row).filter(|text| text.trim() != "null"));
    build(&values.collect::<Vec<_>>(), to, lenient)
}

fn build(values: &[Option<&str>], to: &TrinoType, lenient: bool) -> Result<ArrayRef> {
    match to {
        TrinoType::Array(element) => array(values, element, lenient),
        TrinoType::Map(key, value) => map(values, key, value, lenient),
        TrinoType::Row(fields) => row(values, fields, lenient),
        TrinoType::Json => {
            let mut out = StringBuilder::new();
            values.iter().for_each(|value| out.append_option(value.map(json::compact)));
            Ok(Arc::new(out.finish()))
        }
        _ => scalar(values, to, lenient),
    }
}

fn scalar(values: &[Option<&str>], to: &TrinoType, lenient: bool) -> Result<ArrayRef> {
    let mut out = StringBuilder::new();
    for value in values {
        match value {
            Some(nested) if nested.starts_with(['{', '[']) && !lenient => {
                return misfit(nested, to);
            }
            Some(nested) if nested.starts_with(['{', '[']) => out.append_null(),
            value => out.append_option(value.and_then(json::text)),
        }
    }
    let texts: ArrayRef = Arc::new(out.finish());
    cast::cast(&texts, &Field::new("", DataType::Utf8, true), to, lenient)
}

fn misfit<T>(value: &str, to: &TrinoType) -> Result<T> {
    let shown: String = value.chars().take(100).collect();
    invalid(format!("Cannot cast to {to}: {shown}"))
}

fn array(values: &[Option<&str>], element: &TrinoType, lenient: bool) -> Result<ArrayRef> {
    let mut items: Vec<Option<&str>> = Vec::new();
    let mut lengths = Vec::with_capacity(values.len());
    let mut valid = Vec::with_capacity(values.len());
    for value in values {
        let before = items.len();
        let elements = value.and_then(json::elements);
        if let (Some(value), None, false) = (value, &elements, lenient) {
            return misfit(value, &TrinoType::Array(Box::new(element.clone())));
        }
        valid.push(elements.is_some());
        items.extend(elements.into_iter().flatten().map(not_null));
        lengths.push(items.len() - before);
    }
    let field = Arc::new(element.field("item"));
    let items = build(&items, element, lenient)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(field, offsets, items, Some(NullBuffer::from(valid)))?))
}

fn not_null(value: &str) -> Option<&str> {
    (value != "null").then_some(value)
}

fn map(
    values: &[Option<&str>],
    key: &TrinoType,
    value_type: &TrinoType,
    lenient: bool,
) -> Result<ArrayRef> {
    let target = TrinoType::Map(Box::new(key.clone()), Box::new(value_type.clone()));
    let mut keys: Vec<Cow<'_, str>> = Vec::new();
    let mut items: Vec<Option<&str>> = Vec::new();
    let mut lengths = Vec::with_capacity(values.len());
    let mut valid = Vec::with_capacity(values.len());
    for value in values {
        let before = items.len();
        let members = value.and_then(json::members);
        if let (Some(value), None, false) = (value, &members, lenient) {
            return misfit(value, &target);
        }
        valid.push(members.is_some());
        for (name, item) in members.into_iter().flatten() {
            keys.push(json::unescape(name));
            items.push(not_null(item));
        }
        lengths.push(items.len() - before);
    }
    let mut names = StringBuilder::new();
    keys.iter().for_each(|name| names.append_value(name));
    let names: ArrayRef = Arc::new(names.finish());
    let keys = cast::cast(&names, &Field::new("", DataType::Utf8, true), key, lenient)?;
    let DataType::Map(entries, _) = target.arrow() else { return misfit("", &target) };
    let DataType::Struct(fields) = entries.data_type() else { return misfit("", &target) };
    let columns = vec![keys, build(&items, value_type, lenient)?];
    let rows = StructArray::try_new(fields.clone(), columns, None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let nulls = Some(NullBuffer::from(valid));
    Ok(Arc::new(MapArray::try_new(entries, offsets, rows, nulls, false)?))
}

/// A row from an object, by the names of its fields in any case, or from an array, by place.
fn row(
    values: &[Option<&str>],
    fields: &[(Option<String>, TrinoType)],
    lenient: bool,
) -> Result<ArrayRef> {
    let target = TrinoType::Row(fields.to_vec());
    let mut columns: Vec<Vec<Option<&str>>> = vec![Vec::new(); fields.len()];
    let mut valid = Vec::with_capacity(values.len());
    for value in values {
        let found = value.and_then(|value| fields_of(value, fields));
        if let (Some(value), None, false) = (value, &found, lenient) {
            return misfit(value, &target);
        }
        valid.push(found.is_some());
        let found = found.unwrap_or_else(|| vec![None; fields.len()]);
        columns.iter_mut().zip(found).for_each(|(column, value)| column.push(value));
    }
    let columns = columns.iter().zip(fields);
    let columns = columns
        .map(|(column, (_, kind))| build(column, kind, lenient))
        .collect::<Result<Vec<_>>>()?;
    let DataType::Struct(to) = target.arrow() else { return misfit("", &target) };
    Ok(Arc::new(StructArray::try_new(to, columns, Some(NullBuffer::from(valid)))?))
}

fn fields_of<'a>(
    value: &'a str,
    fields: &[(Option<String>, TrinoType)],
) -> Option<Vec<Option<&'a str>>> {
    if let Some(elements) = json::elements(value) {
        let elements: Vec<Option<&str>> = elements.map(not_null).collect();
        return (elements.len() == fields.len()).then_some(elements);
    }
    json::members(value)?;
    let find = |wanted: &Option<String>| {
        let wanted = wanted.as_ref()?.to_lowercase();
        let mut members = json::members(value)?;
        members.find(|(name, _)| json::unescape(name).to_lowercase() == wanted)
    };
    Some(fields.iter().map(|(name, _)| find(name).and_then(|(_, v)| not_null(v))).collect())
}
