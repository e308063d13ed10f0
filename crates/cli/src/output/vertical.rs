//! One line a column, as psql's `\x` prints rows that are too wide for a table.

use std::io::Write as _;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use unicode_width::UnicodeWidthStr as _;

use super::table::shown;
use super::{Encoder, Result, Sink, Style};
use traillake_server::formats::escape::visible;
use traillake_server::formats::for_each_row;

/// The columns that the rule between two rows takes.
const RULE: usize = 60;

/// Writes rows one column a line.
pub struct Vertical {
    names: Vec<String>,
    style: Style,
    row: u64,
    sink: Sink,
}

impl Vertical {
    /// Returns a writer of vertical rows.
    pub fn new(schema: &SchemaRef, style: Style, sink: Sink) -> Vertical {
        let names: Vec<String> =
            schema.fields().iter().map(|field| visible(field.name()).into_owned()).collect();
        let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
        let names = names
            .into_iter()
            .map(|name| format!("{name}{}", " ".repeat(widest - name.width())))
            .collect();
        Vertical { names, style, row: 0, sink }
    }
}

impl Encoder for Vertical {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for_each_row(batch, |cells| {
            self.row += 1;
            if self.style.header {
                writeln!(self.sink, "{:-<RULE$}", format!("-[ row {} ]", self.row))?;
            }
            for (name, cell) in self.names.iter().zip(&cells) {
                let line = format!("{name} | {}", shown(cell, &self.style));
                writeln!(self.sink, "{}", line.trim_end_matches(' '))?;
            }
            Ok(())
        })
    }

    fn finish(&mut self) -> Result<Vec<String>> {
        self.sink.flush()?;
        Ok(Vec::new())
    }
}
