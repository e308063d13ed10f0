//! `export`: what is taken out is what was brought in.

mod kinds;

use std::path::{Path, PathBuf};

use serde_json::Value;
use traillake_testkit::corpus::corpus;

use crate::folder::{Folder, event, log};

/// Original bytes of all events, in one order.
const EVENTS: &str = "SELECT eventID, eventJson FROM events ORDER BY 1, 2";

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

fn manifest(here: &Folder, folder: &str) -> Value {
    serde_json::from_str(&here.read(&format!("{folder}/manifest.json"))).unwrap()
}

/// Exports all events as a trail; beside the lake it adds no row, into none it gives the same rows.
fn check_both_ways(here: &Folder) {
    let before = here.csv(EVENTS);
    here.run(&["export", "-o", "out"]).done();
    let manifest = manifest(here, "out");
    let exported = here.csv("SELECT count(*) FROM events");
    assert_eq!(manifest["events"].to_string(), exported.trim());

    here.run(&["--lake", "again", "ingest", "out"]).done();
    let again = here.run(&["--lake", "again", "query", "--format", "csv", "--no-header", EVENTS]);
    assert_eq!(again.done().stdout, before, "the same rows, byte for byte");

    let rows = here.csv("SELECT count(*) FROM events");
    here.run(&["ingest", "out"]).done();
    assert_eq!(here.csv("SELECT count(*) FROM events"), rows, "no row is added");
    let counts = "SELECT sum(records) = sum(duplicates) FROM system.objects \
                  WHERE object_key LIKE '%/out/AWSLogs/%'";
    assert_eq!(here.csv(counts), "true\n");
    for lake in ["lake", "again"] {
        here.run(&["--lake", lake, "check", "--read-data"]).done();
    }
}

#[test]
fn a_trail_goes_out_and_comes_in_again() {
    let here = Folder::with_lake();
    check_both_ways(&here);
    let manifest = manifest(&here, "out");
    assert_eq!(manifest["format"], "trail");
    assert_eq!(manifest["snapshot"][0]["round"], 1);
    let listed = manifest["files"].as_array().unwrap();
    let mut on_disk = files(&here.path("out"));
    on_disk.retain(|path| !path.ends_with("manifest.json"));
    assert_eq!(listed.len(), on_disk.len());
    for file in listed {
        let path = here.path("out").join(file["path"].as_str().unwrap());
        let parts: Vec<&str> = file["path"].as_str().unwrap().split('/').collect();
        let [root, account, service, region, year, month, day, name] = parts[..] else {
            panic!("{parts:?}");
        };
        assert_eq!((root, service), ("AWSLogs", "CloudTrail"));
        let head = format!("{account}_CloudTrail_{region}_{year}{month}{day}T");
        assert!(name.starts_with(&head) && name.ends_with(".json.gz"), "{name}");
        let sum = here.sh(&format!("sha256sum '{}'", path.display())).done().stdout;
        assert_eq!(file["sha256"], sum.split(' ').next().unwrap());
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::MetadataExt::mode(&path.metadata().unwrap());
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        }
    }
    // The same selection is the same files.
    here.run(&["--lake", "again", "export", "-o", "twice"]).done();
    let names = |folder: &str| -> Vec<(PathBuf, Vec<u8>)> {
        let root = here.path(folder);
        let all = files(&root).into_iter().filter(|path| !path.ends_with("manifest.json"));
        let named = all.map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            (path.strip_prefix(&root).unwrap().to_owned(), bytes)
        });
        named.collect()
    };
    assert_eq!(names("out"), names("twice"));
}

#[test]
fn real_events_go_out_and_come_in_again() {
    for set in ["boogy", "splunk", "zieglerva", "plaso", "trailscraper", "umccr-flaws"] {
        let Some(set) = corpus(set) else { continue };
        let here = Folder::new();
        here.run(&["--quiet", "ingest", set.to_str().unwrap()]);
        check_both_ways(&here);
    }
}

