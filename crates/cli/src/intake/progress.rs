//! How a run looks while it goes on: a bar on a terminal, now and then a line elsewhere.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use traillake_ingest::{Fault, IgnoredLine, IntakeLine, Progress};

use super::record::IntakeRecord;
use crate::quantities::{count_of, show_count, show_size};
use crate::session::Session;
use crate::talk::Talk;
use traillake_server::formats::escape::visible;

/// How many faults are told one by one; the rest are counted.
const FAULTS_TOLD: u64 = 20;
/// The time between two lines where no bar can be drawn.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Hears how a run goes, and shows it.
pub struct Listener {
    talk: Talk,
    bar: Option<ProgressBar>,
    started: Instant,
    counts: Counts,
    last_line: Mutex<Instant>,
    record: Mutex<Option<IntakeRecord>>,
}

#[derive(Default)]
struct Counts {
    planned: AtomicU64,
    objects: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
    faults: AtomicU64,
}

impl Listener {
    /// Starts to listen; every object goes into `record`.
    pub fn start(session: &Session, record: Option<IntakeRecord>) -> Listener {
        let bar = session.draws_progress().then(|| {
            let bar = session.talk.bars().add(ProgressBar::new(0));
            let template = "{bar:24} {msg} · {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        });
        let started = Instant::now();
        Listener {
            talk: session.talk.clone(),
            bar,
            started,
            counts: Counts::default(),
            last_line: Mutex::new(started),
            record: Mutex::new(record),
        }
    }

    /// Takes the bar away, tells how many faults went untold, and returns the record.
    pub fn stop(self) -> Option<IntakeRecord> {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let untold = self.counts.faults.load(Ordering::Relaxed).saturating_sub(FAULTS_TOLD);
        if untold > 0 {
            self.talk.warn(&format!("{} more of this kind", count_of(untold, "fault")));
        }
        self.record.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, line: &impl Serialize) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = record.as_mut() {
            record.add(line);
        }
    }

    fn line(&self) -> String {
        let objects = self.counts.objects.load(Ordering::Relaxed);
        let planned = self.counts.planned.load(Ordering::Relaxed);
        let records = self.counts.records.load(Ordering::Relaxed);
        let bytes = self.counts.bytes.load(Ordering::Relaxed) as f64;
        let rate = bytes / self.started.elapsed().as_secs_f64().max(0.001);
        format!(
            "{} of {} objects · {} events · {}/s",
            show_count(objects),
            show_count(planned),
            show_count(records),
            show_size(rate as u64),
        )
    }
}

impl Progress for Listener {
    fn planned(&self, objects: u64, _bytes: u64) {
        self.counts.planned.fetch_add(objects, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.inc_length(objects);
        }
    }

    fn advanced(&self, objects: u64, records: u64, bytes: u64) {
        self.counts.objects.fetch_add(objects, Ordering::Relaxed);
        self.counts.records.fetch_add(records, Ordering::Relaxed);
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.inc(objects);
            bar.set_message(self.line());
        } else if let Ok(mut last) = self.last_line.try_lock()
            && last.elapsed() >= LINE_EVERY
        {
            *last = Instant::now();
            self.talk.say(&self.line());
        }
    }

    fn fault(&self, fault: &Fault) {
        if self.counts.faults.fetch_add(1, Ordering::Relaxed) < FAULTS_TOLD {
            let (object, reason) = (visible(&fault.object), visible(&fault.reason));
            self.talk.warn(&format!("{} `{object}`: {reason}", fault.kind));
        }
    }

    fn ignored(&self, line: &IgnoredLine) {
        tracing::info!(path = %visible(&line.ignored), reason = line.reason, "ignored");
        self.write(line);
    }

    fn taken_in(&self, line: &IntakeLine) {
        self.write(line);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use anyhow::Context as _;
    use chrono::DateTime;
    use traillake_ingest::Report;

    use super::*;

    #[test]
    fn a_record_outlives_who_broke_off_while_holding_it() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("record");
        let at = DateTime::UNIX_EPOCH;
        let listener = Listener {
            talk: Talk::new(true, false, false),
            bar: None,
            started: Instant::now(),
            counts: Counts::default(),
            last_line: Mutex::new(Instant::now()),
            record: Mutex::new(Some(IntakeRecord::create(&path, at)?)),
        };
        let broke_off = catch_unwind(AssertUnwindSafe(|| {
            let held = listener.record.lock();
            if held.is_ok() {
                resume_unwind(Box::new("broken off"));
            }
        }));
        assert!(broke_off.is_err() && listener.record.is_poisoned());
        listener.ignored(&IgnoredLine { ignored: "a".to_owned(), reason: "b".to_owned() });
        let record = listener.stop().context("the record is gone")?;
        record.finish(&Report::default(), at)?;
        let written = std::fs::read_to_string(&path)?;
        assert_eq!(written.lines().count(), 3, "{written}");
        Ok(())
    }
}
