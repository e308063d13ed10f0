//! Batches as rows of text cells, for the formats that are lines of text.

use arrow::array::{Array, RecordBatch};

use super::text::push_value;

/// One value as text; `None` is NULL.
pub type Cell = Option<String>;

/// Calls `visit` with the cells of each row in turn.
pub fn for_each_row(
    batch: &RecordBatch,
    mut visit: impl FnMut(Vec<Cell>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for row in 0..batch.num_rows() {
        let cells = batch.columns().iter().map(|column| cell(column, row));
        visit(cells.collect::<anyhow::Result<_>>()?)?;
    }
    Ok(())
}

fn cell(column: &dyn Array, row: usize) -> anyhow::Result<Cell> {
    if column.is_null(row) {
        return Ok(None);
    }
    let mut text = String::new();
    push_value(column, row, &mut text)?;
    Ok(Some(text))
}
