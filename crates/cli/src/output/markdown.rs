//! A table in GitHub's Markdown. Text that others chose cannot become markup or a link.

use std::io::Write as _;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::{Encoder, Result, Sink, Style};
use traillake_server::formats::escape::visible;
use traillake_server::formats::for_each_row;
use traillake_server::formats::is_numeric;

/// Writes a Markdown table.
pub struct Markdown {
    schema: SchemaRef,
    style: Style,
    begun: bool,
    sink: Sink,
}

impl Markdown {
    /// Returns a writer of Markdown tables.
    pub fn new(schema: &SchemaRef, style: Style, sink: Sink) -> Markdown {
        Markdown { schema: schema.clone(), style, begun: false, sink }
    }

    /// Writes the two head lines, which a Markdown table cannot do without.
    fn begin(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        let fields = self.schema.fields();
        let names: Vec<String> = fields.iter().map(|field| literal(field.name())).collect();
        writeln!(self.sink, "| {} |", names.join(" | "))?;
        let rules: Vec<&str> = (fields.iter())
            .map(|field| if is_numeric(field.data_type()) { "---:" } else { "---" })
            .collect();
        writeln!(self.sink, "| {} |", rules.join(" | "))?;
        Ok(())
    }
}

impl Encoder for Markdown {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.begin()?;
        for_each_row(batch, |cells| {
            let cells: Vec<String> = (cells.iter())
                .map(|cell| literal(cell.as_deref().unwrap_or(&self.style.null)))
                .collect();
            Ok(writeln!(self.sink, "| {} |", cells.join(" | "))?)
        })
    }

    fn finish(&mut self) -> Result<Vec<String>> {
        self.begin()?;
        self.sink.flush()?;
        Ok(Vec::new())
    }
}

/// Returns `text` so that a Markdown reader shows it letter for letter.
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '<' => literal.push_str("&lt;"),
            '&' => literal.push_str("&amp;"),
            '\\' | '|' | '`' | '*' | '[' | ']' | '~' => literal.extend(['\\', c]),
            c => literal.push(c),
        }
    }
    literal
}
