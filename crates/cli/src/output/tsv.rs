//! Tab-separated values: one line a row, whatever a value holds.
//!
//! A backslash, tab or line end inside a value is written `\\`, `\t`, `\n`, `\r`, as PostgreSQL's
//! COPY and ClickHouse do.

use std::io::Write as _;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::{Encoder, Result, Sink, Style};
use traillake_server::formats::escape::visible;
use traillake_server::formats::for_each_row;

/// Writes tab-separated values.
pub struct Tsv {
    schema: SchemaRef,
    style: Style,
    begun: bool,
    sink: Sink,
}

impl Tsv {
    /// Returns a writer of tab-separated values.
    pub fn new(schema: &SchemaRef, style: Style, sink: Sink) -> Tsv {
        Tsv { schema: schema.clone(), style, begun: false, sink }
    }

    fn begin(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.begun, true) || !self.style.header {
            return Ok(());
        }
        let fields = self.schema.fields();
        let names: Vec<String> =
            fields.iter().map(|field| escaped(field.name(), self.style.escape)).collect();
        writeln!(self.sink, "{}", names.join("\t"))?;
        Ok(())
    }
}

impl Encoder for Tsv {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.begin()?;
        for_each_row(batch, |cells| {
            let cells: Vec<String> = (cells.iter())
                .map(|cell| match cell {
                    Some(value) => escaped(value, self.style.escape),
                    None => self.style.null.clone(),
                })
                .collect();
            Ok(writeln!(self.sink, "{}", cells.join("\t"))?)
        })
    }

    fn finish(&mut self) -> Result<Vec<String>> {
        self.begin()?;
        self.sink.flush()?;
        Ok(Vec::new())
    }
}

fn escaped(value: &str, for_terminal: bool) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            c => text.push(c),
        }
    }
    match for_terminal {
        true => visible(&text).into_owned(),
        false => text,
    }
}
