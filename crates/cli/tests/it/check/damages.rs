//! Damage of every kind, in every kind of file: the exit code says so, and the file is named.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::compute::concat_batches;

use super::planting::{Planted, changed, lake, rows};

/// Damages a lake: the file that must be named, and words of what is wrong with it.
type Plant = fn(&Planted) -> (PathBuf, &'static str);

const FLIPPED: [(&str, Plant); 8] = [
    ("a byte of a data file", |lake| {
        (
            lake.flip(lake.data("events").path, 40, false),
            "its bytes are not those that were written",
        )
    }),
    ("a byte of the ledger", |lake| {
        (lake.flip(lake.data("objects").path, 40, false), "its bytes are not those that were")
    }),
    ("a byte of a footer", |lake| {
        (lake.flip(lake.data("events").path, 2, true), "its footer cannot be read")
    }),
    ("a byte of a commit", |lake| {
        (lake.flip(lake.commit("events", 50), 5, false), "it does not begin with its `commitInfo`")
    }),
    ("a byte of a checkpoint", |lake| {
        let checkpoint = lake.commit("events", 100).with_extension("checkpoint.parquet");
        (lake.flip(checkpoint, 2, true), "it cannot be read")
    }),
    ("a byte of what names the checkpoint", |lake| {
        (lake.flip(lake.file("events/_delta_log/_last_checkpoint"), 1, false), "it cannot be read")
    }),
    ("a byte of the store's file", |lake| {
        (lake.flip(lake.file("store.json"), 0, false), "damaged")
    }),
    ("a byte of the lake's file", |lake| {
        (lake.flip(lake.0.join("traillake.json"), 0, false), "damaged")
    }),
];

const FILES: [(&str, Plant); 9] = [
    ("a data file is gone", |lake| {
        (lake.delete(lake.data("events").path), "it is missing, with 101 rows")
    }),
    ("a file of the ledger is gone", |lake| {
        (lake.delete(lake.data("objects").path), "it is missing, with 101 rows")
    }),
    ("a file of a plain table is gone", |lake| {
        (lake.delete(lake.data("digests").path), "it is missing, with 1 rows")
    }),
    ("a commit is gone", |lake| (lake.delete(lake.commit("events", 50)), "it is missing")),
    ("the store's file is gone", |lake| (lake.delete(lake.file("store.json")), "it is missing")),
    ("a data file is cut short", |lake| {
        (lake.truncate(lake.data("events").path), "bytes and should have")
    }),
    ("a commit is cut short", |lake| (lake.truncate(lake.commit("events", 50)), "cut short")),
    ("a strange file in a table", |lake| {
        (lake.add(lake.file("events/mine.txt")), "it is no file of the lake")
    }),
    ("a strange file among the stores", |lake| {
        (lake.add(lake.0.join("stores/mine.txt")), "it is no file of the lake")
    }),
];

const DOUBLED: [(&str, Plant); 5] = [
    ("a data file, doubled", |lake| (lake.double("events"), "its rows are there twice")),
    ("a file of the ledger, doubled", |lake| (lake.double("objects"), "its rows are there twice")),
    ("a file of variants, doubled", |lake| (lake.double("variants"), "its rows are there twice")),
    ("a file of rejects, doubled", |lake| (lake.double("rejects"), "its rows are there twice")),
    ("a file of digests, doubled", |lake| (lake.double("digests"), "its rows are there twice")),
];

/// The log agrees with what was altered: only the rows tell.
const ROWS: [(&str, Plant); 6] = [
    ("a row of the ledger is lost", |lake| {
        lake.alter("objects", |all| rows(&all, 1..all.num_rows()));
        (lake.data("events").path, "1 rows are of object")
    }),
    ("a row of the ledger is added", |lake| {
        let added = |all: RecordBatch| {
            let row = changed(&rows(&all, 0..1), "object_id", |id| id + 5);
            concat_batches(&all.schema(), [&all, &row]).unwrap()
        };
        (lake.alter("objects", added), "1 stored, of which 0 are in the tables")
    }),
    ("a row of the ledger is altered", |lake| {
        let altered = |all: RecordBatch| changed(&all, "stored", |stored| stored + 1);
        (lake.alter("objects", altered), "1 records are not 2 stored")
    }),
    ("the order of rows is broken", |lake| {
        let back = |all: RecordBatch| rows(&all, (0..all.num_rows()).rev());
        (lake.alter("events", back), "it stands before a row that comes after it")
    }),
    ("an event is lost", |lake| {
        lake.alter("events", |all| rows(&all, 1..all.num_rows()));
        (lake.data("objects").path, "1 stored, of which 0 are in the tables")
    }),
    ("an event is altered", |lake| {
        (lake.alter("events", renamed), "its fingerprint is of other bytes")
    }),
];

/// Events by another name.
fn renamed(all: RecordBatch) -> RecordBatch {
    let mut columns = all.columns().to_vec();
    let names = vec!["DeleteObject"; all.num_rows()];
    columns[all.schema().index_of("eventName").unwrap()] = Arc::new(StringArray::from(names));
    RecordBatch::try_new(all.schema(), columns).unwrap()
}

#[test]
fn every_damage_is_named_and_the_exit_code_says_so() {
    let here = lake();
    let sound = here.run(&["check", "--read-data"]).done().stdout;
    assert!(sound.ends_with("sound\n"), "{sound}");
    for (damage, plant) in [&FLIPPED[..], &FILES, &DOUBLED, &ROWS].concat() {
        here.sh("rm -rf damaged && cp -r lake damaged").done();
        let damaged = Planted(here.path("damaged"));
        let (file, what) = plant(&damaged);
        let ran = here.run(&["--lake", "damaged", "check", "--read-data"]);
        let file = file.strip_prefix(&damaged.0).unwrap().to_str().unwrap();
        let is_it =
            |line: &str| line.starts_with("DAMAGED ") && line.contains(file) && line.contains(what);
        assert!(ran.stdout.lines().any(is_it), "{damage}: `{file}`, {what}:\n{}", ran.stdout);
        assert_eq!(ran.code, 1, "{damage}: {}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn what_was_not_ingested_is_handed_out_as_nobodys_record() {
    let here = lake();
    here.run(&["query", "SELECT eventJson FROM events"]).done();
    Planted(here.path("lake")).alter("events", renamed);
    let id = here.csv("SELECT min(eventID) FROM events WHERE eventName = 'DeleteObject'");
    let id = id.trim();
    for asked in [
        vec!["event", id],
        vec!["event", id, "--provenance"],
        vec!["query", "SELECT eventJson FROM events"],
        vec!["query", "SELECT DISTINCT eventJsonChecksum FROM events"],
        vec!["export", "--output", "out"],
    ] {
        let ran = here.run(&asked);
        assert_eq!(ran.code, 2, "{asked:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("is not what was ingested"), "{asked:?}: {}", ran.stderr);
        assert!(!ran.stdout.contains("DeleteObject"), "{asked:?}: {}", ran.stdout);
    }
    let json = here.path("out");
    let left = std::fs::read_dir(json).map_or(0, |folder| folder.count());
    assert_eq!(left, 0, "nothing that is no record is left of an export");
}
