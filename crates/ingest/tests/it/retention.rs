//! What a store is set to, as far as ingest must heed it.

use chrono::{DateTime, TimeDelta, Utc};
use traillake_ingest::{CancelFlag, Error, Silent, Source, ingest};
use traillake_store::{Expiry, Lake, Settings};

use crate::{Bench, gzip, key, log, now};

impl Bench {
    async fn set(&self, change: impl Fn(&mut Settings)) {
        let lake = self.lake().await;
        let change = |settings: &mut Settings| {
            change(settings);
            Ok(())
        };
        lake.set_store("default", now(), change).await.unwrap();
    }

    async fn lake(&self) -> Lake {
        Lake::open(self.root().join("lake").to_str().unwrap()).await.unwrap()
    }

    async fn try_ingest(&self, sources: Vec<Source>) -> Result<traillake_ingest::Report, Error> {
        let (writer, options) = (self.writer().await, self.options.clone());
        ingest(writer, sources, options, &Silent, &CancelFlag::default(), now).await
    }

    fn sources(&self) -> Vec<Source> {
        vec![Source::Path(self.logs())]
    }
}

/// Days of retention that keep what was delivered at `time` and later.
fn days_since(time: &str) -> u32 {
    (now() - time.parse::<DateTime<Utc>>().unwrap()).num_days() as u32
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_stopped_takes_nothing_until_it_is_started_again() {
    let bench = Bench::new();
    bench.put(&key(1, "one"), gzip(log(0..3)));
    bench.writer().await;
    bench.set(|settings| settings.takes_events = false).await;
    let refused = bench.try_ingest(bench.sources()).await.unwrap_err();
    assert!(matches!(refused, Error::Stopped { .. }), "{refused:?}");
    assert!(refused.hint().is_some());
    bench.set(|settings| settings.takes_events = true).await;
    assert_eq!(bench.ingest().await.records.stored, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_past_retention_are_refused_before_anything_is_read() {
    let bench = Bench::new();
    bench.put(&key(1, "old"), gzip(log(0..3)));
    bench.put(&key(2, "old too"), gzip(log(3..4)));
    let young = key(3, "young").replace("2024/05/06", "2025/06/01").replace("20240506", "20250601");
    bench.put(&young, gzip(log(4..6).replace("2024-05-06", "2025-06-01")));
    bench.put("undated.json.gz", gzip(log(10..11)));
    bench.writer().await;
    bench.set(|settings| settings.retention_days = Some(90)).await;
    let refused = bench.try_ingest(bench.sources()).await.unwrap_err();
    assert!(matches!(refused, Error::PastRetention { objects: 2, days: 90, .. }), "{refused:?}");
    assert_eq!(bench.rows("objects").await, 0, "nothing was read");
    // Left out, the rest comes in; so does what does not say how old it is.
    let mut narrowed = Bench { options: bench.options.clone(), ..bench };
    narrowed.options.selection.since = Some(now() - TimeDelta::days(80));
    let report = narrowed.ingest().await;
    assert_eq!((report.objects.read, report.objects.left_out), (2, 2), "{report:?}");
    assert_eq!(report.records.stored, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_chose_is_left_out_where_it_is_past_retention() {
    let mut bench = Bench::new();
    let (first, second) = (key(1, "old"), key(2, "old too"));
    bench.put(&first, gzip(log(0..3)));
    bench.ingest().await;
    bench.put(&second, gzip(log(3..4)));
    let young = key(3, "young").replace("2024/05/06", "2025/06/01").replace("20240506", "20250601");
    bench.put(&young, gzip(log(4..6).replace("2024-05-06", "2025-06-01")));
    bench.set(|settings| settings.retention_days = Some(90)).await;
    let refused = bench.try_ingest(bench.sources()).await.unwrap_err();
    assert!(matches!(refused, Error::PastRetention { objects: 1, .. }), "{refused:?}");
    // Whoever follows goes on: the young one comes in, however often the old one is met.
    bench.options.leaves_out_expired = true;
    for (read, known) in [(1, 1), (0, 2)] {
        let objects = bench.ingest().await.objects;
        assert_eq!((objects.read, objects.known, objects.past_retention), (read, known, 1));
        assert_eq!(objects.logs(), read + known, "{objects:?}");
    }
    // What was known and has changed stops nobody, whoever asks for it.
    bench.options.leaves_out_expired = false;
    std::fs::remove_file(bench.logs().join(second)).unwrap();
    bench.put(&first, gzip(log(0..9)));
    bench.put("undated.json.gz", gzip(log(10..11)));
    let report = bench.ingest().await;
    assert_eq!((report.objects.read, report.objects.past_retention), (1, 1), "{report:?}");
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(bench.rows("objects").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_does_not_come_back_and_what_is_known_is_no_import() {
    let bench = Bench::new();
    bench.put(&key(1, "one"), gzip(log(0..3)));
    bench.ingest().await;
    let days = days_since("2024-05-07T00:00:00Z");
    bench.set(|settings| settings.retention_days = Some(days)).await;
    let writer = bench.writer().await;
    let before = writer.info().settings.cutoff(now()).unwrap();
    let expiry = Expiry { before, held: None, memory_bytes: 1 << 26 };
    let due = writer.expiry_due(&writer.latest().await.unwrap(), expiry).await.unwrap();
    writer.expire(&due, now()).await.unwrap();
    assert_eq!(due.tables()[0].rows, 3, "{:?}", due.tables());
    assert_eq!(bench.rows("events").await, 0);
    // Known objects are no import.
    assert_eq!(bench.ingest().await.objects.known, 1);
    // The same events in another object, that does not say how old it is.
    bench.put("export.json.gz", gzip(log(0..5)));
    let report = bench.ingest().await;
    assert_eq!((report.records.deselected, report.records.stored), (5, 0), "{report:?}");
    assert_eq!(bench.rows("events").await, 0);
    // Once events stay for ever again, others may come.
    bench.set(|settings| settings.retention_days = None).await;
    bench.put("again.json.gz", gzip(log(1..4)));
    assert_eq!(bench.ingest().await.records.stored, 3);
}
