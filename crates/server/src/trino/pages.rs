//! The document that every answer of this protocol is: what is known of the query, its columns,
//! some of its rows, and where the next document is.

use arrow::array::RecordBatch;
use serde_json::{Value, json};
use traillake_query::Statistics;

use super::faults::Fault;
use super::{columns, values};
use crate::error::Result;
use crate::queries::Running;

/// Bytes of rows at which a page is full.
const BYTES: usize = 1 << 20;
/// Rows at which a page is full.
const ROWS: usize = 50_000;
/// A page with fewer bytes can be the last and hold rows: it is kept until it is surely received.
const LAST_BYTES: usize = 64 << 10;
/// For so long a page waits for more rows once it has some.
const WAIT: std::time::Duration = std::time::Duration::from_millis(300);

/// For so long a full page waits to learn whether it is the last.
const LOOK_AHEAD: std::time::Duration = std::time::Duration::from_millis(10);

/// How a query goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Queued,
    Running,
    Finished,
    Failed,
}

impl Phase {
    pub(super) fn word(self) -> &'static str {
        match self {
            Phase::Queued => "QUEUED",
            Phase::Running => "RUNNING",
            Phase::Finished => "FINISHED",
            Phase::Failed => "FAILED",
        }
    }
}

/// What a page says.
pub(super) struct Document<'a> {
    pub(super) id: &'a str,
    /// Where the client reached the server: `http://127.0.0.1:8585`.
    pub(super) base: &'a str,
    /// The path of the next document; none on the last.
    pub(super) next: Option<String>,
    pub(super) phase: Phase,
    /// `columns` as JSON, once they are known.
    pub(super) columns: Option<&'a str>,
    /// `data` as JSON.
    pub(super) data: Option<&'a str>,
    pub(super) fault: Option<&'a Fault>,
    pub(super) update_type: Option<&'a str>,
    pub(super) warnings: &'a [String],
    pub(super) read: Statistics,
    pub(super) elapsed_millis: u64,
}

impl<'a> Document<'a> {
    /// A document that says nothing but whose it is.
    pub(super) fn of(id: &'a str, base: &'a str) -> Document<'a> {
        Document {
            id,
            base,
            next: None,
            phase: Phase::Finished,
            columns: None,
            data: None,
            fault: None,
            update_type: None,
            warnings: &[],
            read: Statistics::default(),
            elapsed_millis: 0,
        }
    }

    pub(super) fn to_text(&self) -> String {
        let Document { id, base, .. } = self;
        let mut out = String::with_capacity(self.data.map_or(0, str::len) + 1_024);
        let mut member = |name: &str, value: &str| {
            out.push_str(if out.is_empty() { "{\"" } else { ",\"" });
            out.push_str(name);
            out.push_str("\":");
            out.push_str(value);
        };
        member("id", &json!(id).to_string());
        member("infoUri", &json!(format!("{base}/v1/query/{id}")).to_string());
        if let Some(path) = &self.next {
            member("nextUri", &json!(format!("{base}{path}")).to_string());
        }
        if let Some(columns) = self.columns {
            member("columns", columns);
        }
        if let Some(data) = self.data {
            member("data", data);
        }
        member("stats", &self.stats().to_string());
        if let Some(fault) = self.fault {
            member("error", &fault.to_json().to_string());
        }
        if let Some(update_type) = self.update_type {
            member("updateType", &json!(update_type).to_string());
        }
        member("warnings", &self.warnings().to_string());
        out.push('}');
        out
    }

    /// Progress in percent is left out: no total is known while files are pruned as they are read.
    fn stats(&self) -> Value {
        json!({
            "state": self.phase.word(),
            "queued": self.phase == Phase::Queued,
            "scheduled": self.phase != Phase::Queued,
            "nodes": 1,
            "totalSplits": 0,
            "queuedSplits": 0,
            "runningSplits": 0,
            "completedSplits": 0,
            "cpuTimeMillis": 0,
            "wallTimeMillis": self.elapsed_millis,
            "queuedTimeMillis": 0,
            "elapsedTimeMillis": self.elapsed_millis,
            "processedRows": self.read.rows_read,
            "processedBytes": self.read.bytes_read,
            "physicalInputBytes": self.read.bytes_read,
            "peakMemoryBytes": 0,
            "spilledBytes": 0,
        })
    }

    fn warnings(&self) -> Value {
        let code = json!({"code": 1, "name": "TRAILLAKE"});
        let warning = |text: &String| json!({"warningCode": code, "message": text});
        self.warnings.iter().map(warning).collect()
    }
}

