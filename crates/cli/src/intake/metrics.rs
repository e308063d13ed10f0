//! How far sources have come in, in the text format of Prometheus:
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use traillake_store::Lake;

use super::stored::{self, Note};

/// A metric: its name, what it tells, and its value of a source, where there is one.
type Metric = (&'static str, &'static str, fn(&Note, DateTime<Utc>) -> Option<f64>);

const METRICS: [Metric; 7] = [
    ("last_look_timestamp_seconds", "When the last look at a source ended", |note, _| {
        note.looked_at.map(seconds)
    }),
    ("last_success_timestamp_seconds", "When a look at a source last ended well", |note, _| {
        note.succeeded_at.map(seconds)
    }),
    ("lag_seconds", "Time since the newest delivery that was found at a source", |note, now| {
        note.newest_delivery.map(|at| (seconds(now) - seconds(at)).max(0.0))
    }),
    ("failing", "Whether the last look at a source failed", |note, _| {
        Some(f64::from(u8::from(note.failure.is_some())))
    }),
    ("objects_failed", "Objects that the last look at a source could not take in", |note, _| {
        Some(note.objects_failed as f64)
    }),
    ("backlog_messages", "Messages that wait in the queue of a source, about", |note, _| {
        note.backlog.map(|backlog| backlog as f64)
    }),
    (
        "refused_messages",
        "Messages of the queue of a source that were refused since the process began",
        |note, _| Some(note.refused as f64),
    ),
];

/// Returns what the lake's notes tell of every source: for a process that follows them and answers
/// `/metrics`. Costs a listing and two small files a source, and asks no tables.
///
/// # Errors
/// When the sources cannot be read.
#[allow(dead_code, reason = "for `serve`, once it follows sources itself")]
pub async fn metrics(lake: &Lake, now: DateTime<Utc>) -> anyhow::Result<String> {
    let mut notes = Vec::new();
    for (name, _) in stored::stored(lake).await? {
        let note = stored::note_of(lake, &name).await?;
        notes.push((name, note));
    }
    Ok(text(&notes, now))
}

/// The name of a source needs no escapes: it is of lower-case letters, digits, `-` and `_`.
fn text(notes: &[(String, Note)], now: DateTime<Utc>) -> String {
    let mut text = String::new();
    for (name, help, value) in METRICS {
        let _ = writeln!(text, "# HELP traillake_source_{name} {help}.");
        let _ = writeln!(text, "# TYPE traillake_source_{name} gauge");
        for (source, note) in notes {
            if let Some(value) = value(note, now) {
                let _ = writeln!(text, "traillake_source_{name}{{source=\"{source}\"}} {value}");
            }
        }
    }
    text
}

fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_a_line_for_what_is_known_of_it() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0);
        let looked = Note {
            looked_at: at(1_000),
            succeeded_at: at(900),
            newest_delivery: at(700),
            failure: Some("no".to_owned()),
            backlog: Some(3),
            ..Note::default()
        };
        let notes = [("live".to_owned(), looked), ("new".to_owned(), Note::default())];
        let text = text(&notes, at(1_060).unwrap_or_default());
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "traillake_source_last_look_timestamp_seconds{source=\"live\"} 1000",
            "traillake_source_last_success_timestamp_seconds{source=\"live\"} 900",
            "traillake_source_lag_seconds{source=\"live\"} 360",
            "traillake_source_failing{source=\"live\"} 1",
            "traillake_source_failing{source=\"new\"} 0",
            "traillake_source_objects_failed{source=\"live\"} 0",
            "traillake_source_objects_failed{source=\"new\"} 0",
            "traillake_source_backlog_messages{source=\"live\"} 3",
            "traillake_source_refused_messages{source=\"live\"} 0",
            "traillake_source_refused_messages{source=\"new\"} 0",
        ];
        assert_eq!(lines, expected);
        assert_eq!(text.matches("# TYPE ").count(), METRICS.len());
    }
}
