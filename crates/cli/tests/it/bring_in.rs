//! `ingest` and `store`.

mod hashes;
mod shown;

use insta::assert_snapshot;
use traillake_testkit::corpus::corpus;
use traillake_testkit::s3::{Asked, Spoiled};

use crate::buckets::{MANIFEST, World, check_truth, keys, write_inventory};
use crate::folder::{Folder, event, log};
use crate::kills::dies_in_bucket;

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
    let status = here.run(&["status"]).done().stdout;
    assert!(status.contains("  282 objects = 141 copies + 141 read\n"), "{status}");
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
fn a_plan_of_named_objects_counts_what_a_run_asks_of_s3() {
    let world = World::new();
    world.here.write("keys", keys(&world)[..3].join("\n"));
    // More days of accounts than anybody reads.
    let days = (0..500).map(|day| chrono::DateTime::UNIX_EPOCH + chrono::Days::new(day));
    let lines = days.flat_map(|day| (0..41).map(move |account| (day, account)));
    let lines = lines.map(|(day, account)| {
        let (folder, date) = (day.format("%Y/%m/%d"), day.format("%Y%m%d"));
        format!(
            "\"trail\",\"AWSLogs/{account:012}/CloudTrail/eu-west-1/{folder}/\
             {account:012}_CloudTrail_eu-west-1_{date}T1200Z_a.json.gz\",\
             \"1000\",\"2024-05-06T07:08:09.000Z\",\"abc\"\n"
        )
    });
    let columns = "Bucket, Key, Size, LastModifiedDate, ETag";
    write_inventory(&world, columns, &lines.collect::<String>());
    for (named, gets, heads, cells) in [
        (["--keys", "keys"], 3, 3, "a line a day"),
        (["--inventory", MANIFEST], 20_500, 0, "a line a month: by day there are more than 20,000"),
    ] {
        let args = [&["ingest", "s3://trail", "--dry-run"][..], &named].concat();
        world.s3.asked();
        let json = world.run(&[&args[..], &["--format", "json"]].concat()).done().stdout;
        let asked = world.s3.asked();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let estimate = ["get_requests", "head_requests", "list_requests"]
            .map(|name| json["estimate"][name].as_u64().unwrap());
        assert_eq!(estimate, [gets, heads, 0], "{named:?}");
        let count = |method: &str| asked.iter().filter(|of| of.method == method).count() as u64;
        assert_eq!((count("HEAD"), count("GET")), (heads, 0), "{named:?}");
        let text = world.run(&args).done().stdout;
        assert!(!text.contains("LIST"), "{text}");
        assert_eq!(text.contains(" GET and 3 HEAD requests: "), heads == 3, "{text}");
        assert_eq!(text.contains(cells), gets > 3, "{text}");
    }
    // An inventory that tells of keys alone costs as many requests as a list of them.
    let lines: String = keys(&world)[..7].iter().map(|key| format!("\"{key}\"\n")).collect();
    write_inventory(&world, "Key", &lines);
    world.s3.asked();
    let args = ["ingest", "s3://trail", "--inventory", MANIFEST, "--dry-run", "--format", "json"];
    let json = world.run(&args).done().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["estimate"]["head_requests"], 7, "{json}");
    let asked = world.s3.asked();
    assert_eq!(asked.iter().filter(|of| of.method == "HEAD").count(), 7, "{asked:?}");
    world.run(&["ingest", "s3://trail", "--keys", "keys"]).done();
    let asked: Vec<String> = world.s3.asked().into_iter().map(|asked| asked.method).collect();
    let count = |method: &str| asked.iter().filter(|of| *of == method).count();
    assert_eq!((count("HEAD"), count("GET"), asked.len()), (3, 3, 6), "{asked:?}");
}

#[test]
fn a_dry_run_needs_no_right_to_change_the_lake() {
    let world = World::new();
    let lake = "s3://home";
    let some = ["--account", "777788889999", "--since", "2026-03-12"];
    world.run(&[&["--lake", lake, "ingest", "logs"][..], &some].concat()).done();
    // A round that was cut off: whoever writes completes it.
    let (endpoint, logs) = (world.s3.endpoint(), world.here.path("logs"));
    let died = dies_in_bucket(&endpoint, &logs, "commit-events:after");
    assert_ne!(died.code, Some(0), "{}", died.talk);
    let is_change = |asked: &Asked| !["GET", "HEAD"].contains(&asked.method.as_str());
    let denied = Spoiled::Refused(403, "AccessDenied");
    world.s3.spoil(move |_, asked| is_change(asked).then_some(denied));
    let args = ["--lake", lake, "ingest", "logs", "--dry-run", "--format", "json"];
    let plan = world.run(&args).done().stdout;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let total = &plan["total"];
    let objects = (&total["known_objects"], &total["new_objects"]);
    assert_eq!(objects, (&8.into(), &133.into()), "{plan}");
    assert!(!world.s3.asked().iter().any(is_change), "it tried to change something");
    world.s3.heal();
    world.run(&["--lake", lake, "ingest", "logs"]).done();
    check_truth(&world, lake, "after a dry run");
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
    // What is mistyped becomes no store, and no lake.
    for typed in [&["ingest", "logs"][..], &["ingest", "logs", "--dry-run"]] {
        for lake in ["lake", "new"] {
            let args = [&["--lake", lake, "--store", "audti"], typed].concat();
            let refused = here.run(&args).exited(2).stderr;
            assert!(refused.contains("there is no store `audti`"), "{args:?}: {refused}");
            assert!(refused.contains("`traillake store create audti` makes it"), "{refused}");
        }
    }
    assert_eq!(here.names(), ["lake", "logs"]);
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
    let Some(set) = corpus("cartographer") else { return };
    let (here, set) = (Folder::new(), set.to_str().unwrap());
    let ran = here.run(&["ingest", set]);
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
    let Some(set) = corpus("cartographer") else { return };
    let (here, set) = (Folder::new(), set.to_str().unwrap());
    let ran = here.interrupted("ingest started", &["ingest", set]).exited(130);
    assert!(ran.stdout.contains("interrupted; the lake is consistent"), "{ran:?}");
    here.run(&["status"]).done();
    here.run(&["ingest", set]).done();
    assert_eq!(here.csv("SELECT count(*) FROM events"), "8170\n");
    here.run(&["status"]).done();
}
