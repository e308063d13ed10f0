//! Rows as Parquet or CSV, and events or rows one a line, in files of a bounded number of them.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::folder::{ExportedFile, Folder, Partial};
use crate::output::{Encoder, Format, Style, encoder};

/// Files of one format under way, one at a time.
pub struct Sheets<'a> {
    folder: &'a Folder,
    /// What stands before the number in a name, and behind it.
    name: (&'static str, &'static str),
    rows_max: u64,
    open: Option<Open>,
    files: Vec<ExportedFile>,
    /// Events laid out on one line, which were written on several.
    pub relaid: u64,
}

struct Open {
    partial: Partial,
    sink: Written,
    rows: u64,
}

enum Written {
    Rows(Box<dyn Encoder>),
    Lines(Box<dyn Write + Send>),
}

impl<'a> Sheets<'a> {
    /// Begins files `<name>-00001.<ending>` in `folder`, with at most so many rows each.
    pub fn new(
        folder: &'a Folder,
        name: &'static str,
        ending: &'static str,
        rows_max: u64,
    ) -> Sheets<'a> {
        let (open, files) = (None, Vec::new());
        Sheets { folder, name: (name, ending), rows_max, open, files, relaid: 0 }
    }

    /// Adds rows.
    pub fn rows(
        &mut self,
        format: Format,
        schema: &SchemaRef,
        batch: &RecordBatch,
    ) -> anyhow::Result<()> {
        let mut at = 0;
        // An answer without rows still has columns: its file holds those.
        while at < batch.num_rows() || self.is_new() {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => {
                    let (partial, sink) = self.folder.begin()?;
                    let style = Style { into_file: true, ..Style::default() };
                    let sink = Written::Rows(encoder(format, schema, style, sink)?);
                    Open { partial, sink, rows: 0 }
                }
            };
            let room = usize::try_from(self.rows_max - open.rows).unwrap_or(usize::MAX);
            let part = batch.slice(at, room.min(batch.num_rows() - at));
            if let Written::Rows(encoder) = &mut open.sink {
                encoder.write(&part)?;
            }
            at += part.num_rows();
            open.rows += part.num_rows() as u64;
            self.keep(open)?;
        }
        Ok(())
    }

    fn is_new(&self) -> bool {
        self.open.is_none() && self.files.is_empty()
    }

    /// Adds an event: its original bytes, on one line.
    pub fn line(&mut self, record: &[u8]) -> anyhow::Result<()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => {
                let (partial, sink) = self.folder.begin()?;
                Open { partial, sink: Written::Lines(sink), rows: 0 }
            }
        };
        if let Written::Lines(sink) = &mut open.sink {
            // JSON has line breaks between its parts only, where a space means the same.
            match record.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
                false => sink.write_all(record)?,
                true => {
                    self.relaid += 1;
                    let to_space = |byte: &u8| match byte {
                        b'\n' | b'\r' => b' ',
                        other => *other,
                    };
                    sink.write_all(&record.iter().map(to_space).collect::<Vec<u8>>())?;
                }
            }
            sink.write_all(b"\n")?;
        }
        open.rows += 1;
        self.keep(open)
    }

    /// Ends the last file and returns all.
    pub fn finish(mut self) -> anyhow::Result<Vec<ExportedFile>> {
        if let Some(open) = self.open.take() {
            self.end(open)?;
        }
        Ok(self.files)
    }

    fn keep(&mut self, open: Open) -> anyhow::Result<()> {
        match open.rows >= self.rows_max {
            true => self.end(open),
            false => {
                self.open = Some(open);
                Ok(())
            }
        }
    }

    fn end(&mut self, open: Open) -> anyhow::Result<()> {
        match open.sink {
            Written::Rows(mut encoder) => drop(encoder.finish()?),
            Written::Lines(mut sink) => sink.flush()?,
        }
        let (name, ending) = self.name;
        let number = self.files.len() + 1;
        let named = |_: &[u8; 32]| format!("{name}-{number:05}.{ending}");
        self.files.push(self.folder.finish(open.partial, open.rows, named)?);
        Ok(())
    }
}
