//! `ingest` and `store`.

use insta::assert_snapshot;

use crate::folder::{Folder, event, log};

#[test]
fn a_trail_comes_in_once() {
    let here = Folder::with_logs();
    assert_snapshot!(here.run(&["ingest", "logs"]).transcript(), @r#"
    --- stdout
    141 objects = 141 read
    685 records = 677 stored + 8 duplicates
    read 265.9 kB in N s: N records/s, N MB/s
    --- exit 0
    "#);
    assert_eq!(here.csv("SELECT count(*) FROM events"), "675\n");
    assert_snapshot!(here.run(&["ingest", "logs"]).transcript(), @r#"
    --- stdout
    141 objects = 141 known
    nothing new, nothing was read
    --- exit 0
    "#);
    std::fs::rename(here.path("logs"), here.path("moved")).unwrap();
    let moved = here.run(&["ingest", "moved"]).done();
    assert!(moved.stdout.starts_with("141 objects = 141 copies\n"), "{}", moved.stdout);
    assert_eq!(here.csv("SELECT count(*) FROM events"), "675\n");
}

#[test]
fn every_way_in_leads_to_the_same_rows() {
    let here = Folder::with_logs();
    for way in [
        "traillake ingest logs",
        "tar -c logs | traillake ingest -",
        "tar -czf logs.tar.gz logs && traillake ingest logs.tar.gz",
        "find logs -name '*.gz' | sort -r | xargs traillake ingest",
    ] {
        here.sh(way).done();
        assert_eq!(here.csv("SELECT count(*), count(DISTINCT eventID) FROM events"), "675,675\n");
        std::fs::remove_dir_all(here.path("lake")).unwrap();
    }
}

#[test]
fn a_dry_run_shows_what_would_be_read_and_writes_nothing() {
    let here = Folder::with_logs();
    let plan =
        ["ingest", "logs", "--dry-run", "--account", "777788889999", "--since", "2026-03-12"];
    assert_snapshot!(here.run(&plan).transcript(), @r#"
    --- stdout
     day        | account      | region    | kind   | new         | changed | known
    ------------+--------------+-----------+--------+-------------+---------+-------
     2026-03-12 | 777788889999 | eu-west-1 | events | 6 (13.4 kB) |         |
     2026-03-12 | 777788889999 | us-east-1 | events | 1 (3.0 kB)  |         |
     2026-03-13 | 777788889999 | us-east-1 | events | 1 (2.7 kB)  |         |

    would read 8 objects (19.1 kB), pass over 0 known
    would leave out 133 objects
    --- exit 0
    "#);
    assert_eq!(here.names(), ["logs"]);
    here.run(&["ingest", "logs"]).done();
    let again = here.run(&["ingest", "logs", "--dry-run", "--format", "json"]).done();
    let again: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(again["total"]["known_objects"], 141);
    assert_eq!(again["total"]["new_objects"], 0);
}

#[test]
fn what_is_wrong_is_said_and_counted_and_the_rest_comes_in() {
    let here = Folder::new();
    here.write("logs/fine.json", log(&[event(1, "GetObject", "")]));
    here.write("logs/broken.json", "{\"Records\":[{\"eventName\":");
    here.write("logs/empty.json.gz", "");
    here.write("logs/notes.txt", "not a log");
    let notime = event(2, "PutObject", "").replace("\"eventTime\":\"2024-01-01T00:00:02Z\",", "");
    here.write("logs/notime.json", log(&[notime, event(3, "PutObject", "")]));
    let ran = here.run(&["ingest", "logs"]).exited(1);
    let said = ran.transcript().replace(here.path("").to_str().unwrap(), "");
    assert_snapshot!(said, @r#"
    --- stdout
    3 objects = 3 read
    4 records = 2 stored + 2 rejects
    ignored 1 file: empty file
    ignored 1 file: not CloudTrail
    read 712 B in N s: N records/s, N MB/s
    --- stderr
    warning: rejects `logs/broken.json`: 1 of 1 records rejected, the first at byte 12: cut short after 0 records
    warning: rejects `logs/notime.json`: 1 of 2 records rejected, the first at byte 12: `eventTime` is missing or cannot be read
    --- exit 1
    "#);
    assert_eq!(here.csv("SELECT eventName FROM events ORDER BY 1"), "GetObject\nPutObject\n");
    assert!(here.csv("SELECT reason FROM rejects").contains("eventTime"));
    // What was passed over is named where somebody asks for it.
    let told = here.run(&["-v", "ingest", "logs", "--report", "intake.jsonl"]).done().stderr;
    assert!(told.contains("notes.txt") && told.contains("not CloudTrail"), "{told}");
    assert!(here.read("intake.jsonl").contains("notes.txt\",\"reason\":\"not CloudTrail\"}"));
}

#[test]
fn the_intake_record_holds_every_object() {
    let here = Folder::with_logs();
    here.run(&["ingest", "logs", "--report", "intake.jsonl"]).done();
    let lines: Vec<serde_json::Value> =
        here.read("intake.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 143, "a head, an object a line, the sums");
    assert!(lines[0]["started_at"].is_string());
    let stored: u64 = lines[1..142].iter().map(|line| line["stored"].as_u64().unwrap()).sum();
    assert_eq!(lines[142]["report"]["records"]["stored"], stored);
    let object = &lines[1];
    let sum = here.sh(&format!("sha256sum '{}'", object["object"].as_str().unwrap())).done();
    assert!(sum.stdout.starts_with(object["sha256"].as_str().unwrap()), "{}", sum.stdout);
    let again = here.run(&["ingest", "logs", "--report", "intake.jsonl"]).exited(2);
    assert!(again.stderr.contains("`intake.jsonl` exists"), "{}", again.stderr);
}

#[test]
fn stores_are_created_listed_and_kept_apart() {
    let here = Folder::new();
    here.write("logs/one.json", log(&[event(1, "GetObject", "")]));
    here.run(&["store", "create", "audit"]).done();
    let twice = here.run(&["store", "create", "audit"]).exited(2);
    assert_eq!(twice.stderr.lines().next(), Some("error: store `audit` exists already"));
    here.run(&["--store", "audit", "ingest", "logs"]).done();
    here.run(&["ingest", "logs"]).done();
    let list = here.run(&["store", "list", "--format", "json"]).done();
    let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    let names: Vec<&str> =
        list.as_array().unwrap().iter().map(|store| store["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["audit", "default"]);
    assert_eq!(here.csv("SELECT count(*) FROM audit.events"), "1\n");
    let show = here.run(&["store", "show", "audit"]).done().stdout;
    assert!(show.contains("\n  events     1 row, 1 file, "), "{show}");
    let unknown = here.run(&["store", "show", "audits"]).exited(2);
    assert!(unknown.stderr.contains("there is no store `audits`"), "{}", unknown.stderr);
}

#[test]
fn real_trails_add_up() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus/cartographer");
    if !std::path::Path::new(corpus).exists() {
        eprintln!("SKIPPED: {corpus} is not there");
        return;
    }
    let here = Folder::new();
    let ran = here.run(&["ingest", corpus]);
    let records = ran.stdout.lines().nth(1).unwrap_or_default();
    let sum = "9,226 records = 8,170 stored + 691 duplicates + 249 respelled + 116 variants";
    assert_eq!(records, sum, "{}", ran.stderr);
    let status = here.run(&["status"]).done();
    assert!(status.stdout.contains(sum), "{}", status.stdout);
    assert_eq!(here.csv("SELECT count(*) FROM events"), "8170\n");
    assert_eq!(here.csv("SELECT count(*) FROM system.variants"), "116\n");
}

#[test]
fn an_interrupted_run_is_finished_by_the_next() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus/cartographer");
    if !std::path::Path::new(corpus).exists() {
        eprintln!("SKIPPED: {corpus} is not there");
        return;
    }
    let here = Folder::new();
    let ran = here.interrupted("ingest started", &["ingest", corpus]).exited(130);
    assert!(ran.stdout.contains("interrupted; the lake is consistent"), "{ran:?}");
    here.run(&["status"]).done();
    here.run(&["ingest", corpus]).done();
    assert_eq!(here.csv("SELECT count(*) FROM events"), "8170\n");
    here.run(&["status"]).done();
}
