//! Golden lakes: one of each format version, opened by every later version for ever.
//!
//! `testdata/formats/v1` was made from `testdata/formats/source`, which holds what a format must
//! carry: odd spellings, copies that agree and that do not, every kind of record, a reject. `v1-aged`
//! was made from it too, in a bucket, and holds what years leave: checkpoints, logs that begin late,
//! files folded and written again, a legal hold, tombstones.

use std::path::{Path, PathBuf};
use std::process::Command;

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/formats").join(name)
}

/// Copies a folder, so that the golden one is never written to.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Runs the binary on `lake`; returns standard output.
fn traillake(lake: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_traillake"))
        .arg("--lake")
        .arg(lake)
        .args(arguments)
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code < 2), "{arguments:?}: {talk}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the answer as CSV without header.
fn ask(lake: &Path, sql: &str) -> String {
    traillake(lake, &["query", "--format", "csv", "--no-header", sql])
}

/// Checks every table of a lake made from `source`.
fn check_content(lake: &Path) {
    assert!(traillake(lake, &["check", "--read-data"]).ends_with("sound\n"));
    let check = |sql: &str, expected: &str| assert_eq!(ask(lake, sql).trim(), expected, "{sql}");
    check("SELECT count(*) FROM events", "5");
    check("SELECT count(*) FROM insights", "1");
    check("SELECT count(*) FROM aggregated", "1");
    check("SELECT count(*) FROM digests", "1");
    check("SELECT eventID FROM variants", "00000000-0000-4000-8000-000000000001");
    check("SELECT count(*) FROM rejects", "1");
    check(
        "SELECT sum(records), sum(stored), sum(duplicates) + sum(respelled), sum(variants), \
         sum(rejects) FROM system.objects",
        "11,7,2,1,1",
    );
    check("SELECT eventID FROM events WHERE eventTime >= '2026-02-01'", &event(3));
    check("SELECT eventID FROM events WHERE userAgent LIKE 'x%'", &event(2));
}

fn event(number: u32) -> String {
    format!("00000000-0000-4000-8000-00000000000{number}")
}

/// Checks that each event comes back as it stands in some file of `source`.
fn check_bytes(lake: &Path, events: &[u32]) {
    let mut originals = String::new();
    let mut pending = vec![testdata("source")];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                originals.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    for &number in events {
        let bytes = traillake(lake, &["event", &event(number)]);
        let record = bytes.trim_end_matches('\n');
        assert!(originals.contains(record), "event {number} came back as {record}");
    }
}

#[test]
fn a_lake_of_version_1_is_read_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    copy(&testdata("v1"), &lake);
    check_content(&lake);
    check_bytes(&lake, &[1, 2, 3, 5, 6]);
    traillake(&lake, &["ingest", &testdata("source").display().to_string()]);
    check_content(&lake);
}

#[test]
fn a_lake_of_version_1_that_has_aged_is_read_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    copy(&testdata("v1-aged"), &lake);
    let source = testdata("source").display().to_string();
    for done in [&["status"][..], &["ingest", &source], &["maintain"]] {
        traillake(&lake, done);
        assert!(traillake(&lake, &["check", "--read-data"]).ends_with("sound\n"), "{done:?}");
        let present = ask(&lake, "SELECT eventID FROM events ORDER BY 1");
        assert_eq!(present, format!("{}\n{}\n", event(3), event(5)), "{done:?}");
        let counts = "SELECT sum(records), sum(stored), sum(duplicates) + sum(respelled), \
                      sum(variants), sum(rejects) FROM system.objects";
        assert_eq!(ask(&lake, counts).trim(), "11,7,2,1,1", "{done:?}");
        let status = traillake(&lake, &["status"]);
        assert!(status.contains("7 stored = 4 present + 3 expired"), "{done:?}: {status}");
        check_bytes(&lake, &[3, 5]);
    }
}

#[test]
fn a_new_lake_holds_what_the_golden_one_holds() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    traillake(&lake, &["ingest", &testdata("source").display().to_string()]);
    check_content(&lake);
    check_bytes(&lake, &[1, 2, 3, 5, 6]);
}
