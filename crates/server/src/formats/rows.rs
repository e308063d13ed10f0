//! Batches as rows of text cells, for the formats that are lines of text.

use arrow::array::{Array, RecordBatch};

use super::Result;
use super::text::push_value;

/// One value as text; `None` is NULL.
pub type Cell = Option<String>;

/// Calls `visit` with the cells of each row in turn.
///
/// # Errors
/// When a value has no text, and whatever `visit` returns.
pub fn for_each_row(
    batch: &RecordBatch,
    mut visit: impl FnMut(Vec<Cell>) -> Result<()>,
) -> Result<()> {
    for row in 0..batch.num_rows() {
        let cells = batch.columns().iter().map(|column| cell(column, row));
        visit(cells.collect::<Result<_>>()?)?;
    }
    Ok(())
}

fn cell(column: &dyn Array, row: usize) -> Result<Cell> {
    // An array of nothing but NULL has no bitmap that says so.
    if column.is_null(row) || *column.data_type() == arrow::datatypes::DataType::Null {
        return Ok(None);
    }
    let mut text = String::new();
    push_value(column, row, &mut text)?;
    Ok(Some(text))
}