/// Rows of a page, as JSON.
pub(super) struct Rows {
    pub(super) text: String,
}

impl Rows {
    /// Whether the page that holds them can be the last.
    pub(super) fn may_be_last(&self) -> bool {
        self.text.len() <= LAST_BYTES
    }
}

/// Makes pages of a query's rows.
pub(super) struct Pages {
    running: Running,
    precise: bool,
    /// A batch that did not fit, and the row to go on with.
    left: Option<(RecordBatch, usize)>,
    ended: bool,
}

impl Pages {
    pub(super) fn of(running: Running, precise: bool) -> Pages {
        Pages { running, precise, left: None, ended: false }
    }

    pub(super) fn columns(&self) -> Value {
        columns::of_schema(&self.running.schema, self.precise)
    }

    pub(super) fn running(&self) -> &Running {
        &self.running
    }

    pub(super) fn into_running(self) -> Running {
        self.running
    }

    /// Whether no further page has rows, as far as is known.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Returns the next rows; none after the last. A page has at least one row, and is given before
    /// it is full when no further row comes soon.
    ///
    /// # Errors
    /// The query's. Dropping the wait loses nothing but the page under way.
    pub(super) async fn next(&mut self) -> Result<Option<Rows>> {
        let (mut text, mut rows) = (String::from("["), 0);
        while !self.ended && text.len() < BYTES && rows < ROWS {
            let (batch, first) = match self.left.take() {
                Some(left) => left,
                None if rows == 0 => match self.running.next().await? {
                    Some(batch) => (batch, 0),
                    None => {
                        self.ended = true;
                        break;
                    }
                },
                None => match tokio::time::timeout(WAIT, self.running.next()).await {
                    Ok(next) => match next? {
                        Some(batch) => (batch, 0),
                        None => {
                            self.ended = true;
                            break;
                        }
                    },
                    Err(_) => break,
                },
            };
            let end = self.write(&batch, first, &mut text, &mut rows)?;
            if end < batch.num_rows() {
                self.left = Some((batch, end));
            }
        }
        // Whoever has all rows gives the turn back, however slowly they are fetched.
        if rows > 0
            && !self.ended
            && self.left.is_none()
            && let Ok(next) = tokio::time::timeout(LOOK_AHEAD, self.running.next()).await
        {
            self.left = next?.map(|batch| (batch, 0));
            self.ended = self.left.is_none();
        }
        text.push(']');
        // It may wait for long, and takes what it is counted for.
        text.shrink_to_fit();
        Ok((rows > 0).then_some(Rows { text }))
    }

    /// Writes rows of a batch until the page is full; returns the first that was not written.
    fn write(
        &self,
        batch: &RecordBatch,
        first: usize,
        text: &mut String,
        rows: &mut usize,
    ) -> Result<usize> {
        for row in first..batch.num_rows() {
            if text.len() >= BYTES || *rows >= ROWS {
                return Ok(row);
            }
            text.push_str(if *rows > 0 { ",\n[" } else { "[" });
            for (i, column) in batch.columns().iter().enumerate() {
                text.push_str(if i > 0 { "," } else { "" });
                values::push(column, row, self.precise, text)?;
            }
            text.push(']');
            *rows += 1;
        }
        Ok(batch.num_rows())
    }
}
