//! How a follower fares: what the lake keeps of it, and what it did since it began.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::json;
use traillake_server::{FollowedSource, SourceCounts};

use crate::intake::stored::Note;
use crate::intake::{Taken, spelled};
use crate::output::Report;
use crate::quantities::{count_of, show_count};

/// Refused messages that are remembered, to count each once.
const REFUSED_MAX: usize = 10_000;

/// How a follower fares.
#[derive(Default)]
pub(super) struct Fares {
    /// As the lake keeps it.
    pub(super) note: Note,
    looks: u64,
    looks_failed: u64,
    objects: u64,
    records_stored: u64,
    /// Ids of the messages that were refused; they come again and again.
    refused: HashSet<String>,
}

impl Fares {
    pub(super) fn of_note(note: Note) -> Fares {
        let mut fares = Fares::default();
        fares.go_on(note);
        fares
    }

    /// Goes on from what the lake keeps.
    pub(super) fn go_on(&mut self, note: Note) {
        self.note = Note { refused: self.note.refused, ..note };
    }

    /// Takes in what a look, or messages, brought.
    pub(super) fn looked(&mut self, taken: &Taken) {
        self.count(taken);
        self.note.of_taken(taken, Utc::now());
    }

    /// Takes in what a sweep brought that began at `began`; looks have ended meanwhile.
    pub(super) fn swept(&mut self, taken: &Taken, began: DateTime<Utc>) {
        self.count(taken);
        self.note.of_sweep(taken, began, Utc::now());
    }

    fn count(&mut self, taken: &Taken) {
        self.looks += 1;
        self.objects += new_objects(taken);
        self.records_stored += taken.report.records.stored;
    }

    pub(super) fn look_failed(&mut self, words: String) {
        self.count_failed();
        self.note.of_failure(words, Utc::now());
    }

    pub(super) fn sweep_failed(&mut self, words: String) {
        self.count_failed();
        self.note.of_failed_sweep(words, Utc::now());
    }

    fn count_failed(&mut self) {
        self.looks += 1;
        self.looks_failed += 1;
    }

    /// Counts a refused message; returns how many there are, or none when it was counted before.
    pub(super) fn refuse(&mut self, id: &str) -> Option<u64> {
        if self.refused.len() >= REFUSED_MAX || !self.refused.insert(id.to_owned()) {
            return None;
        }
        self.note.refused += 1;
        Some(self.note.refused)
    }

    /// For those who ask a server.
    pub(super) fn told(&self, name: &str, store: &str) -> FollowedSource {
        let counts = SourceCounts {
            looks: self.looks,
            looks_failed: self.looks_failed,
            objects: self.objects,
            records_stored: self.records_stored,
        };
        told(name, store, self.note.clone(), Some(counts))
    }
}

/// What a note says, for those who ask a server.
pub(super) fn told(
    name: &str,
    store: &str,
    note: Note,
    counts: Option<SourceCounts>,
) -> FollowedSource {
    let Note { looked_at, succeeded_at, failure, objects_failed, backlog, refused, sweep, .. } =
        note;
    let sweep = sweep.unwrap_or_default();
    FollowedSource {
        name: name.to_owned(),
        store: store.to_owned(),
        looked_at,
        succeeded_at,
        failure: failure.or(sweep.failure),
        // Both may tell of the same.
        objects_failed: objects_failed.max(sweep.objects_failed),
        backlog,
        refused,
        counts,
    }
}

/// Objects that this run has brought in, and no other that went on beside it.
fn new_objects(taken: &Taken) -> u64 {
    let objects = taken.report.objects;
    objects.logs() - objects.known - objects.elsewhere - objects.unreached
}

/// What a look or a sweep brought; none when it brought nothing.
pub(super) fn report_of(source: Option<&str>, taken: &Taken) -> Option<Report> {
    let (new, records) = (new_objects(taken), taken.report.records);
    if new == 0 {
        return None;
    }
    let at = spelled(Utc::now());
    let name = source.map_or(String::new(), |name| format!("{name}: "));
    let text = format!(
        "{at}  {name}{}, {} = {} stored + {} others\n",
        count_of(new, "object"),
        count_of(records.records, "record"),
        show_count(records.stored),
        show_count(records.records - records.stored),
    );
    let json = match source {
        Some(source) => json!({"at": at, "source": source, "report": taken.report}),
        None => json!({"at": at, "report": taken.report}),
    };
    Some(Report { text, json })
}
