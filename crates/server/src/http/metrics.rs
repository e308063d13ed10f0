//! What the server counts, in the text format of Prometheus:
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>. No label holds what a user chose:
//! no ARN, no SQL, no name but those of the lake's sources.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::followed::{FollowedSource, SourceCounts};
use crate::state::{Outcome, QueryStatus};

/// Upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 10] = [0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0];

/// What the server counts.
#[derive(Default)]
pub(crate) struct Metrics {
    ended: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    took: Mutex<BTreeMap<&'static str, Histogram>>,
    rows: AtomicU64,
    rows_read: AtomicU64,
    bytes_read: AtomicU64,
    refused: AtomicU64,
    connections: AtomicU64,
    connections_refused: AtomicU64,
}

#[derive(Default)]
struct Histogram {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    seconds: f64,
}

impl Metrics {
    pub(crate) fn query_ended(
        &self,
        protocol: &'static str,
        status: QueryStatus,
        took: Duration,
        outcome: &Outcome,
    ) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        *ended.entry((protocol, status.word())).or_default() += 1;
        drop(ended);
        let mut all = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        let histogram = all.entry(protocol).or_default();
        let seconds = took.as_secs_f64();
        histogram.count += 1;
        histogram.seconds += seconds;
        for (bucket, bound) in histogram.buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(seconds <= bound);
        }
        self.rows.fetch_add(outcome.rows, Ordering::Relaxed);
        self.rows_read.fetch_add(outcome.statistics.rows_read, Ordering::Relaxed);
        self.bytes_read.fetch_add(outcome.statistics.bytes_read, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connection_refused(&self) {
        self.connections_refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns everything as text; `unfinished` queries wait or run, `waiting` of them wait.
    pub(crate) fn text(&self, unfinished: usize, waiting: usize) -> String {
        let mut out = String::new();
        self.write_queries(&mut out);
        let running = unfinished.saturating_sub(waiting);
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        for (name, kind, help, value) in [
            ("queries_running", "gauge", "Queries that run", running as u64),
            ("queries_waiting", "gauge", "Queries that wait for their turn", waiting as u64),
            ("rows_returned_total", "counter", "Rows of answers", read(&self.rows)),
            ("rows_read_total", "counter", "Rows looked at by queries", read(&self.rows_read)),
            (
                "bytes_read_total",
                "counter",
                "Bytes read from the lake by queries",
                read(&self.bytes_read),
            ),
            (
                "requests_refused_total",
                "counter",
                "Requests without valid credentials, or from another place",
                read(&self.refused),
            ),
            ("connections_total", "counter", "Connections accepted", read(&self.connections)),
            (
                "connections_refused_total",
                "counter",
                "Connections closed because there were too many",
                read(&self.connections_refused),
            ),
        ] {
            header(&mut out, name, kind, help);
            let _ = writeln!(out, "traillake_{name} {value}");
        }
        out
    }

    fn write_queries(&self, out: &mut String) {
        header(out, "queries_total", "counter", "Queries that ended, by protocol and how");
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        for ((protocol, status), count) in ended.iter() {
            let status = status.to_ascii_lowercase();
            let _ = writeln!(
                out,
                "traillake_queries_total{{protocol=\"{protocol}\",status=\"{status}\"}} {count}"
            );
        }
        drop(ended);
        header(out, "query_seconds", "histogram", "From the request to the end of the query");
        let took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        for (protocol, histogram) in took.iter() {
            for (bucket, bound) in histogram.buckets.iter().zip(BUCKETS) {
                let _ = writeln!(
                    out,
                    "traillake_query_seconds_bucket{{protocol=\"{protocol}\",le=\"{bound}\"}} \
                     {bucket}"
                );
            }
            let Histogram { count, seconds, .. } = histogram;
            let _ = writeln!(
                out,
                "traillake_query_seconds_bucket{{protocol=\"{protocol}\",le=\"+Inf\"}} {count}\n\
                 traillake_query_seconds_sum{{protocol=\"{protocol}\"}} {seconds}\n\
                 traillake_query_seconds_count{{protocol=\"{protocol}\"}} {count}"
            );
        }
    }
}

/// Appends how sources fare. What they count is told where this server follows them.
pub(super) fn write_sources(
    out: &mut String,
    sources: &[FollowedSource],
    follows: bool,
    now: DateTime<Utc>,
) {
    type Value = fn(&FollowedSource, DateTime<Utc>) -> Option<f64>;
    fn counted(source: &FollowedSource, count: fn(SourceCounts) -> u64) -> Option<f64> {
        source.counts.map(|counts| count(counts) as f64)
    }
    let all: [(&str, &str, &str, Value); 9] = [
        (
            "lag_seconds",
            "gauge",
            "Seconds since all that was found at a source was in the lake",
            FollowedSource::lag_seconds,
        ),
        (
            "last_success_timestamp_seconds",
            "gauge",
            "When a look at a source last ended well",
            |source, _| source.succeeded_at.map(|at| at.timestamp() as f64),
        ),
        (
            "backlog_messages",
            "gauge",
            "Messages that wait in the queue of a source, about",
            |source, _| source.backlog.map(|count| count as f64),
        ),
        (
            "failed_objects",
            "gauge",
            "Objects that the last look, or the last sweep, could not take in",
            |source, _| Some(source.objects_failed as f64),
        ),
        ("looks_total", "counter", "Looks and sweeps of a source", |source, _| {
            counted(source, |counts| counts.looks)
        }),
        (
            "looks_failed_total",
            "counter",
            "Looks and sweeps of a source that failed",
            |source, _| counted(source, |counts| counts.looks_failed),
        ),
        (
            "messages_refused_total",
            "counter",
            "Messages that name no object of a source, or cannot be read",
            |source, _| Some(source.refused as f64),
        ),
        ("objects_total", "counter", "Objects brought in from a source", |source, _| {
            counted(source, |counts| counts.objects)
        }),
        ("records_stored_total", "counter", "Records stored from a source", |source, _| {
            counted(source, |counts| counts.records_stored)
        }),
    ];
    for (name, kind, help, value) in all {
        if !follows && !sources.iter().any(|source| value(source, now).is_some()) {
            continue;
        }
        header(out, &format!("source_{name}"), kind, help);
        for source in sources {
            if let Some(value) = value(source, now) {
                let source = &source.name;
                let _ = writeln!(out, "traillake_source_{name}{{source=\"{source}\"}} {value}");
            }
        }
    }
}

fn header(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP traillake_{name} {help}.\n# TYPE traillake_{name} {kind}");
}
