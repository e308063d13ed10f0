/// What can go wrong between a batch and the bytes of its records.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The batch lacks a column that the operation needs, or the column has another type.
    #[error("column `{column}` is missing or is not {expected}")]
    Column {
        /// Name of the physical column.
        column: &'static str,
        /// The Arrow type expected.
        expected: &'static str,
    },
    /// The shape of a row does not follow the grammar of [`crate::shape`].
    #[error("shape of row {row} cannot be read at byte {at}")]
    Shape {
        /// Row number in the batch.
        row: usize,
        /// Byte offset in the shape.
        at: usize,
    },
    /// The row number lies beyond the batch.
    #[error("row {row} of a batch of {rows}")]
    Row {
        /// Row number asked for.
        row: usize,
        /// Rows in the batch.
        rows: usize,
    },
    /// Arrow refused the batch.
    #[error("could not build a batch")]
    Arrow(#[from] arrow::error::ArrowError),
    /// The input could not be read; nothing is said about its content.
    #[error("could not read the object")]
    Read(#[from] std::io::Error),
    /// The content is no archive that can be opened.
    #[error("could not open the archive: {reason}")]
    Archive {
        /// What is wrong with it.
        reason: String,
    },
}
