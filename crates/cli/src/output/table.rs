//! Aligned columns, as psql prints them.
//!
//! The first rows decide how wide the columns are; later rows stream in that layout, and a cell
//! that is wider than its column pushes its own line only. Nothing is ever cut.

use std::io::Write as _;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use unicode_width::UnicodeWidthStr as _;

use super::vertical::Vertical;
use super::{Encoder, Result, Sink, Style};
use traillake_server::formats::escape::visible;
use traillake_server::formats::is_numeric;
use traillake_server::formats::{Cell, for_each_row};

/// How many rows are looked at before the columns get their widths.
const ROWS_SEEN: usize = 1_000;
/// How many bytes of text those rows may have.
const BYTES_SEEN: usize = 4 << 20;

/// Writes aligned columns.
pub struct Table {
    schema: SchemaRef,
    style: Style,
    seen: Vec<RecordBatch>,
    rows_seen: usize,
    layout: Option<Layout>,
    sink: Option<Sink>,
}

enum Layout {
    /// Aligned, with these widths.
    Columns { widths: Vec<usize>, sink: Sink },
    /// A row did not fit: everything is written vertically.
    Vertical(Box<Vertical>),
}

impl Table {
    /// Returns a writer of tables.
    pub fn new(schema: &SchemaRef, style: Style, sink: Sink) -> Table {
        let schema = schema.clone();
        Table { schema, style, seen: Vec::new(), rows_seen: 0, layout: None, sink: Some(sink) }
    }

    /// Chooses the layout from the rows seen, and writes them.
    fn settle(&mut self) -> Result<()> {
        let Some(mut sink) = self.sink.take() else { return Ok(()) };
        let header: Vec<Cell> = (self.schema.fields().iter())
            .map(|field| Some(visible(field.name()).into_owned()))
            .collect();
        let mut widths: Vec<usize> = match self.style.header {
            true => header.iter().map(|name| width(name.as_deref().unwrap_or_default())).collect(),
            false => vec![0; header.len()],
        };
        for batch in &self.seen {
            for_each_row(batch, |cells| {
                for (widest, cell) in widths.iter_mut().zip(&cells) {
                    *widest = (*widest).max(width(&shown(cell, &self.style)));
                }
                Ok(())
            })?;
        }
        let total = widths.iter().sum::<usize>() + 3 * widths.len().saturating_sub(1) + 2;
        if self.style.width.is_some_and(|limit| total > limit) {
            let vertical = Vertical::new(&self.schema, self.style.clone(), sink);
            self.layout = Some(Layout::Vertical(Box::new(vertical)));
        } else {
            if self.style.header {
                let none = vec![false; header.len()];
                writeln!(sink, "{}", line(&header, &widths, &none, &self.style))?;
                let rules: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
                writeln!(sink, "{}", rules.join("+"))?;
            }
            self.layout = Some(Layout::Columns { widths, sink });
        }
        for batch in std::mem::take(&mut self.seen) {
            self.write_laid_out(&batch)?;
        }
        Ok(())
    }

    fn write_laid_out(&mut self, batch: &RecordBatch) -> Result<()> {
        match &mut self.layout {
            Some(Layout::Vertical(vertical)) => vertical.write(batch),
            Some(Layout::Columns { widths, sink }) => {
                let right: Vec<bool> = (self.schema.fields().iter())
                    .map(|field| is_numeric(field.data_type()))
                    .collect();
                for_each_row(batch, |cells| {
                    Ok(writeln!(sink, "{}", line(&cells, widths, &right, &self.style))?)
                })
            }
            None => Ok(()),
        }
    }
}

impl Encoder for Table {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.layout.is_some() {
            return self.write_laid_out(batch);
        }
        self.rows_seen += batch.num_rows();
        self.seen.push(batch.clone());
        let bytes: usize = self.seen.iter().map(RecordBatch::get_array_memory_size).sum();
        if self.rows_seen >= ROWS_SEEN || bytes >= BYTES_SEEN {
            self.settle()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<String>> {
        self.settle()?;
        match &mut self.layout {
            Some(Layout::Vertical(vertical)) => vertical.finish(),
            Some(Layout::Columns { sink, .. }) => {
                sink.flush()?;
                Ok(Vec::new())
            }
            None => Ok(Vec::new()),
        }
    }
}

/// Returns the columns that `text` takes on a terminal.
fn width(text: &str) -> usize {
    text.width()
}

/// Returns the cell as it is shown: NULL as the style has it, unsafe characters spelled out.
pub fn shown(cell: &Cell, style: &Style) -> String {
    visible(cell.as_deref().unwrap_or(&style.null)).into_owned()
}

/// Returns one line of the table, without blanks at its end.
fn line(cells: &[Cell], widths: &[usize], right: &[bool], style: &Style) -> String {
    let mut line = String::new();
    for (i, ((cell, widest), right)) in cells.iter().zip(widths).zip(right).enumerate() {
        line.push_str(if i > 0 { " | " } else { " " });
        let text = shown(cell, style);
        let blanks = " ".repeat(widest.saturating_sub(width(&text)));
        match right {
            true => line.extend([blanks.as_str(), text.as_str()]),
            false => line.extend([text.as_str(), blanks.as_str()]),
        }
    }
    line.truncate(line.trim_end_matches(' ').len());
    line
}
