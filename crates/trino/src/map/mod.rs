//! Maps that are never built inside a plan: a `map(varchar, varchar)` is its JSON text, marked.
//!
//! Functions read the text with one early-exit walk; [`convert`] makes the Arrow map for the rows
//! that leave the engine. Of a repeated key the first value stands, in walks and in maps.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, MapBuilder, MapFieldNames, StringBuilder, StructArray,
};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::Result;

use crate::functions::support::Texts;
use crate::json;

/// The key of field metadata that names a value's Trino type where Arrow's does not tell.
pub const TYPE_KEY: &str = "traillake.type";
/// The mark of a map column: JSON text of an object.
pub const MAP: &str = "map(varchar, varchar)";
/// The mark of a value of type `json`: JSON text.
pub const JSON: &str = "json";
/// The key of field metadata of a value taken out of a map: text, but `.field` may go deeper.
pub(crate) const PAYLOAD_KEY: &str = "traillake.payload";

static CONVERTED: AtomicU64 = AtomicU64::new(0);

/// Returns `field` marked as a map; its type must be a string type holding JSON objects.
pub fn mark(field: Field) -> Field {
    marked(field, MAP)
}

/// Returns `field` marked as a value of the Trino type `name`.
pub fn marked(field: Field, name: &str) -> Field {
    let mut metadata: HashMap<_, _> = field.metadata().clone();
    metadata.insert(TYPE_KEY.to_owned(), name.to_owned());
    field.with_metadata(metadata)
}

/// Returns whether the field is a marked map.
pub fn is_map(field: &Field) -> bool {
    has_mark(field, MAP)
}

pub(crate) fn is_json(field: &Field) -> bool {
    has_mark(field, JSON)
}

fn has_mark(field: &Field, name: &str) -> bool {
    field.metadata().get(TYPE_KEY).is_some_and(|mark| mark == name)
}

/// Marks a field as a value taken out of a map.
pub(crate) fn payload(field: Field) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert(PAYLOAD_KEY.to_owned(), "true".to_owned());
    field.with_metadata(metadata)
}

/// Returns whether `.name` reads the field's text as JSON.
pub(crate) fn holds_json(field: &Field) -> bool {
    is_map(field) || is_json(field) || field.metadata().contains_key(PAYLOAD_KEY)
}

/// Returns the type of a converted map: `map(varchar, varchar)` with nullable values.
pub fn arrow_type() -> DataType {
    let entries = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

/// Returns the field of the answer for a field of the plan: marked maps become Arrow maps, also
/// inside rows and arrays.
pub fn converted_field(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        _ if is_map(field) => arrow_type(),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(converted_field).collect()),
        DataType::List(element) => DataType::List(converted_field(element)),
        _ => return Arc::clone(field),
    };
    let mut metadata = field.metadata().clone();
    if is_map(field) {
        metadata.remove(TYPE_KEY);
    }
    let field = Field::new(field.name(), data_type, field.is_nullable());
    Arc::new(field.with_metadata(metadata))
}

/// Builds the maps of a result column: `field` is the plan's, the result fits
/// [`converted_field`]. Values that are scalars become text, nested ones compact JSON text.
///
/// # Errors
/// An array that is not of the field's type.
pub fn convert(field: &Field, array: &ArrayRef) -> Result<ArrayRef> {
    if is_map(field) {
        return build(array);
    }
    let target = converted_field(&Arc::new(field.clone()));
    if target.data_type() == field.data_type() {
        return Ok(Arc::clone(array));
    }
    match (field.data_type(), target.data_type()) {
        (DataType::Struct(fields), DataType::Struct(targets)) => {
            let rows = array.as_struct();
            let columns = fields.iter().zip(rows.columns());
            let columns =
                columns.map(|(field, column)| convert(field, column)).collect::<Result<_>>()?;
            let rows = StructArray::try_new(targets.clone(), columns, rows.nulls().cloned())?;
            Ok(Arc::new(rows))
        }
        (DataType::List(element), DataType::List(target)) => {
            let list = array.as_list::<i32>();
            let values = convert(element, list.values())?;
            let list = datafusion::arrow::array::ListArray::try_new(
                Arc::clone(target),
                list.offsets().clone(),
                values,
                list.nulls().cloned(),
            )?;
            Ok(Arc::new(list))
        }
        _ => Ok(Arc::clone(array)),
    }
}

/// Builds Arrow maps from JSON objects; text that is no object gives NULL.
pub(crate) fn build(array: &ArrayRef) -> Result<ArrayRef> {
    let texts = Texts::of(array)?;
    let names = MapFieldNames {
        entry: "entries".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
    };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    let mut built = 0;
    let mut seen = HashSet::new();
    for row in 0..array.len() {
        let members = texts.get(row).and_then(json::members);
        let present = members.is_some();
        seen.clear();
        for (key, value) in members.into_iter().flatten() {
            let key = json::unescape(key);
            if !seen.insert(key.clone()) {
                continue;
            }
            maps.keys().append_value(&key);
            maps.values().append_option(json::text(value));
        }
        built += u64::from(present);
        maps.append(present)?;
    }
    CONVERTED.fetch_add(built, Ordering::Relaxed);
    Ok(Arc::new(maps.finish()))
}

/// Returns how many map cells this process has built; for tests of what a query costs.
pub fn converted_rows() -> u64 {
    CONVERTED.load(Ordering::Relaxed)
}
