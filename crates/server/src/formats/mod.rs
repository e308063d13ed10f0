//! Answers, written down: one file per format.
//!
//! An [`Encoder`] takes batches as they come and holds no more of them than its format needs. Values
//! read alike in every format of text: the way Athena and Trino print them.

mod text;

mod rows;

mod arrow_ipc;
mod csv;
mod json;
mod parquet_file;

pub mod escape;

use std::io::Write;

use arrow::array::RecordBatch;

pub use arrow_ipc::ArrowIpc;
pub use csv::Csv;
pub use json::Json;
pub use parquet_file::ParquetFile;
pub use rows::{Cell, for_each_row};
pub(crate) use text::moment;
pub use text::{is_numeric, push_value};

/// What the formats can be told.
#[derive(Clone, Debug)]
pub struct Style {
    /// Write the names of the columns, where a format has a line for them.
    pub header: bool,
    /// The text for NULL in text formats.
    pub null: String,
    /// Keep spreadsheets from taking a text for a formula.
    pub csv_safe: bool,
    /// Spell out characters that a terminal would act on, in every format.
    pub escape: bool,
    /// The columns a table may have; with a wider row it turns vertical by itself.
    pub width: Option<usize>,
    /// The bytes go to a file of their own (Arrow has a format for that).
    pub into_file: bool,
}

impl Default for Style {
    fn default() -> Style {
        Style {
            header: true,
            null: String::new(),
            csv_safe: false,
            escape: false,
            width: None,
            into_file: false,
        }
    }
}

/// Where an encoder puts its bytes.
pub type Sink = Box<dyn Write + Send>;

/// A result of writing an answer down.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an answer could not be written down.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes could not be put where they belong.
    #[error("could not write the answer")]
    Write(#[from] std::io::Error),
    /// A value has no text.
    #[error("a value of the answer could not be written")]
    Value(#[from] arrow::error::ArrowError),
    /// As above, in Parquet.
    #[error("the answer could not be written as Parquet")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// Parquet knows no such type.
    #[error("the column `{column}` has a type that Parquet does not know: cast it to `varchar`")]
    NoType {
        /// The name of the column.
        column: String,
    },
}

impl From<std::fmt::Error> for Error {
    fn from(error: std::fmt::Error) -> Error {
        Error::Write(std::io::Error::other(error))
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Error {
        Error::Write(error.into())
    }
}

/// Turns batches of one schema into bytes of one format.
pub trait Encoder: Send {
    /// Writes the rows of `batch`, or keeps them until it can.
    ///
    /// # Errors
    /// When the sink takes no more, or a value cannot be written.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Writes what is left and returns remarks on what was written, for people.
    ///
    /// # Errors
    /// As [`Encoder::write`].
    fn finish(&mut self) -> Result<Vec<String>>;
}
