//! Real events: the truth about each set was worked out from its raw files.

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use serde_json::value::RawValue;
use traillake_ingest::RecordCounts;
use traillake_testkit::corpus::corpus;

use crate::{Bench, copy_folder, files};

#[tokio::test(flavor = "multi_thread")]
async fn sans504_comes_in_once_wherever_it_lies() {
    let Some(folder) = corpus("sans504") else { return };
    let bench = Bench::new();
    let report = bench.ingest_from(&[&folder]).await;
    assert_eq!((report.objects.read, report.objects.copies), (3_783, 89));
    assert_eq!(report.objects.logs(), 3_872);
    let truth = RecordCounts {
        records: 30_360,
        stored: 23_981,
        duplicates: 6_379,
        ..RecordCounts::default()
    };
    assert_eq!(report.records, truth);
    assert!(report.is_clean(), "{:?}", report.faults);
    assert_eq!(bench.rows("events").await, 23_981);

    let again = bench.ingest_from(&[&folder]).await;
    assert_eq!((again.objects.known, again.rounds), (3_872, 0));

    copy_folder(&folder, &bench.logs());
    let elsewhere = bench.ingest().await;
    assert_eq!((elsewhere.objects.copies, elsewhere.objects.read), (3_872, 0));
    assert_eq!(elsewhere.records, RecordCounts::default());
    assert_eq!(bench.rows("events").await, 23_981);

    let known = bench.ingest_from(&[&bench.logs(), &folder]).await;
    assert_eq!((known.objects.known, known.rounds), (7_744, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn cartographer_comes_out_the_same_in_any_order() {
    let Some(folder) = corpus("cartographer") else { return };
    let mut logs: Vec<PathBuf> = files(&folder);
    logs.retain(|path| path.extension().is_some_and(|extension| extension == "gz"));
    let truth = RecordCounts {
        records: 9_226,
        stored: 8_170,
        duplicates: 691,
        respelled: 249,
        variants: 116,
        ..RecordCounts::default()
    };

    let whole = Bench::new();
    assert_eq!(whole.ingest_from(&[&folder]).await.records, truth);

    let mut reversed = logs.clone();
    reversed.reverse();
    let shuffled: Vec<_> = (0..logs.len()).map(|n| logs[n * 13 % logs.len()].clone()).collect();
    for order in [reversed, shuffled] {
        let bench = Bench::new();
        let mut sum = RecordCounts::default();
        for log in &order {
            let records = bench.ingest_from(&[log]).await.records;
            sum.records += records.records;
            sum.stored += records.stored;
            sum.duplicates += records.duplicates;
            sum.respelled += records.respelled;
            sum.variants += records.variants;
        }
        assert_eq!(sum, truth);
        assert_eq!(bench.rows("events").await, truth.stored);
        assert_eq!(bench.rows("variants").await, truth.variants);
    }

    for log in &logs {
        let name = log.file_name().unwrap().to_str().unwrap();
        whole.put(name, looked_up(log));
    }
    let records = whole.ingest().await.records;
    assert_eq!((records.records, records.stored, records.variants), (truth.records, 0, 0));
}

/// The events of a log file, a bare array, as `LookupEvents` gives them: as text inside.
fn looked_up(log: &PathBuf) -> String {
    let mut text = String::new();
    GzDecoder::new(fs::File::open(log).unwrap()).read_to_string(&mut text).unwrap();
    let records: Vec<&RawValue> = serde_json::from_str(&text).unwrap();
    let events: Vec<_> = records
        .iter()
        .map(|record| serde_json::json!({ "CloudTrailEvent": record.get() }))
        .collect();
    serde_json::json!({ "Events": events }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_corpus_fits_one_lake() {
    let Some(folder) = corpus("") else { return };
    let bench = Bench::new();
    let report = bench.ingest_from(&[&folder]).await;
    let tables = ["events", "insights", "aggregated"];
    let mut rows = 0;
    for table in tables {
        rows += bench.rows(table).await;
    }
    assert_eq!(report.records.stored, rows);
    assert_eq!(report.records.rejects, bench.rows("rejects").await);
    assert_eq!(bench.rows("digests").await, 1);

    let broken = bench.line("opensearch/samples-large.json.gz");
    let sound = bench.line("opensearch/raw-large-samples.json.gz");
    assert_eq!((sound.state, sound.records.rejects), ("read", 0));
    assert!(broken.records.rejects > 0, "{broken:?}");
    let faults = bench.lines.faults.lock().unwrap();
    let fault = faults.iter().find(|fault| fault.object.ends_with("samples-large.json.gz"));
    assert!(fault.is_some_and(|fault| fault.reason.contains("byte")), "{fault:?}");
}
