//! What commands report about their work: lines for people, or one JSON value.

use std::io::Write as _;
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::table::Table;
use super::{Encoder as _, Sink, Stdout, Style};
use traillake_server::formats::escape::{visible_json, visible_lines};

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON value
    Json,
}

/// The flag that says how a report is written.
#[derive(Clone, Copy, Debug, Args)]
pub struct ReportArgs {
    /// Report as text or JSON
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "text|json",
        hide_possible_values = true
    )]
    pub format: ReportFormat,
}

/// A report in both of its forms.
pub struct Report {
    /// Lines for people.
    pub text: String,
    /// The same as JSON.
    pub json: Value,
}

impl Report {
    /// Writes the report to standard output. Text is made safe to print; JSON is, when
    /// `terminal` says that somebody looks at it.
    pub fn print(&self, format: ReportFormat, terminal: bool) -> anyhow::Result<()> {
        let text = match format {
            ReportFormat::Text => visible_lines(&self.text),
            ReportFormat::Json => {
                let json = serde_json::to_string_pretty(&self.json)?;
                match terminal {
                    true => visible_json(&json).into_owned(),
                    false => json,
                }
            }
        };
        let mut stdout = Stdout::new();
        stdout.write_all(text.trim_end_matches('\n').as_bytes())?;
        stdout.write_all(b"\n")?;
        stdout.flush()?;
        Ok(())
    }
}

/// Writes `text` to standard output as it is.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = Stdout::new();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Returns a batch as a table, for a report.
pub fn to_table(batch: &RecordBatch) -> anyhow::Result<String> {
    let shared = Arc::new(Mutex::new(Vec::new()));
    let sink: Sink = Box::new(SharedBytes(shared.clone()));
    let mut table = Table::new(&batch.schema(), Style::default(), sink);
    table.write(batch)?;
    table.finish()?;
    let bytes = shared.lock().map(|bytes| bytes.clone()).unwrap_or_default();
    Ok(String::from_utf8(bytes)?)
}

/// A sink whose bytes can be read when the encoder is done with it.
struct SharedBytes(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for SharedBytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Ok(mut shared) = self.0.lock() {
            shared.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Returns a batch of text columns, for showing a small report as a table.
pub fn text_batch<const N: usize>(
    columns: [&str; N],
    rows: &[[String; N]],
) -> anyhow::Result<RecordBatch> {
    let fields: Vec<Field> =
        columns.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
    let arrays = (0..N)
        .map(|i| {
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row[i]))) as ArrayRef
        })
        .collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}
