//! Reading maps, marked or built, and making them.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, MapArray, StructArray, UInt32Array};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::arrow::row::{RowConverter, Rows as Encoded, SortField};
use datafusion::common::{Result, exec_err, plan_err};

use crate::functions::support::Rows;
use crate::map;
use crate::type_names::trino_type;

/// Returns the Arrow type of a map argument; of marked text that of the map it stands for.
pub(crate) fn map_type(field: &Field) -> Result<DataType> {
    match field.data_type() {
        _ if map::is_map(field) => Ok(map::arrow_type()),
        DataType::Map(..) => Ok(field.data_type().clone()),
        DataType::Null => Ok(type_of(
            Field::new("key", DataType::Null, false),
            Field::new("value", DataType::Null, true),
        )),
        _ => plan_err!("a map is needed, not {}", trino_type(field)),
    }
}

/// Returns the type of maps with these keys and values.
pub(crate) fn type_of(key: Field, value: Field) -> DataType {
    let key = key.with_name("key").with_nullable(false);
    let entries = Fields::from(vec![key, value.with_name("value").with_nullable(true)]);
    let entries = Field::new("entries", DataType::Struct(entries), false);
    DataType::Map(Arc::new(entries), false)
}

/// Returns the fields of a map type's key and value.
pub(crate) fn fields(data_type: &DataType) -> Result<(&FieldRef, &FieldRef)> {
    if let DataType::Map(entries, _) = data_type
        && let DataType::Struct(fields) = entries.data_type()
        && let [key, value] = &fields[..]
    {
        return Ok((key, value));
    }
    exec_err!("`{data_type}` is not a map")
}

/// Returns the argument as maps; marked text is built.
pub(crate) fn maps(rows: &Rows, at: usize) -> Result<MapArray> {
    of_array(rows.field(at), rows.full_array(at)?)
}

/// Returns an array of a map field as maps.
pub(crate) fn of_array(field: &Field, array: ArrayRef) -> Result<MapArray> {
    let array = match field.data_type() {
        _ if map::is_map(field) => map::build(&array)?,
        DataType::Null => datafusion::arrow::array::new_null_array(&map_type(field)?, array.len()),
        _ => array,
    };
    match array.data_type() {
        DataType::Map(..) => Ok(array.as_map().clone()),
        other => exec_err!("`{other}` is not a map"),
    }
}

/// Returns the places of a map's entries.
pub(crate) fn range(maps: &MapArray, row: usize) -> std::ops::Range<u32> {
    let offsets = maps.value_offsets();
    offsets[row] as u32..offsets[row + 1] as u32
}

/// Returns maps of a type from their keys and values, one after another.
pub(crate) fn made(
    data_type: &DataType,
    lengths: impl IntoIterator<Item = usize>,
    keys: ArrayRef,
    values: ArrayRef,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let DataType::Map(entries, _) = data_type else { return exec_err!("a map is made") };
    let DataType::Struct(fields) = entries.data_type() else { return exec_err!("a map is made") };
    if keys.logical_null_count() > 0 {
        return exec_err!("map key cannot be null");
    }
    let made = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, made, nulls, false)?))
}

/// Keys in a form that hashes and compares.
pub(crate) fn encoded(keys: &ArrayRef) -> Result<Encoded> {
    let converter = RowConverter::new(vec![SortField::new(keys.data_type().clone())])?;
    Ok(converter.convert_columns(&[Arc::clone(keys)])?)
}

/// Which value of a key that several maps have stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    First,
    Last,
}

/// Entries of several maps under construction as one, by their places.
pub(crate) struct United<'a> {
    encoded: &'a Encoded,
    standing: Standing,
    keys: Vec<u32>,
    values: Vec<u32>,
    lengths: Vec<usize>,
    valid: Vec<bool>,
}

impl<'a> United<'a> {
    pub(crate) fn new(encoded: &'a Encoded, standing: Standing) -> Self {
        let (keys, values, lengths, valid) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { encoded, standing, keys, values, lengths, valid }
    }

    /// Adds a row: the entries at these places, or NULL.
    pub(crate) fn push(&mut self, places: Option<impl Iterator<Item = u32>>) {
        let before = self.keys.len();
        self.valid.push(places.is_some());
        let mut seen = HashMap::new();
        for place in places.into_iter().flatten() {
            match seen.get(&self.encoded.row(place as usize)) {
                None => {
                    seen.insert(self.encoded.row(place as usize), self.keys.len());
                    self.keys.push(place);
                    self.values.push(place);
                }
                Some(at) if self.standing == Standing::Last => self.values[*at] = place,
                Some(_) => {}
            }
        }
        self.lengths.push(self.keys.len() - before);
    }

    pub(crate) fn finish(
        self,
        data_type: &DataType,
        keys: &ArrayRef,
        values: &ArrayRef,
    ) -> Result<ArrayRef> {
        let keys = take(keys, &UInt32Array::from(self.keys), None)?;
        let values = take(values, &UInt32Array::from(self.values), None)?;
        made(data_type, self.lengths, keys, values, Some(NullBuffer::from(self.valid)))
    }
}
