//! How wide rows are, and batches of them that own their bytes.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, GenericListArray, MapArray, OffsetSizeTrait, RecordBatch,
    RecordBatchOptions, StructArray, UInt32Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take_arrays;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

/// The bytes of a view; it holds texts of up to twelve bytes itself.
const VIEW_BYTES: usize = 16;
const IN_VIEW_MAX: u32 = 12;

/// Bytes of a value whose width nobody knows.
const SOME_BYTES: usize = 16;

/// Rows of a batch of `bytes` bytes, when all rows are as wide as those of `batch`; at most `rows_max`.
pub(crate) fn rows(batch: &RecordBatch, bytes: usize, rows_max: usize) -> usize {
    let each = row_bytes(batch).iter().sum::<usize>() / batch.num_rows().max(1);
    (bytes / each.max(1)).clamp(1, rows_max.max(1))
}

/// Some rows of a batch.
pub(crate) struct Part {
    batch: RecordBatch,
    rows: Range<usize>,
}

/// The rows of `batch` in parts of at most `rows` rows and `bytes` bytes, or one row.
pub(crate) fn parts(batch: &RecordBatch, rows: usize, bytes: usize) -> Vec<Part> {
    let (mut parts, mut start, mut held) = (Vec::new(), 0, 0);
    for (row, width) in row_bytes(batch).into_iter().enumerate() {
        if row > start && (row - start >= rows || held + width > bytes) {
            parts.push(Part { batch: batch.clone(), rows: start..row });
            (start, held) = (row, 0);
        }
        held += width;
    }
    if start < batch.num_rows() {
        parts.push(Part { batch: batch.clone(), rows: start..batch.num_rows() });
    }
    parts
}

impl Part {
    /// The rows, as [`own_rows`].
    pub(crate) fn with_own_bytes(self) -> Result<RecordBatch, ArrowError> {
        own_rows(&self.batch, self.rows)
    }
}

/// Returns some rows of a batch, with bytes of their own: nothing of the others is held.
///
/// # Errors
/// Arrow's, for types that it cannot copy.
pub fn own_rows(batch: &RecordBatch, rows: Range<usize>) -> Result<RecordBatch, ArrowError> {
    let count = rows.len();
    let rows = UInt32Array::from_iter_values(rows.start as u32..rows.end as u32);
    // This copies all but the bytes of texts.
    let columns = take_arrays(batch.columns(), &rows, None)?;
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    let rows = RecordBatch::try_new_with_options(batch.schema(), columns, &options)?;
    with_own_bytes(&rows)
}

/// The same rows, texts with bytes of their own.
pub(crate) fn with_own_bytes(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(owned).collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns, &options)
}

fn owned(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        DataType::Struct(_) => Arc::new(members_owned(array.as_struct())?),
        DataType::List(_) => Arc::new(items_owned(array.as_list::<i32>())?),
        DataType::LargeList(_) => Arc::new(items_owned(array.as_list::<i64>())?),
        DataType::Map(_, _) => {
            let (field, offsets, entries, nulls, ordered) = array.as_map().clone().into_parts();
            Arc::new(MapArray::try_new(field, offsets, members_owned(&entries)?, nulls, ordered)?)
        }
        _ => Arc::clone(array),
    })
}

fn members_owned(array: &StructArray) -> Result<StructArray, ArrowError> {
    let (fields, columns, nulls) = array.clone().into_parts();
    let columns = columns.iter().map(owned).collect::<Result<_, _>>()?;
    StructArray::try_new_with_length(fields, columns, nulls, array.len())
}

fn items_owned<O: OffsetSizeTrait>(
    array: &GenericListArray<O>,
) -> Result<GenericListArray<O>, ArrowError> {
    let (field, offsets, items, nulls) = array.clone().into_parts();
    GenericListArray::try_new(field, offsets, owned(&items)?, nulls)
}

/// Returns the bytes of each row, about: those that it would have alone.
pub fn row_bytes(batch: &RecordBatch) -> Vec<usize> {
    let mut rows = vec![0; batch.num_rows()];
    batch.columns().iter().for_each(|column| add(column, &mut rows));
    rows
}

/// Adds the bytes of each value.
fn add(array: &ArrayRef, rows: &mut [usize]) {
    match array.data_type() {
        DataType::Utf8View => add_views(array.as_string_view().views(), rows),
        DataType::BinaryView => add_views(array.as_binary_view().views(), rows),
        DataType::Utf8 => add_between(array.as_string::<i32>().offsets(), rows),
        DataType::LargeUtf8 => add_between(array.as_string::<i64>().offsets(), rows),
        DataType::Binary => add_between(array.as_binary::<i32>().offsets(), rows),
        DataType::LargeBinary => add_between(array.as_binary::<i64>().offsets(), rows),
        DataType::Struct(_) => {
            array.as_struct().columns().iter().for_each(|column| add(column, rows));
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            add_items(list.values(), list.offsets(), rows);
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            add_items(list.values(), list.offsets(), rows);
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            let entries: ArrayRef = Arc::new(map.entries().clone());
            add_items(&entries, map.offsets(), rows);
        }
        kind => {
            let width = kind.primitive_width().unwrap_or(SOME_BYTES);
            rows.iter_mut().for_each(|row| *row += width);
        }
    }
}

/// The first four bytes of a view tell the length of its text.
fn add_views(views: &[u128], rows: &mut [usize]) {
    for (row, view) in rows.iter_mut().zip(views) {
        let length = *view as u32;
        *row += VIEW_BYTES + if length > IN_VIEW_MAX { length as usize } else { 0 };
    }
}

fn add_between<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>, rows: &mut [usize]) {
    for (row, ends) in rows.iter_mut().zip(offsets.windows(2)) {
        *row += (ends[1] - ends[0]).as_usize() + size_of::<O>();
    }
}

fn add_items<O: OffsetSizeTrait>(items: &ArrayRef, offsets: &OffsetBuffer<O>, rows: &mut [usize]) {
    let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else { return };
    let (first, last) = (first.as_usize(), last.as_usize());
    let mut widths = vec![0; last - first];
    add(&items.slice(first, last - first), &mut widths);
    for (row, ends) in rows.iter_mut().zip(offsets.windows(2)) {
        let of = ends[0].as_usize() - first..ends[1].as_usize() - first;
        *row += size_of::<O>() + widths[of].iter().sum::<usize>();
    }
}
