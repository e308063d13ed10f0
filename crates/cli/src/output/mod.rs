//! Answers, written down: one file per format.
//!
//! An [`Encoder`] takes batches as they come and holds no more of them than its format needs: a
//! table looks at its first rows to size its columns, everything else streams.

mod arrow_ipc;
mod csv;
mod destination;
mod json;
mod json_text;
mod markdown;
mod parquet_file;
mod report;
mod rows;
mod table;
mod text;
mod tsv;
mod vertical;

#[cfg(test)]
mod tests;

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use clap::ValueEnum;

pub use destination::Destination;
pub use json_text::pretty_json;
pub use report::{Report, ReportFormat, print, text_batch, to_table};
pub use rows::{Cell, for_each_row};

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns
    Table,
    /// One line a column, for wide rows
    Vertical,
    /// A Markdown table
    Markdown,
    /// One JSON array of objects
    Json,
    /// One JSON object a line
    Ndjson,
    /// Comma-separated values (RFC 4180), verbatim
    Csv,
    /// Tab-separated values, with \t \n \r \\ for those characters
    Tsv,
    /// Arrow IPC: the stream format, in a file the file format
    Arrow,
    /// Parquet
    Parquet,
}

impl Format {
    /// Returns the format that a file name asks for by its ending.
    pub fn of_file(name: &std::path::Path) -> Option<Format> {
        let ending = name.extension()?.to_str()?.to_ascii_lowercase();
        Some(match ending.as_str() {
            "txt" => Format::Table,
            "md" => Format::Markdown,
            "json" => Format::Json,
            "ndjson" | "jsonl" => Format::Ndjson,
            "csv" => Format::Csv,
            "tsv" => Format::Tsv,
            "arrow" => Format::Arrow,
            "parquet" => Format::Parquet,
            _ => return None,
        })
    }

    /// Returns true for bytes that no terminal can show.
    pub fn is_binary(self) -> bool {
        matches!(self, Format::Arrow | Format::Parquet)
    }

    /// Returns true for the formats made for reading, which the count of rows follows.
    pub fn is_for_people(self) -> bool {
        matches!(self, Format::Table | Format::Vertical)
    }
}

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

/// Turns batches of one schema into bytes of one format.
pub trait Encoder: Send {
    /// Writes the rows of `batch`, or keeps them until it can.
    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()>;

    /// Writes what is left and returns remarks on what was written, for standard error.
    fn finish(&mut self) -> anyhow::Result<Vec<String>>;
}

/// Returns the encoder of `format` for answers with `schema`.
pub fn encoder(
    format: Format,
    schema: &SchemaRef,
    style: Style,
    sink: Sink,
) -> anyhow::Result<Box<dyn Encoder>> {
    Ok(match format {
        Format::Table => Box::new(table::Table::new(schema, style, sink)),
        Format::Vertical => Box::new(vertical::Vertical::new(schema, style, sink)),
        Format::Markdown => Box::new(markdown::Markdown::new(schema, style, sink)),
        Format::Json => Box::new(json::Json::array(schema, &style, sink)),
        Format::Ndjson => Box::new(json::Json::lines(schema, &style, sink)),
        Format::Csv => Box::new(csv::Csv::new(schema, style, sink)),
        Format::Tsv => Box::new(tsv::Tsv::new(schema, style, sink)),
        Format::Arrow => Box::new(arrow_ipc::ArrowIpc::new(schema, &style, sink)?),
        Format::Parquet => Box::new(parquet_file::ParquetFile::new(schema, sink)?),
    })
}