#[test]
fn a_selection_is_what_the_condition_says_in_every_format() {
    let here = Folder::with_lake();
    let condition = "eventSource = 's3.amazonaws.com' -- only these";
    let count = here.csv("SELECT count(*) FROM events WHERE eventSource = 's3.amazonaws.com'");
    let count: u64 = count.trim().parse().unwrap();
    assert!(count > 5);
    for (format, name) in [
        ("parquet", "events-00001.parquet"),
        ("csv", "events-00001.csv"),
        ("ndjson", "events-00001.ndjson"),
    ] {
        here.run(&["export", "--where", condition, "--format", format, "-o", format]).done();
        let manifest = manifest(&here, format);
        assert_eq!(manifest["events"], count, "{format}");
        assert_eq!(manifest["selection"]["where"], condition);
        assert_eq!(manifest["files"][0]["path"], name);
    }
    let lines = here.read("ndjson/events-00001.ndjson");
    assert_eq!(lines.lines().count() as u64, count);
    let bytes = here.run(&[
        "query",
        "--format",
        "csv",
        "--no-header",
        "SELECT eventJson FROM events WHERE eventSource = 's3.amazonaws.com' LIMIT 1",
    ]);
    let one = bytes.done().stdout.trim().trim_matches('"').replace("\"\"", "\"");
    assert!(lines.lines().any(|line| line == one), "the original bytes");
    let header = here.read("csv/events-00001.csv");
    assert!(header.starts_with("eventVersion,userIdentity,eventTime,"), "{header:.80}");
    // What a query prints of them.
    let sql = "SELECT * FROM events WHERE eventSource = 's3.amazonaws.com' \
               ORDER BY eventTime, eventID, _object, _index";
    let asked = here.run(&["query", "--format", "csv", sql]).done().stdout;
    assert!(here.read("csv/events-00001.csv") == asked, "values of the CSV");
    here.run(&["--lake", "lines", "ingest", "ndjson"]).done();

    here.run(&["export", "--where", condition, "--file-events", "3", "-o", "small"]).done();
    let small = manifest(&here, "small");
    let files = small["files"].as_array().unwrap();
    assert!(files.iter().all(|file| file["events"].as_u64().unwrap() <= 3));
    assert_eq!(files.iter().map(|file| file["events"].as_u64().unwrap()).sum::<u64>(), count);
    here.run(&["--lake", "small-lake", "ingest", "small"]).done();

    let sql = "SELECT eventName, count(*) AS n FROM events GROUP BY 1 ORDER BY 2 DESC, 1";
    here.run(&["export", "--sql", sql, "--format", "ndjson", "-o", "counts"]).done();
    assert!(here.read("counts/rows-00001.ndjson").starts_with("{\"eventName\":"));
    let none = here.run(&["export", "--sql", sql, "-o", "no"]).exited(2);
    assert!(none.stderr.contains("hint: select `eventJson`"), "{}", none.stderr);
    let sql = "SELECT eventJson FROM events WHERE eventSource = 's3.amazonaws.com'";
    here.run(&["export", "--sql", sql, "-o", "told"]).done();
    assert_eq!(manifest(&here, "told")["events"], count);
    let sql = format!("{sql} UNION ALL SELECT CAST(NULL AS varchar)");
    let ran = here.run(&["export", "--sql", &sql, "-o", "nulls"]).done();
    assert!(ran.stderr.contains("1 row left out: `eventJson` is NULL"), "{}", ran.stderr);
    assert_eq!(manifest(&here, "nulls")["events"], count);
    here.run(&["export", "--where", "eventName = 'NoSuchCall'", "-o", "none"]).done();
    assert_eq!(manifest(&here, "none")["files"], Value::Array(Vec::new()));
    here.run(&["export", "--where", "eventName = 'X'", "--format", "csv", "-o", "header"]).done();
    assert!(here.read("header/events-00001.csv").starts_with("eventVersion,"));
}

#[test]
fn what_an_event_says_never_becomes_a_path_and_line_breaks_stay_between_parts() {
    let here = Folder::new();
    let far = event(1, "A", ",\n\"awsRegion\":\"../../../far\"")
        .replace("\"recipientAccountId\":\"000000000001\"", "\"recipientAccountId\":\"/etc\"");
    here.write("logs/one.json", log(std::slice::from_ref(&far)));
    here.run(&["ingest", "logs"]).done();
    here.run(&["export", "-o", "out"]).done();
    let names = files(&here.path("out"));
    let first = names[0].strip_prefix(here.path("out")).unwrap().to_str().unwrap().to_owned();
    let folder = "AWSLogs/000000000000/CloudTrail/unknown/2024/01/01/";
    assert!(first.starts_with(folder), "{first}");
    let ran = here.run(&["export", "--format", "ndjson", "-o", "lines"]).done();
    assert!(ran.stderr.contains("1 event had line breaks"), "{}", ran.stderr);
    assert_eq!(here.read("lines/events-00001.ndjson"), far.replace('\n', " ") + "\n");
}

#[test]
fn what_cannot_be_written_is_told_with_its_place_and_is_not_whole() {
    let here = Folder::with_lake();
    for format in ["trail", "ndjson", "csv", "parquet"] {
        // No file may grow beyond a kilobyte, which is what a full disk comes to.
        let line =
            format!("ulimit -f 1; trap '' XFSZ; traillake export --format {format} -o {format}");
        let said = here.sh(&line).exited(2).stderr;
        assert!(said.contains(&format!("could not write to `{format}`: ")), "{format}: {said}");
        let half = format!("warning: `{format}` has no manifest.json: it is not whole\n");
        assert!(said.contains(&half), "{format}: {said}");
        assert!(!here.path(format).join("manifest.json").exists());
    }
}

#[test]
fn a_statement_that_is_refused_leaves_no_folder() {
    let here = Folder::with_lake();
    for args in [["--where", "eventNam = 'x'"], ["--sql", "SELECT eventName FROM events"]] {
        let said = here.run(&["export", args[0], args[1], "-o", "out"]).exited(2).stderr;
        assert!(!said.contains("manifest.json"), "{said}");
        assert!(!here.path("out").exists(), "{args:?}");
    }
}

#[test]
fn a_folder_with_something_in_it_is_refused() {
    let here = Folder::with_lake();
    here.write("out/mine.txt", "x");
    let ran = here.run(&["export", "-o", "out"]).exited(2);
    assert!(ran.stderr.contains("`out` is not empty"), "{}", ran.stderr);
    assert_eq!(here.read("out/mine.txt"), "x");
    std::fs::create_dir(here.path("empty")).unwrap();
    here.run(&["export", "-o", "empty"]).done();
}
