//! Comma-separated values by RFC 4180, with `\n` line ends. Values are verbatim.
//!
//! NULL is an empty field and the empty text is `""`, so that a reader can tell them apart.

use std::io::Write as _;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::escape::visible;
use super::rows::{Cell, for_each_row};
use super::text::is_numeric;
use super::{Encoder, Result, Sink, Style};

/// Writes comma-separated values.
pub struct Csv {
    schema: SchemaRef,
    style: Style,
    begun: bool,
    defused: u64,
    sink: Sink,
}

impl Csv {
    /// Returns a writer of comma-separated values.
    pub fn new(schema: &SchemaRef, style: Style, sink: Sink) -> Csv {
        Csv { schema: schema.clone(), style, begun: false, defused: 0, sink }
    }

    fn begin(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.begun, true) || !self.style.header {
            return Ok(());
        }
        let schema = self.schema.clone();
        let names = schema.fields().iter().map(|field| Some(field.name().clone())).collect();
        self.line(names, &vec![true; schema.fields().len()])
    }

    /// Writes one line; `text` tells which cells may be taken for a formula.
    fn line(&mut self, cells: Vec<Cell>, text: &[bool]) -> Result<()> {
        for (i, (cell, is_text)) in cells.into_iter().zip(text).enumerate() {
            if i > 0 {
                self.sink.write_all(b",")?;
            }
            let Some(mut value) = cell else {
                self.sink.write_all(self.style.null.as_bytes())?;
                continue;
            };
            if self.style.csv_safe && *is_text && is_formula(&value) {
                value.insert(0, '\'');
                self.defused += 1;
            }
            if self.style.escape {
                value = visible(&value).into_owned();
            }
            match needs_quotes(&value) || value == self.style.null {
                true => write!(self.sink, "\"{}\"", value.replace('"', "\"\""))?,
                false => self.sink.write_all(value.as_bytes())?,
            }
        }
        self.sink.write_all(b"\n")?;
        Ok(())
    }
}

impl Encoder for Csv {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.begin()?;
        let text: Vec<bool> =
            self.schema.fields().iter().map(|field| !is_numeric(field.data_type())).collect();
        for_each_row(batch, |cells| self.line(cells, &text))
    }

    fn finish(&mut self) -> Result<Vec<String>> {
        self.begin()?;
        self.sink.flush()?;
        Ok(match self.defused {
            0 => Vec::new(),
            1 => vec!["--csv-safe put a `'` before 1 value".to_owned()],
            count => vec![format!("--csv-safe put a `'` before {count} values")],
        })
    }
}

fn needs_quotes(value: &str) -> bool {
    value.is_empty()
        || value.contains([',', '"', '\n', '\r'])
        || value.starts_with(' ')
        || value.ends_with(' ')
}

/// Returns true for a text that a spreadsheet would take for a formula:
/// <https://owasp.org/www-community/attacks/CSV_Injection>.
fn is_formula(value: &str) -> bool {
    value.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}
