//! Rounds: their bounds, their order, two ingesters at once, stopping half way.

use std::sync::atomic::{AtomicU64, Ordering};

use traillake_ingest::{CancelFlag, IntakeLine, Progress, Silent, Source, ingest};
use traillake_testkit::trail::{Filling, Trail, TrailOptions};

use crate::{Bench, event, gzip, now, truth};

/// A trail with late and repeated events, written among the bench's logs.
fn write_trail(bench: &Bench, objects: u64, filling: Filling) -> Trail {
    let trail = Trail::new(TrailOptions {
        objects,
        filling,
        duplicate_share: 0.05,
        ..TrailOptions::default()
    });
    trail.write_to(&bench.logs(), 2).unwrap();
    trail
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outcome_does_not_depend_on_workers_or_rounds() {
    let first = Bench::new();
    let trail = write_trail(&first, 600, Filling::Median(12));
    let mut outcomes: Vec<Vec<IntakeLine>> = Vec::new();
    for (jobs, round_objects_max) in [(1, 1 << 15), (4, 1 << 15), (3, 100), (1, 100)] {
        let mut bench = Bench::new();
        bench.options.jobs = jobs;
        bench.options.round_objects_max = round_objects_max;
        let report = bench.ingest_from(&[&first.logs()]).await;
        assert_eq!(report.records, truth(&trail));
        assert_eq!(bench.rows("events").await, report.records.stored);
        outcomes.push(bench.lines.taken_in.lock().unwrap().clone());
    }
    assert_eq!(outcomes[0], outcomes[1], "one round");
    assert_eq!(outcomes[2], outcomes[3], "several rounds");
    assert!(outcomes[2].last().unwrap().round > 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_larger_than_memory_comes_in_whole() {
    let mut bench = Bench::new();
    bench.options.memory_bytes = 4 << 20;
    let lines: Vec<_> = (0..20_000).map(event).collect();
    bench.put("large.ndjson", lines.join("\n"));
    let report = bench.ingest().await;
    assert_eq!((report.rounds, report.objects.read), (1, 1));
    assert_eq!((report.records.records, report.records.stored), (20_000, 20_000));
    assert_eq!(bench.rows("events").await, 20_000);

    let retold = format!(r#"{{"Records":[{}]}}"#, lines.join(", "));
    bench.put("retold.json.gz", gzip(&retold));
    bench.put("small.json", &lines[0]);
    let report = bench.ingest().await;
    assert_eq!((report.records.stored, report.records.duplicates), (0, 20_001));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_ingesters_at_once_bring_everything_once() {
    let bench = Bench::new();
    let trail = write_trail(&bench, 400, Filling::Median(20));
    let run = async |round_objects_max| {
        let mut options = bench.options.clone();
        options.round_objects_max = round_objects_max;
        let sources = vec![Source::Path(bench.logs())];
        let writer = bench.writer().await;
        ingest(writer, sources, options, &Silent, &CancelFlag::default(), now).await
    };
    drop(bench.writer().await);
    let (one, other) = tokio::join!(run(60), run(90));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.adds_up() && other.adds_up(), "{one:#?} {other:#?}");
    let truth = truth(&trail);
    assert_eq!(one.records.records + other.records.records, truth.records);
    assert_eq!(one.records.stored + other.records.stored, truth.stored);
    assert_eq!(bench.rows("events").await, truth.stored);
    assert_eq!(bench.rows("objects").await, 400);
}

/// Asks to stop after so many objects.
struct StopAfter {
    objects: AtomicU64,
    cancel: CancelFlag,
}

impl Progress for StopAfter {
    fn advanced(&self, objects: u64, _records: u64, _bytes: u64) {
        let before = self.objects.load(Ordering::SeqCst);
        self.objects.store(before.saturating_sub(objects), Ordering::SeqCst);
        if before <= objects {
            self.cancel.cancel();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_loses_and_doubles_nothing() {
    let mut bench = Bench::new();
    bench.options.round_objects_max = 50;
    let trail = write_trail(&bench, 1_500, Filling::Exactly(4));
    let mut records = 0;
    for stop_after in [1, 300, 300] {
        let cancel = CancelFlag::default();
        let stop = StopAfter { objects: stop_after.into(), cancel: cancel.clone() };
        let report = bench.run(vec![Source::Path(bench.logs())], &stop, &cancel).await;
        assert!(report.cancelled && !report.is_clean());
        assert!(report.objects.unreached > 0);
        records += report.records.records;
        assert_eq!(bench.rows("objects").await * 4, records);
    }
    let report = bench.ingest().await;
    assert_eq!(records + report.records.records, trail.truth().records);
    assert_eq!(bench.rows("events").await, trail.truth().events);
}
