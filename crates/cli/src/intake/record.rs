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
    ///
    /// # Errors
    /// When it cannot be written: what was taken in stands, and the error says how much that is.
    pub fn finish(mut self, report: &Report, finished_at: DateTime<Utc>) -> anyhow::Result<()> {
        let tail = json!({"finished_at": spelled(finished_at), "report": report});
        let written = match self.failure.take() {
            Some(failure) => Err(failure),
            None => writeln!(self.sink, "{tail}").and_then(|()| self.sink.flush()),
        };
        let taken = match (report.cancelled, report.is_clean()) {
            (true, _) => "the intake was interrupted, and",
            (false, true) => "everything was taken in, but",
            (false, false) => "not everything was taken in, and",
        };
        written.map_err(|error| {
            Problem::new(format!("{taken} the report could not be written")).because(error)
        })?;
        self.destination.publish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_cannot_be_written_tells_what_was_taken_in() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let said = |report: Report| -> anyhow::Result<Option<String>> {
            let path = folder.path().join("record");
            let mut record = IntakeRecord::create(&path, DateTime::UNIX_EPOCH)?;
            record.failure = Some(std::io::ErrorKind::WriteZero.into());
            let finished = record.finish(&report, DateTime::UNIX_EPOCH);
            Ok(finished.err().map(|error| error.to_string()))
        };
        let check = |report: Report, taken: &str| -> anyhow::Result<()> {
            assert_eq!(said(report)?, Some(format!("{taken} the report could not be written")));
            Ok(())
        };
        check(Report::default(), "everything was taken in, but")?;
        let cancelled = Report { cancelled: true, ..Report::default() };
        check(cancelled, "the intake was interrupted, and")?;
        let faulty = Report { faults_total: 1, ..Report::default() };
        check(faulty, "not everything was taken in, and")
    }
}
