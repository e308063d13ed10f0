//! From rows back to the original bytes.

use arrow::array::{LargeBinaryArray, RecordBatch};

use crate::Error;

/// Appends the original bytes of one row's record to `out`.
///
/// # Errors
/// When a column of [`rebuild_columns`] is missing, or the row's shape cannot be read.
pub fn rebuild(rows: &RecordBatch, row: usize, out: &mut Vec<u8>) -> Result<(), Error> {
    let _ = (rows, row, out);
    Ok(())
}

/// Returns the original bytes of every row's record.
///
/// # Errors
/// As [`rebuild`].
pub fn rebuild_all(rows: &RecordBatch) -> Result<LargeBinaryArray, Error> {
    let _ = rows;
    Ok(LargeBinaryArray::from(Vec::<&[u8]>::new()))
}

/// Returns the physical columns that [`rebuild`] reads, of any record table. A batch may lack those
/// that its table does not have.
pub fn rebuild_columns() -> &'static [&'static str] {
    &[]
}
