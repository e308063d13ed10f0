//! Answers for people, and where they go.
//!
//! What programs read (JSON, CSV, Arrow, Parquet) is written by the server's encoders; here stand
//! those for people. A table looks at its first rows to size its columns, everything else streams.

mod destination;
mod json_text;
mod markdown;
mod report;
mod stdout;
mod table;
mod tsv;
mod vertical;

#[cfg(test)]
mod tests;

use arrow::datatypes::SchemaRef;
use clap::ValueEnum;
use traillake_server::formats::{ArrowIpc, Csv, Json, ParquetFile, Result};

pub use destination::Destination;
pub use json_text::pretty_json;
pub use report::{Report, ReportArgs, ReportFormat, print, text_batch, to_table};
pub use stdout::{ReaderGone, Stdout};
pub use traillake_server::formats::{Cell, Encoder, Sink, Style, for_each_row};

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

    /// Returns true for formats of which a file can hold one answer behind another.
    pub fn holds_several(self) -> bool {
        !matches!(self, Format::Json | Format::Arrow | Format::Parquet)
    }

    /// Returns true for the formats made for reading, which the count of rows follows.
    pub fn is_for_people(self) -> bool {
        matches!(self, Format::Table | Format::Vertical)
    }
}

/// Returns the encoder of `format` for answers with `schema`.
pub fn encoder(
    format: Format,
    schema: &SchemaRef,
    style: Style,
    sink: Sink,
) -> Result<Box<dyn Encoder>> {
    Ok(match format {
        Format::Table => Box::new(table::Table::new(schema, style, sink)),
        Format::Vertical => Box::new(vertical::Vertical::new(schema, style, sink)),
        Format::Markdown => Box::new(markdown::Markdown::new(schema, style, sink)),
        Format::Json => Box::new(Json::array(schema, &style, sink)),
        Format::Ndjson => Box::new(Json::lines(schema, &style, sink)),
        Format::Csv => Box::new(Csv::new(schema, style, sink)),
        Format::Tsv => Box::new(tsv::Tsv::new(schema, style, sink)),
        Format::Arrow => Box::new(ArrowIpc::new(schema, &style, sink)?),
        Format::Parquet => Box::new(ParquetFile::new(schema, sink)?),
    })
}
