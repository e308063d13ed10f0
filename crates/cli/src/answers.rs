//! A question asked, its answer written where and how the asker wants it.

use std::path::PathBuf;
use std::time::Instant;

use arrow::array::RecordBatch;
use futures::StreamExt as _;
use traillake_query::{Answer, Engine, NoteKind, QueryLimits};
use traillake_trino::Parameters;

use crate::failure::{Outcome, Problem};
use crate::interrupt::Interrupt;
use crate::output::{
    Cell, Destination, Encoder, Format, Sink, Stdout, Style, encoder, for_each_row,
};
use crate::quantities::{count_of, show_duration, show_size};
use crate::session::Session;

/// Where an answer goes and how it looks.
#[derive(Clone, Debug, Default)]
pub struct Writing {
    /// The format, where a flag says so.
    pub format: Option<Format>,
    /// The file, instead of standard output.
    pub file: Option<PathBuf>,
    /// Replace the file when it exists.
    pub force: bool,
    /// Write behind the answers that the file has already.
    pub append: bool,
    /// Leave out the names of the columns.
    pub no_header: bool,
    /// The text for NULL.
    pub null: String,
    /// Keep spreadsheets from taking a text for a formula.
    pub csv_safe: bool,
    /// Say how long it took and what was read.
    pub timing: bool,
    /// Say nothing of tables that hold nothing: whoever asked did not name them.
    pub silent_of_empty: bool,
}

impl Writing {
    /// Returns the format: the one asked for, the file name's, a table on a terminal, lines of
    /// JSON into a pipe.
    fn format(&self, session: &Session) -> anyhow::Result<Format> {
        let format = match (self.format, &self.file) {
            (Some(format), _) => format,
            (None, Some(file)) => Format::of_file(file).ok_or_else(|| {
                Problem::new(format!("the name `{}` tells no format", file.display()))
                    .hint("end it in .csv, .ndjson, .json, .parquet, … or add `--format`")
            })?,
            (None, None) if session.terminal.stdout => Format::Table,
            (None, None) => Format::Ndjson,
        };
        if format.is_binary() && self.file.is_none() && session.terminal.stdout {
            return Err(Problem::new("a terminal cannot show this format")
                .hint("write it to a file with `-o FILE`, or into a pipe")
                .into());
        }
        if let (true, false, Some(file)) = (self.append, format.holds_several(), &self.file) {
            return Err(Problem::new(format!("`{}` can hold one answer only", file.display()))
                .hint("name another file with `\\o FILE`, or go back with `\\o` alone")
                .into());
        }
        Ok(format)
    }

    fn style(&self, session: &Session) -> Style {
        let on_terminal = self.file.is_none() && session.terminal.stdout;
        Style {
            header: !self.no_header,
            null: self.null.clone(),
            csv_safe: self.csv_safe,
            escape: on_terminal,
            width: session.terminal.width.filter(|_| on_terminal && self.format.is_none()),
            into_file: self.file.is_some(),
        }
    }
}

/// Asks `sql` and writes the answer. Ctrl-C cancels the query.
pub async fn ask(
    session: &Session,
    engine: &Engine,
    sql: &str,
    parameters: &Parameters,
    writing: &Writing,
) -> anyhow::Result<Outcome> {
    ask_and(session, engine, sql, parameters, writing, |_| ()).await
}

/// Asks `sql`, writes the answer, and shows each of its batches to `watch` too.
pub async fn ask_and(
    session: &Session,
    engine: &Engine,
    sql: &str,
    parameters: &Parameters,
    writing: &Writing,
    watch: impl FnMut(&RecordBatch),
) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let format = writing.format(session)?;
    // A file that must not be replaced is refused before anything is computed.
    let (destination, sink) = open_sink(writing)?;
    let interrupt = Interrupt::listen(|| {});
    tracing::info!("query started");
    let work = async {
        // A shell may be open for days.
        let within = QueryLimits { now: chrono::Utc::now(), ..engine.limits() };
        let answer = engine.query_within(sql, parameters, within).await?;
        write(session, answer, format, writing, sink, started, watch).await
    };
    match interrupt.unless(work).await {
        None => {
            session.talk.warn("interrupted");
            Ok(Outcome::Interrupted)
        }
        Some(written) => {
            written?;
            destination.map_or(Ok(()), Destination::publish)?;
            Ok(Outcome::Done)
        }
    }
}

async fn write(
    session: &Session,
    mut answer: Answer,
    format: Format,
    writing: &Writing,
    sink: Sink,
    started: Instant,
    mut watch: impl FnMut(&RecordBatch),
) -> anyhow::Result<()> {
    let mut encoder: Box<dyn Encoder> =
        encoder(format, &answer.schema, writing.style(session), sink)?;
    let mut rows = 0;
    while let Some(batch) = answer.batches.next().await {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        encoder.write(&batch)?;
        watch(&batch);
    }
    let remarks = encoder.finish()?;
    if rows == 0 || format.is_for_people() {
        session.talk.say(&count_of(rows, "row"));
    }
    remarks.iter().for_each(|remark| session.talk.note(remark));
    let notes = answer.notes().into_iter();
    let notes = notes.filter(|note| !(writing.silent_of_empty && note.kind == NoteKind::Empty));
    notes.for_each(|note| session.talk.note(&note.text));
    if writing.timing {
        let read = answer.statistics();
        let asked = match read.opening_requests {
            0 => String::new(),
            opening => format!(" in {}", count_of(read.requests + opening, "request")),
        };
        session.talk.say(&format!(
            "{}: {} of {} files, {} read{asked}",
            show_duration(started.elapsed()),
            read.files_read,
            read.files_total,
            show_size(read.bytes_read),
        ));
    }
    Ok(())
}

fn open_sink(writing: &Writing) -> anyhow::Result<(Option<Destination>, Sink)> {
    match &writing.file {
        Some(path) => {
            let (destination, sink) = match writing.append {
                true => Destination::append(path)?,
                false => Destination::create(path, writing.force)?,
            };
            Ok((Some(destination), sink))
        }
        None => Ok((None, Box::new(std::io::BufWriter::new(Stdout::new())))),
    }
}

/// Returns the rows of a small answer as text; `None` is NULL.
pub async fn rows(
    engine: &Engine,
    sql: &str,
    parameters: &Parameters,
) -> anyhow::Result<Vec<Vec<Cell>>> {
    let mut answer = engine.query(sql, parameters).await?;
    let mut rows = Vec::new();
    while let Some(batch) = answer.batches.next().await {
        for_each_row(&batch?, |cells| {
            rows.push(cells);
            Ok(())
        })?;
    }
    Ok(rows)
}
