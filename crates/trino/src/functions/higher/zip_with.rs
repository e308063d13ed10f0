//! `zip_with(array1, array2, (x, y) -> z)`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ListArray, UInt32Array};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;

use super::support::{Call, Fields, Higher, Part, element_of, list};
use crate::functions::arrays::lists::range;

pub(super) fn function() -> Higher {
    Higher {
        name: "zip_with",
        takes: "(array1, array2, (x, y) -> value)",
        shape: &[Part::Value, Part::Value, Part::Lambda],
        parameters,
        returns,
        invoke,
    }
}

fn parameters(fields: &Fields) -> Result<Vec<Option<Vec<FieldRef>>>> {
    let elements = fields.values.iter().map(|field| element_of(field, "zip_with"));
    Ok(vec![Some(elements.collect::<Result<_>>()?)])
}

fn returns(_values: &[&FieldRef], bodies: &[&FieldRef]) -> Result<FieldRef> {
    let element = bodies[0].as_ref().clone().with_name("item").with_nullable(true);
    Ok(Arc::new(Field::new("", DataType::List(Arc::new(element)), true)))
}

fn invoke(call: &Call) -> Result<ArrayRef> {
    let (left, right) = (list(call, 0)?, list(call, 1)?);
    let valid: Vec<bool> =
        (0..call.rows).map(|row| left.is_valid(row) && right.is_valid(row)).collect();
    let lengths: Vec<usize> = (0..call.rows)
        .map(|row| range(&left, row).len().max(range(&right, row).len()))
        .zip(&valid)
        .map(|(length, valid)| if *valid { length } else { 0 })
        .collect();
    // The shorter array is filled up with NULLs.
    let padded = |list: &ListArray| -> Result<ArrayRef> {
        let places: UInt32Array = (0..call.rows)
            .flat_map(|row| {
                let inside = range(list, row);
                (inside.start..).take(lengths[row]).map(move |at| (at < inside.end).then_some(at))
            })
            .collect();
        Ok(take(list.values(), &places, None)?)
    };
    let row_of = lengths.iter().enumerate();
    let row_of: UInt32Array = row_of
        .flat_map(|(row, length)| std::iter::repeat_n(row as u32, *length))
        .map(Some)
        .collect();
    let values = call.evaluate(0, &[padded(&left)?, padded(&right)?], &row_of)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let nulls = Some(NullBuffer::from(valid));
    Ok(Arc::new(ListArray::try_new(Arc::clone(call.element()?), offsets, values, nulls)?))
}
