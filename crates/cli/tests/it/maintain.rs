//! `maintain`: fewer files, the same answers.

use std::path::PathBuf;

use serde_json::Value;
use traillake_testkit::corpus::corpus;

use crate::folder::Folder;

/// Everything there is to know of every event, and of what became of every object.
pub const EVERYTHING: [&str; 2] = [
    "SELECT eventID, eventTime, \"$path\", _index, eventJsonChecksum, eventJson FROM events \
     ORDER BY 1, 2, 3, 4",
    "SELECT object_key, sha256, state, records, stored, duplicates, respelled, variants, rejects \
     FROM system.objects ORDER BY 1",
];

/// The answers to [`EVERYTHING`].
pub fn everything(here: &Folder) -> Vec<String> {
    EVERYTHING.iter().map(|sql| here.csv(sql)).collect()
}

/// The report of an upkeep that could do everything.
pub fn maintained(here: &Folder, args: &[&str]) -> Value {
    let args = [&["maintain", "--format", "json"], args].concat();
    serde_json::from_str(&here.run(&args).done().stdout).unwrap()
}

/// What it says of a table.
pub fn table<'a>(report: &'a Value, name: &str) -> &'a Value {
    let tables = report["stores"][0]["tables"].as_array().unwrap();
    tables.iter().find(|table| table["table"] == name).unwrap()
}

/// Whether the identities hold, and how many files each table has.
fn files(here: &Folder) -> Vec<(String, u64)> {
    let status = here.run(&["status", "--format", "json"]).done().stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    let store = &status["stores"][0];
    assert_eq!(store["adds_up"], true, "{status}");
    let of = |table: &Value| {
        (table["table"].as_str().unwrap().to_owned(), table["files"].as_u64().unwrap())
    };
    store["tables"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn a_lake_brought_in_piece_by_piece_becomes_one_file_a_month() {
    let here = Folder::with_logs();
    let pieces = "find logs -name '*.gz' | sort | xargs -n 30 traillake -q ingest";
    here.sh(pieces).done();
    let (before, asked) = (everything(&here), files(&here));
    assert!(asked.iter().any(|(table, files)| table == "events" && *files > 3), "{asked:?}");
    let due = maintained(&here, &["--dry-run"]);
    assert_eq!((due["dry_run"].as_bool(), files(&here)), (Some(true), asked));

    let done = maintained(&here, &[]);
    for key in ["files_before", "files_after", "files_folded", "rows_rewritten"] {
        assert_eq!(table(&done, "events")[key], table(&due, "events")[key], "{key}");
    }
    let months = here.csv("SELECT count(DISTINCT date_trunc('month', eventTime)) FROM events");
    let events = files(&here).into_iter().find(|(table, _)| table == "events").unwrap();
    assert_eq!(events.1.to_string(), months.trim());
    assert_eq!(everything(&here), before);
    let again = here.run(&["maintain"]).done().stdout;
    assert!(again.contains("nothing is due"), "{again}");
    // Everything is still known: by its key, and by its content.
    let moved = std::fs::rename(here.path("logs"), here.path("moved"));
    moved.unwrap();
    let stdout = here.run(&["ingest", "moved"]).done().stdout;
    assert!(stdout.starts_with("141 objects = 141 copies\n"), "{stdout}");
}

#[test]
fn files_that_queries_may_still_read_are_never_removed_at_once() {
    let here = Folder::with_lake();
    let refused = here.run(&["maintain", "--vacuum-grace", "0s"]).exited(2);
    assert!(refused.stderr.contains("must be at least 1h"), "{}", refused.stderr);
    let none = Folder::new().run(&["maintain"]).exited(2);
    assert!(none.stderr.contains("no lake at"), "{}", none.stderr);
}

#[test]
fn what_cannot_be_folded_is_told_and_the_rest_is_done() {
    let here = Folder::with_logs();
    here.sh("find logs -name '*.gz' | sort | xargs -n 50 traillake -q ingest").done();
    let damaged = here.sh("file=$(find lake/stores/default/objects -name '*.parquet' | head -1); \
         printf 'nothing of the kind' > $file; echo $file");
    let ran = here.run(&["maintain"]).exited(1);
    let name = damaged.stdout.trim().rsplit('/').next().unwrap().to_owned();
    assert!(ran.stderr.contains(&name) && ran.stderr.contains("default.objects"), "{}", ran.stderr);
    assert!(ran.stdout.contains("events"), "{}", ran.stdout);
}

/// Real logs, brought in in three orders, a third at a time, with upkeep between.
#[test]
fn real_logs_in_any_order_with_upkeep_between_are_the_same_lake() {
    let Some(set) = corpus("cartographer") else { return };
    let entries = std::fs::read_dir(set).unwrap();
    let mut logs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    logs.sort();
    let mut stored = Vec::new();
    for order in 0..3 {
        let here = Folder::new();
        match order {
            0 => {}
            1 => logs.reverse(),
            _ => logs.sort_by_key(|path| std::fs::metadata(path).unwrap().len()),
        }
        for part in logs.chunks(logs.len().div_ceil(3)) {
            let paths = part.iter().map(|path| path.to_str().unwrap());
            let args: Vec<&str> = ["-q", "ingest"].into_iter().chain(paths).collect();
            let ran = here.run(&args);
            assert!(ran.code < 2, "{}", ran.stderr);
            let before = everything(&here);
            maintained(&here, &[]);
            files(&here);
            assert_eq!(everything(&here), before);
        }
        // Byte for byte as AWS wrote them.
        let id = here.csv("SELECT min(eventID) FROM events");
        let event = here.run(&["event", id.trim()]).done().stdout;
        let json =
            here.csv(&format!("SELECT eventJson FROM events WHERE eventID = '{}'", id.trim()));
        assert!(event.trim().len() > 100 && json.replace("\"\"", "\"").contains(event.trim()));
        // Of copies that differ the first that came is the row, so bytes may differ, identities not.
        stored.push(
            here.csv("SELECT eventID, recipientAccountId, eventTime FROM events ORDER BY 1, 3"),
        );
    }
    assert!(stored[0].len() > 1000);
    assert!(stored.iter().all(|rows| *rows == stored[0]));
}
