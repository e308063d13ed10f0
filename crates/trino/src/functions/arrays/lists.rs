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
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, exec_err, plan_datafusion_err};
use datafusion::logical_expr::type_coercion::binary::type_union_resolution;
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
/// range of its elements, the places to take, none for NULL.
pub(crate) fn rearranged(
    rows: &Rows,
    mut places: impl FnMut(usize, Range<u32>) -> Option<Vec<u32>>,
) -> Result<ColumnarValue> {
    let list = list(rows, 0)?;
    let mut taken: Vec<u32> = Vec::new();
    let mut lengths = Vec::with_capacity(list.len());
    let mut valid = Vec::with_capacity(list.len());
    for row in 0..list.len() {
        let places = list.is_valid(row).then(|| places(row, range(&list, row))).flatten();
        valid.push(places.is_some());
        let places = places.unwrap_or_default();
        lengths.push(places.len());
        taken.extend(places);
    }
    let values = take(list.values(), &UInt32Array::from(taken), None)?;
    rows.finish(made(rows, lengths, values, Some(NullBuffer::from(valid)))?)
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

/// Returns the elements of arrays in groups, as arrays of arrays: `groups` gives the places of each
/// group's elements for the length of an array and the second argument, a number.
pub(crate) fn grouped(
    rows: &Rows,
    groups: impl Fn(usize, i64) -> Result<Vec<Vec<usize>>>,
) -> Result<ColumnarValue> {
    let DataType::List(inner) = rows.args.return_field.data_type() else {
        return exec_err!("an array of arrays is made");
    };
    let DataType::List(element) = inner.data_type() else {
        return exec_err!("an array of arrays is made");
    };
    let (list, numbers) = (list(rows, 0)?, rows.integer(1)?);
    let (mut places, mut group_lengths) = (Vec::new(), Vec::new());
    let (mut lengths, mut valid) = (Vec::new(), Vec::new());
    for row in 0..list.len() {
        let number = numbers.get(row).filter(|_| list.is_valid(row));
        let range = range(&list, row);
        let made = number.map_or(Ok(Vec::new()), |number| groups(range.len(), number))?;
        lengths.push(made.len());
        valid.push(number.is_some());
        for group in made {
            group_lengths.push(group.len());
            places.extend(group.into_iter().map(|place| range.start + place as u32));
        }
        check_total(places.len())?;
    }
    let values = take(list.values(), &UInt32Array::from(places), None)?;
    let offsets = OffsetBuffer::from_lengths(group_lengths);
    let arrays = ListArray::try_new(Arc::clone(element), offsets, values, None)?;
    rows.finish(made(rows, lengths, Arc::new(arrays), Some(NullBuffer::from(valid)))?)
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

/// Returns the type that values of two types are compared in.
pub(crate) fn common_type(left: &DataType, right: &DataType) -> Result<DataType> {
    match (left, right) {
        _ if left == right => Ok(left.clone()),
        (DataType::Null, other) | (other, DataType::Null) => Ok(other.clone()),
        _ => type_union_resolution(&[left.clone(), right.clone()])
            .ok_or_else(|| plan_datafusion_err!("the elements have no common type")),
    }
}

/// Returns, for every element, whether it equals its row's value of the argument at `at`; NULL
/// equals NULL.
pub(crate) fn equal_to(rows: &Rows, list: &ListArray, at: usize) -> Result<BooleanArray> {
    let wanted = rows.full_array(at)?;
    let element = common_type(&list.value_type(), wanted.data_type())?;
    let (values, wanted) = (cast(list.values(), &element)?, cast(&wanted, &element)?);
    let mut row_of_element = vec![0_u32; values.len()];
    for row in 0..list.len() {
        range(list, row).for_each(|place| row_of_element[place as usize] = row as u32);
    }
    if !element.is_nested() {
        let wanted = take(&wanted, &UInt32Array::from(row_of_element), None)?;
        return Ok(not_distinct(&values, &wanted)?);
    }
    let converter = RowConverter::new(vec![SortField::new(element)])?;
    let (values, wanted) =
        (converter.convert_columns(&[values])?, converter.convert_columns(&[wanted])?);
    let places = row_of_element.into_iter().enumerate();
    Ok(places.map(|(at, row)| Some(values.row(at) == wanted.row(row as usize))).collect())
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
