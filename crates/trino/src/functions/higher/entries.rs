//! The entries of maps as lambdas get them: `(key, value)`, one after another.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, MapArray, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::Result;

use super::support::{Call, Fields};
use crate::functions::maps::build;

/// The entries of all maps of a call that are not NULL.
pub(super) struct Entries {
    pub(super) maps: MapArray,
    pub(super) keys: ArrayRef,
    pub(super) values: ArrayRef,
    pub(super) row_of: UInt32Array,
    /// Entries by row.
    pub(super) lengths: Vec<usize>,
}

impl Entries {
    pub(super) fn of(call: &Call) -> Result<Self> {
        let maps = build::of_array(call.fields[0], Arc::clone(&call.values[0]))?;
        let (mut places, mut row_of, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..maps.len() {
            let range = if maps.is_valid(row) { build::range(&maps, row) } else { 0..0 };
            lengths.push(range.len());
            row_of.extend(std::iter::repeat_n(row as u32, range.len()));
            places.extend(range);
        }
        let places = UInt32Array::from(places);
        let keys = take(maps.keys(), &places, None)?;
        let values = take(maps.values(), &places, None)?;
        Ok(Self { keys, values, row_of: UInt32Array::from(row_of), lengths, maps })
    }
}

/// `(key, value) -> …`
pub(super) fn key_and_value(fields: &Fields) -> Result<Vec<Option<Vec<FieldRef>>>> {
    let map = build::map_type(fields.values[0])?;
    let (key, value) = build::fields(&map)?;
    let value = Arc::new(value.as_ref().clone().with_nullable(true));
    Ok(vec![Some(vec![Arc::clone(key), value])])
}
