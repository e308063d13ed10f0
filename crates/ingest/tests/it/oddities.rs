//! What somebody tried to hide, double or lose (docs/reviews/0001-formats.md): it is read or told.

use std::io::{Cursor, Write};

use crate::{Bench, event, gzip, key, log};

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        builder.append_data(&mut header, path, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in members {
        writer.start_file(*path, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_has_a_key_of_its_own() {
    let bench = Bench::new();
    let logs: Vec<String> = (0..6).map(|id| log(id..id + 1)).collect();
    let bytes = |id: usize| logs[id].as_bytes();
    // A folder named like an archive and its members, and names like those that repetitions get.
    bench.put("x.zip!/m.json", bytes(0));
    bench.put("x.zip", zip(&[("m.json", bytes(1))]));
    let names = ["a.json", "a.json", "a.json#1", "a.json#1"];
    let members: Vec<_> = names.iter().enumerate().map(|(n, name)| (*name, bytes(n + 2))).collect();
    bench.put("y.tar", tar(&members));
    let report = bench.ingest().await;
    assert_eq!((report.objects.read, report.records.stored), (6, 6), "{report:?}");
    let mut keys: Vec<_> =
        bench.lines.taken_in.lock().unwrap().iter().map(|line| line.object.clone()).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 6, "{keys:?}");
    let again = bench.ingest().await;
    assert_eq!((again.objects.known, again.rounds), (6, 0), "the ledger grows at no further run");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_starts_with_something_else_is_read_or_told() {
    let bench = Bench::new();
    bench.put("commented.json", format!("# comment\n{}\n{}\n", event(0), event(1)));
    let wide: Vec<u8> =
        format!("\u{feff}{}\r\n", event(2)).encode_utf16().flat_map(u16::to_le_bytes).collect();
    bench.put("powershell.json", &wide);
    bench.put("search.json", format!(r#"{{"hits":[{{"_source":{}}}]}}"#, event(3)));
    bench.put("notes.txt", "nothing of ours");
    let report = bench.ingest().await;
    assert_eq!(report.records.stored, 2);
    assert_eq!((report.records.rejects, report.objects.rejected), (3, 2));
    assert_eq!(bench.ignored(), [("notes.txt".to_owned(), "not CloudTrail".to_owned())]);
    let faults = bench.lines.faults.lock().unwrap();
    let reasons: Vec<_> = faults.iter().map(|fault| fault.reason.as_str()).collect();
    for reason in
        ["a line that is no JSON", "UTF-16 text, convert it to UTF-8", "no record in a form"]
    {
        assert!(reasons.iter().any(|told| told.contains(reason)), "{reason}: {reasons:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_comma_costs_no_record_and_everything_adds_up() {
    let bench = Bench::new();
    let list = format!("{}{},,{},{},", event(0), event(1), event(1), event(2));
    bench.put(&key(1, "commas"), gzip(format!(r#"{{"Records":[{list}]}}"#)));
    let report = bench.ingest().await;
    let records = &report.records;
    assert_eq!((report.objects.read, records.records), (1, 7), "{report:?}");
    assert_eq!((records.stored, records.duplicates, records.rejects), (3, 1, 3));
    assert!(report.adds_up() && !report.is_clean());
    assert_eq!((bench.rows("events").await, bench.rows("rejects").await), (3, 3));
    let at = r#"{"Records":["#.len() + event(0).len();
    let reason = format!("3 of 7 records rejected, the first at byte {at}: a comma is missing");
    let faults = bench.lines.faults.lock().unwrap();
    assert!(faults[0].reason.starts_with(&reason), "{faults:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compression_that_is_not_read_is_named_whatever_the_key() {
    let bench = Bench::new();
    let (xz, bzip2) = (b"\xfd7zXZ\0\0\x04\xe6\xd6".to_vec(), b"BZh91AY&SY\xcc".to_vec());
    let twice = |id: u32| gzip(gzip(log(id..id + 1)));
    let more = |bytes: &[u8]| [bytes, b"more"].concat();
    bench.put("a.xz", &xz);
    bench.put("b.bz2", &bzip2);
    bench.put("c.gz", twice(0));
    bench.put(&key(1, "xz"), more(&xz));
    bench.put(&key(2, "bzip2"), more(&bzip2));
    bench.put(&key(3, "twice"), twice(1));
    let report = bench.ingest().await;
    assert_eq!((report.objects.rejected, report.objects.ignored), (6, 0), "{report:?}");
    let faults = bench.lines.faults.lock().unwrap();
    let told = |reason: &str| faults.iter().filter(|f| f.reason.contains(reason)).count();
    assert_eq!(told("compressed with xz, which is not read: unpack it"), 2, "{faults:?}");
    assert_eq!(told("compressed with bzip2, which is not read: unpack it"), 2, "{faults:?}");
    assert_eq!(told("compressed twice, the inner time with gzip: unpack it once"), 2, "{faults:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_of_s3_are_ignored_by_name() {
    let bench = Bench::new();
    let notification = r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"eu-west-1","eventTime":"2024-05-06T12:00:00.000Z","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}"#;
    bench.put("notification.json", notification);
    bench.put("log.json", log(0..2));
    let report = bench.ingest().await;
    assert_eq!((report.records.stored, report.objects.ignored), (2, 1), "{report:?}");
    assert_eq!(bench.ignored(), [("notification.json".to_owned(), "not CloudTrail".to_owned())]);
    assert!(report.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_archive_says_otherwise_is_read_or_told() {
    let bench = Bench::new();
    let (a, b) = (log(0..1), log(1..2));
    let mut doubled = zip(&[("aa.json", a.as_bytes()), ("ab.json", b.as_bytes())]);
    for at in 0..doubled.len() - 7 {
        if doubled[at..].starts_with(b"ab.json") {
            doubled[at + 1] = b'a';
        }
    }
    bench.put("doubled.zip", doubled);
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, bytes) in
        [("odd.json", b'Z', log(2..3)), ("link", b'2', String::new()), ("._x", b'0', log(3..4))]
    {
        let mut header = tar::Header::new_ustar();
        header.set_path(path).unwrap();
        header.set_size(bytes.len() as u64);
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_cksum();
        builder.append(&header, bytes.as_bytes()).unwrap();
    }
    bench.put("odd.tar", builder.into_inner().unwrap());
    bench.put(
        "behind.tar",
        [tar(&[("c.json", log(4..5).as_bytes())]), log(5..6).into_bytes()].concat(),
    );
    let report = bench.ingest().await;
    assert_eq!((report.objects.read, report.records.stored), (3, 3), "{report:?}");
    let damaged = |name: &str| ("damaged".to_owned(), name.to_owned());
    assert_eq!(bench.faults(), [damaged("behind.tar"), damaged("doubled.zip")]);
    let ignored = |name: &str, reason: &str| (name.to_owned(), reason.to_owned());
    let junk = ignored("._x", "file manager's leftovers");
    assert_eq!(bench.ignored(), [junk, ignored("link", "link in an archive")]);
    assert!(!report.is_clean());
}

/// A record without a time, of about `bytes` bytes.
fn timeless(id: u32, bytes: usize) -> String {
    let time = "\"eventTime\":\"2024";
    let pad = "x".repeat(bytes);
    event(id).replace(time, &format!("\"pad\":\"{pad}\",\"noTime\":\"2024"))
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_beyond_the_room_for_them_are_counted_and_told() {
    let bench = Bench::new();
    // 2 KB each: more than 16 MB of them.
    let records: Vec<_> = (0..10_000).map(|id| timeless(id, 2_000)).collect();
    bench.put(&key(1, "rejects"), gzip(format!(r#"{{"Records":[{}]}}"#, records.join(","))));
    bench.put(&key(2, "sound"), gzip(log(20_000..20_003)));
    let report = bench.ingest().await;
    assert_eq!((report.objects.read, report.objects.rejected), (2, 0), "{report:?}");
    assert_eq!((report.records.stored, report.records.rejects), (3, 10_000));
    let kept = bench.rows("rejects").await;
    assert!(kept > 1_000 && kept < 10_000, "{kept}");
    let detail = bench.line("_rejects.json.gz").detail.unwrap();
    assert!(
        detail.contains(&format!("only the first {kept} of 10000 rejects are kept")),
        "{detail}"
    );
    assert_eq!(bench.ingest().await.objects.known, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_object_malformed_at_its_end_is_refused_alone() {
    let bench = Bench::new();
    // Larger than what is held: its rows are out before the fault is met.
    let large = log(0..60_000);
    assert!(large.len() > 16 << 20);
    let malformed = format!("{}}}]}}", &large[..large.len() - 2]);
    bench.put(&key(1, "malformed"), gzip(malformed));
    bench.put(&key(2, "before"), gzip(log(70_000..70_005)));
    bench.put(&key(3, "copy"), gzip(log(0..3)));
    let report = bench.ingest().await;
    assert_eq!((report.objects.read, report.objects.rejected), (2, 1), "{report:?}");
    assert_eq!((report.records.stored, report.records.rejects), (8, 1));
    assert_eq!((bench.rows("events").await, bench.rows("rejects").await), (8, 1));
    let detail = bench.line("_malformed.json.gz").detail.unwrap();
    assert!(detail.contains("after 60000 records"), "{detail}");
    assert_eq!(bench.ingest().await.objects.known, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_are_refused_with_the_limit_and_cost_no_other() {
    let bench = Bench::new();
    let zeros = vec![b' '; 40 << 20];
    bench.put("bomb.json.gz", gzip(&zeros));
    bench.put("bomb.zip", zip(&[("bomb.json", &zeros), ("sound.json", log(0..2).as_bytes())]));
    let nested = zip(&[("in.zip", &zip(&[("in.zip", &zip(&[("a.json", b"{}")]))]))]);
    bench.put("nested.zip", nested);
    bench.put(&key(1, "sound"), gzip(log(2..5)));
    let report = bench.ingest().await;
    assert_eq!((report.objects.read, report.objects.rejected), (2, 3), "{report:?}");
    assert_eq!((report.records.stored, report.records.rejects), (5, 3));
    let details: Vec<_> = bench
        .lines
        .taken_in
        .lock()
        .unwrap()
        .iter()
        .filter_map(|line| line.detail.clone())
        .collect();
    let told = |reason: &str| details.iter().filter(|detail| detail.contains(reason)).count();
    assert_eq!(told("inflates to more than 500 times its size"), 2, "{details:?}");
    assert_eq!(told("archives nested more than 2 deep"), 1, "{details:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_larger_than_memory_is_passed_over() {
    let mut bench = Bench::new();
    bench.options.memory_bytes = 64 << 20;
    let huge = event(1).replace("user-1", &"x".repeat(18 << 20));
    let deep =
        event(2).replace(r#""b-2""#, &format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)));
    let body = format!(r#"{{"Records":[{},{huge},{deep},{}]}}"#, event(0), event(3));
    bench.put(&key(1, "huge"), body);
    let report = bench.ingest().await;
    assert_eq!((report.records.stored, report.records.rejects), (2, 2), "{report:?}");
    let faults = bench.lines.faults.lock().unwrap();
    assert!(faults[0].reason.contains("larger than 16777216 bytes"), "{faults:?}");
}
