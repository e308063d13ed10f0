//! What functions on arrays share: rows of places into one column of elements.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, UInt32Array, new_null_array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::kernels::cmp::not_distinct;
use datafusion::arrow::compute::{cast, concat, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs};

use crate::functions::support::{Rows, same_as};

/// Returns the argument as a list; an untyped NULL as a list of NULLs.
pub(crate) fn list(rows: &Rows, at: usize) -> Result<ListArray> {
    let value = rows.full_array(at)?;
    match value.data_type() {
        DataType::List(_) => Ok(value.as_list().clone()),
        DataType::Null => {
            let list = DataType::new_list(DataType::Null, true);
            Ok(new_null_array(&list, value.len()).as_list().clone())
        }
        other => exec_err!("`{other}` is not an array"),
    }
}

/// Elements that one call may make for a batch of rows: what a call holds is not the query's to
/// spill.
const ELEMENTS_MAX: usize = 16 << 20;

/// Returns an error when a call has made too many elements for a batch of rows.
pub(crate) fn check_total(elements: usize) -> Result<()> {
    match elements > ELEMENTS_MAX {
        true => exec_err!("arrays of more than {ELEMENTS_MAX} elements for one batch of rows"),
        false => Ok(()),
    }
}

/// Returns the places of a row's elements.
pub(crate) fn range(list: &ListArray, row: usize) -> Range<u32> {
    let offsets = list.value_offsets();
    offsets[row] as u32..offsets[row + 1] as u32
}

/// Returns the first argument with its elements taken anew: `places` gives, for a row and the
/// range of its elements, the places to take.
pub(crate) fn rearranged(
    rows: &Rows,
    mut places: impl FnMut(usize, Range<u32>) -> Vec<u32>,
) -> Result<ColumnarValue> {
    let list = list(rows, 0)?;
    let mut taken: Vec<u32> = Vec::new();
    let mut lengths = Vec::with_capacity(list.len());
    for row in 0..list.len() {
        let before = taken.len();
        if list.is_valid(row) {
            taken.extend(places(row, range(&list, row)));
        }
        lengths.push(taken.len() - before);
    }
    let values = take(list.values(), &UInt32Array::from(taken), None)?;
    rows.finish(made(rows, lengths, values, list.nulls().cloned())?)
}

/// Returns the type of an array whose elements are arrays like the first argument.
pub(crate) fn array_of_arrays(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let inner = same_as(args, 0).as_ref().clone().with_name("item");
    let inner = match inner.data_type() {
        DataType::Null => inner.with_data_type(DataType::new_list(DataType::Null, true)),
        _ => inner,
    };
    Ok(Arc::new(Field::new("", DataType::List(Arc::new(inner)), true)))
}

/// Arrays of arrays under construction, by the places of the elements they take.
#[derive(Default)]
pub(crate) struct Nested {
    places: Vec<u32>,
    inner: Vec<usize>,
    outer: Vec<usize>,
    valid: Vec<bool>,
}

impl Nested {
    /// Adds a row: one array for every item.
    pub(crate) fn push(&mut self, arrays: impl Iterator<Item = Vec<u32>>) -> Result<()> {
        let before = self.inner.len();
        for array in arrays {
            self.inner.push(array.len());
            self.places.extend(array);
        }
        self.outer.push(self.inner.len() - before);
        self.valid.push(true);
        check_total(self.places.len())
    }

    pub(crate) fn push_null(&mut self) {
        self.outer.push(0);
        self.valid.push(false);
    }

    /// Returns the arrays of arrays of `values`.
    pub(crate) fn finish(self, rows: &Rows, values: &ArrayRef) -> Result<ColumnarValue> {
        let DataType::List(inner) = rows.args.return_field.data_type() else {
            return exec_err!("an array of arrays is made");
        };
        let DataType::List(element) = inner.data_type() else {
            return exec_err!("an array of arrays is made");
        };
        let values = take(values, &UInt32Array::from(self.places), None)?;
        let offsets = OffsetBuffer::from_lengths(self.inner);
        let arrays = ListArray::try_new(Arc::clone(element), offsets, values, None)?;
        let nulls = Some(NullBuffer::from(self.valid));
        rows.finish(made(rows, self.outer, Arc::new(arrays), nulls)?)
    }
}

/// Returns a list of the call's type.
pub(crate) fn made(
    rows: &Rows,
    lengths: Vec<usize>,
    values: ArrayRef,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let DataType::List(element) = rows.args.return_field.data_type() else {
        return Ok(new_null_array(rows.args.return_field.data_type(), lengths.len()));
    };
    let values = cast(&values, element.data_type())?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(Arc::clone(element), offsets, values, nulls)?))
}

/// Returns, for every element, whether it equals its row's value of the argument at `at`; NULL
/// equals NULL.
pub(crate) fn equal_to(rows: &Rows, list: &ListArray, at: usize) -> Result<BooleanArray> {
    let wanted = cast(&rows.full_array(at)?, &list.value_type())?;
    let mut row_of_element = vec![0_u32; list.values().len()];
    for row in 0..list.len() {
        range(list, row).for_each(|place| row_of_element[place as usize] = row as u32);
    }
    let wanted = take(&wanted, &UInt32Array::from(row_of_element), None)?;
    Ok(not_distinct(list.values(), &wanted)?)
}

/// Returns the arguments, arrays or single elements, one after another; NULL when an array is.
pub(crate) fn concatenated(rows: &Rows) -> Result<ColumnarValue> {
    let DataType::List(element) = rows.args.return_field.data_type() else {
        return exec_err!("arrays are concatenated to an array");
    };
    let columns = (0..rows.width()).map(|at| rows.full_array(at));
    let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
    let mut starts = Vec::new();
    let mut parts = Vec::new();
    let mut total = 0_u32;
    for column in &columns {
        let part = match column.data_type() {
            DataType::List(_) => cast(column.as_list::<i32>().values(), element.data_type())?,
            _ => cast(column, element.data_type())?,
        };
        starts.push(total);
        total += part.len() as u32;
        parts.push(part);
    }
    let all = concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>())?;
    let mut taken: Vec<u32> = Vec::new();
    let mut lengths = Vec::with_capacity(rows.count());
    let mut valid = Vec::with_capacity(rows.count());
    for row in 0..rows.count() {
        let before = taken.len();
        let mut present = true;
        for (column, start) in columns.iter().zip(&starts) {
            match column.data_type() {
                DataType::List(_) if column.is_null(row) => present = false,
                DataType::List(_) => {
                    let list = column.as_list::<i32>();
                    taken.extend(range(list, row).map(|place| start + place));
                }
                _ => taken.push(start + row as u32),
            }
        }
        lengths.push(taken.len() - before);
        valid.push(present);
    }
    let values = take(&all, &UInt32Array::from(taken), None)?;
    rows.finish(made(rows, lengths, values, Some(NullBuffer::from(valid)))?)
}
