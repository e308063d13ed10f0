//! The intake record (`ingest --report FILE`): what was taken in, object by object.
//!
//! JSON lines: first who took it in and when, then one line for each object and for each file that
//! was passed over, last the sums. The file appears when the run is over, whole.

use std::io::Write as _;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use traillake_ingest::Report;

use super::spelled;
use crate::failure::Problem;
use crate::output::{Destination, Sink};

/// An intake record under way.
pub struct IntakeRecord {
    destination: Destination,
    sink: Sink,
    failure: Option<std::io::Error>,
}

impl IntakeRecord {
    /// Begins a record at `path`, which must not exist.
    pub fn create(path: &Path, started_at: DateTime<Utc>) -> anyhow::Result<IntakeRecord> {
        let (destination, mut sink) = Destination::create(path, false)?;
        let head =
            json!({"traillake": env!("CARGO_PKG_VERSION"), "started_at": spelled(started_at)});
        let failure = writeln!(sink, "{head}").err();
        Ok(IntakeRecord { destination, sink, failure })
    }

    /// Adds a line. A failure to write is told at the end; it must not stop the intake.
    pub fn add(&mut self, line: &impl Serialize) {
        if self.failure.is_some() {
            return;
        }
        let written = serde_json::to_writer(&mut self.sink, line).map_err(std::io::Error::from);
        self.failure = written.and_then(|()| self.sink.write_all(b"\n")).err();
    }

    /// Adds the sums and gives the file its name.
    pub fn finish(mut self, report: &Report, finished_at: DateTime<Utc>) -> anyhow::Result<()> {
        let tail = json!({"finished_at": spelled(finished_at), "report": report});
        let written = match self.failure.take() {
            Some(failure) => Err(failure),
            None => writeln!(self.sink, "{tail}").and_then(|()| self.sink.flush()),
        };
        written.map_err(|error| {
            Problem::new("everything was taken in, but the report could not be written")
                .because(error)
        })?;
        self.destination.publish()
    }
}
