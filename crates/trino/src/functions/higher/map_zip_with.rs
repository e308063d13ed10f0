//! `map_zip_with(map1, map2, (key, value1, value2) -> value)`.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, UInt32Array};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::{cast, concat, take};
use datafusion::arrow::datatypes::{Field, FieldRef};
use datafusion::common::Result;

use super::support::{Call, Fields, Higher, Part};
use crate::functions::maps::build;

pub(super) fn function() -> Higher {
    Higher {
        name: "map_zip_with",
        takes: "(map1, map2, (key, value1, value2) -> value)",
        shape: &[Part::Value, Part::Value, Part::Lambda],
        parameters,
        returns: |values, bodies| {
            let map = build::map_type(values[0])?;
            let (key, _) = build::fields(&map)?;
            let made = build::type_of(key.as_ref().clone(), bodies[0].as_ref().clone());
            Ok(Arc::new(Field::new("", made, true)))
        },
        invoke,
    }
}

fn parameters(fields: &Fields) -> Result<Vec<Option<Vec<FieldRef>>>> {
    let (left, right) = (build::map_type(fields.values[0])?, build::map_type(fields.values[1])?);
    let ((key, first), (_, second)) = (build::fields(&left)?, build::fields(&right)?);
    let nullable = |field: &FieldRef| Arc::new(field.as_ref().clone().with_nullable(true));
    Ok(vec![Some(vec![Arc::clone(key), nullable(first), nullable(second)])])
}

fn invoke(call: &Call) -> Result<ArrayRef> {
    let left = build::of_array(call.fields[0], Arc::clone(&call.values[0]))?;
    let right = build::of_array(call.fields[1], Arc::clone(&call.values[1]))?;
    let of_right = cast(right.keys(), left.keys().data_type())?;
    let keys = concat(&[left.keys().as_ref(), of_right.as_ref()])?;
    let start = left.keys().len() as u32;
    let encoded = build::encoded(&keys)?;
    // For every key of a row: its place, and the places of its value in either map.
    let mut merged: Vec<(u32, Option<u32>, Option<u32>)> = Vec::new();
    let (mut row_of, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        let before = merged.len();
        let present = left.is_valid(row) && right.is_valid(row);
        valid.push(present);
        if present {
            let mut seen = HashMap::new();
            for at in build::range(&left, row) {
                seen.insert(encoded.row(at as usize), merged.len());
                merged.push((at, Some(at), None));
            }
            for at in build::range(&right, row) {
                match seen.get(&encoded.row((start + at) as usize)) {
                    Some(place) => merged[*place].2 = Some(at),
                    None => merged.push((start + at, None, Some(at))),
                }
            }
        }
        lengths.push(merged.len() - before);
        row_of.extend(std::iter::repeat_n(row as u32, merged.len() - before));
    }
    let key_places: UInt32Array = merged.iter().map(|(key, ..)| Some(*key)).collect();
    let first_places: UInt32Array = merged.iter().map(|(_, first, _)| *first).collect();
    let second_places: UInt32Array = merged.iter().map(|(.., second)| *second).collect();
    let keys = take(&keys, &key_places, None)?;
    let first = take(left.values(), &first_places, None)?;
    let second = take(right.values(), &second_places, None)?;
    let parameters = [Arc::clone(&keys), first, second];
    let values = call.evaluate(0, &parameters, &UInt32Array::from(row_of))?;
    let nulls = Some(NullBuffer::from(valid));
    build::made(call.result.data_type(), lengths, keys, values, nulls)
}
