//! What an object can be: read, copy, changed, rejected, empty, ignored.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use crate::{Bench, event, gzip, key, log};

#[tokio::test(flavor = "multi_thread")]
async fn every_object_gets_its_state() {
    let bench = Bench::new();
    bench.put("read.json.gz", gzip(log(0..3)));
    bench.put("same-bytes.json.gz", gzip(log(0..3)));
    bench.put("same-inflated.json", log(0..3));
    bench.put("no-records.json", r#"{"Records":[]}"#);
    bench.put("no-records-again.json", r#"{"Records":[]}"#);
    bench.put(&key(1, "AAAAAAAAAAAAAAAA"), "");
    bench.put(&key(2, "BBBBBBBBBBBBBBBB"), "hello");
    bench.put("hello.txt", "hello");
    bench.put("hello-again.txt", "hello");
    bench.put("other.json", r#"{"name":"package","version":"1.0.0"}"#);
    bench.put("empty.txt", "");
    let forged = [gzip(log(5..6)), gzip(log(6..7))].concat();
    bench.put("forged.json.gz", &forged);
    let mut truncated = gzip(log(7..30));
    truncated.truncate(truncated.len() / 2);
    bench.put("truncated.json.gz", &truncated);

    let report = bench.ingest().await;
    let states = bench.states();
    let state = |name: &str| states.iter().find(|(path, _)| path == name).map(|(_, state)| *state);
    let of_twins = ["read.json.gz", "same-bytes.json.gz", "same-inflated.json"].map(state);
    assert_eq!(of_twins.iter().filter(|state| **state == Some("read")).count(), 1);
    assert_eq!(of_twins.iter().filter(|state| **state == Some("copy")).count(), 2);
    assert_eq!(state("no-records.json"), Some("empty"));
    assert_eq!(state("no-records-again.json"), Some("empty"));
    assert_eq!(state("forged.json.gz"), Some("rejected"));
    assert_eq!(state("truncated.json.gz"), Some("rejected"));
    assert_eq!(states.iter().filter(|(_, state)| *state == "rejected").count(), 3);
    assert_eq!(states.iter().filter(|(_, state)| *state == "empty").count(), 3);
    assert_eq!(report.objects.ignored, 4, "{:?}", report.ignored);
    assert_eq!((report.records.records, report.records.stored, report.records.rejects), (6, 3, 3));
    assert_eq!(bench.rows("rejects").await, 3);
    assert!(!report.is_clean());

    let again = bench.ingest().await;
    assert_eq!((again.objects.known, again.rounds), (9, 0), "rejected objects are known too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_file_does_not_stand_for_the_sound_one() {
    let bench = Bench::new();
    bench.put(&key(1, "forged"), [gzip(log(0..5)), gzip(log(9..10))].concat());
    bench.put(&key(2, "sound"), gzip(log(0..5)));
    let report = bench.ingest().await;
    assert_eq!((report.objects.read, report.objects.rejected, report.objects.copies), (1, 1, 0));
    assert_eq!(report.records.stored, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_new_content_is_read_again() {
    let bench = Bench::new();
    let path = bench.put(&key(1, "grows"), gzip(log(0..3)));
    bench.ingest().await;
    fs::write(&path, gzip(log(0..5))).unwrap();
    let report = bench.ingest().await;
    assert_eq!(report.objects.changed, 1);
    assert_eq!((report.records.stored, report.records.duplicates), (2, 3));
    assert_eq!(bench.ingest().await.objects.known, 1);

    // Touched only: the same bytes under another time are a copy of what is there.
    let touched = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    File::options().write(true).open(&path).unwrap().set_modified(touched).unwrap();
    let report = bench.ingest().await;
    assert_eq!((report.objects.copies, report.records.records), (1, 0));
    assert_eq!(bench.ingest().await.objects.known, 1);
    assert_eq!(bench.rows("events").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn rehash_finds_content_changed_behind_size_and_time() {
    let mut bench = Bench::new();
    let path = bench.put("log.json", log(10..13));
    let copy = bench.put("copy.json", log(10..13));
    bench.ingest().await;
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, log(20..23)).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    assert_eq!(bench.ingest().await.objects.known, 2, "size and time say it is the same");

    bench.options.rehash = true;
    let report = bench.ingest().await;
    assert_eq!((report.objects.changed, report.objects.known), (1, 1), "{report:?}");
    assert_eq!(report.records.stored, 3);
    let again = bench.ingest().await;
    assert_eq!((again.objects.known, again.rounds), (2, 0));
    assert!(copy.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn records_for_another_account_than_the_keys_are_counted_and_kept() {
    let bench = Bench::new();
    let foreign = event(1).replace("111122223333", "999988887777");
    bench.put(&key(1, "mixed"), format!(r#"{{"Records":[{},{foreign}]}}"#, event(0)));
    let report = bench.ingest().await;
    assert_eq!((report.foreign_recipients, report.records.stored), (1, 2));
    assert!(report.is_clean());
    assert!(bench.line(".json.gz").detail.is_some_and(|detail| detail.contains("111122223333")));
}
