//! How does the file of a result read? As Athena writes it
//! (<https://docs.aws.amazon.com/athena/latest/ug/querying.html>): rows as comma-separated values
//! with every value in quotes and nothing at all for NULL; what statements show as lines of text.

use std::io::Write as _;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::statement::Kind;
use super::{bytes, shown};
use crate::formats::{Cell, Encoder, Result, Sink, for_each_row};
use crate::results::Beside;

/// Returns what writes the file of a statement of that kind.
pub(super) fn of(kind: Kind) -> Beside {
    Beside {
        ending: kind.ending(),
        encoder: match kind {
            Kind::Dml => |schema, sink| Ok(Box::new(Quoted::new(schema, sink))),
            Kind::Ddl | Kind::Utility => |_, sink| Ok(Box::new(Lines { sink })),
        },
    }
}

/// Comma-separated values, all in quotes, below a line of names.
struct Quoted {
    schema: SchemaRef,
    begun: bool,
    sink: Sink,
}

impl Quoted {
    fn new(schema: &SchemaRef, sink: Sink) -> Quoted {
        Quoted { schema: schema.clone(), begun: false, sink }
    }

    fn begin(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        let names = self.schema.fields().iter().map(|field| Some(field.name().clone())).collect();
        self.line(names)
    }

    fn line(&mut self, cells: Vec<Cell>) -> Result<()> {
        for (i, cell) in cells.into_iter().enumerate() {
            self.sink.write_all(if i > 0 { b"," } else { b"" })?;
            if let Some(value) = cell {
                write!(self.sink, "\"{}\"", value.replace('"', "\"\""))?;
            }
        }
        Ok(self.sink.write_all(b"\n")?)
    }
}

impl Encoder for Quoted {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.begin()?;
        for_each_row(&bytes::spaced(batch)?, |cells| self.line(cells))
    }

    fn finish(&mut self) -> Result<Vec<String>> {
        self.begin()?;
        self.sink.flush()?;
        Ok(Vec::new())
    }
}

/// A line a row, its values apart by tabs.
struct Lines {
    sink: Sink,
}

impl Encoder for Lines {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for_each_row(&shown::rows(batch)?, |cells| {
            let values: Vec<String> = cells.into_iter().map(Option::unwrap_or_default).collect();
            Ok(writeln!(self.sink, "{}", values.join("\t"))?)
        })
    }

    fn finish(&mut self) -> Result<Vec<String>> {
        self.sink.flush()?;
        Ok(Vec::new())
    }
}
