//! `check`: a sound lake is said to be, a damaged one is named.

mod damages;
mod planting;

use std::path::{Path, PathBuf};

use serde_json::Value;
use traillake_testkit::s3::Spoiled;

use crate::buckets::World;
use crate::folder::Folder;

/// The files under a folder of the lake whose names end so.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path, ending)),
            false if path.to_str().unwrap().ends_with(ending) => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

#[test]
fn a_sound_lake_is_said_to_be_sound() {
    let here = Folder::with_lake();
    let quick = here.run(&["check"]).done().stdout;
    assert!(quick.starts_with("lake ./lake: 1 store, 7 tables, "), "{quick}");
    assert!(quick.ends_with("(rows not read; `--read-data` does)\nsound\n"), "{quick}");
    let whole = here.run(&["check", "--read-data"]).done().stdout;
    assert!(whole.ends_with("(every row read)\nsound\n"), "{whole}");
    let json = here.run(&["check", "--read-data", "--format", "json"]).done().stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["sound"], &json["damages"]), (&true.into(), &0.into()));
    assert_eq!(json["findings"], Value::Array(Vec::new()));
}

#[test]
fn what_is_damaged_is_named_and_the_exit_code_says_so() {
    let here = Folder::with_lake();
    let events = here.path("lake/stores/default/events");
    let data = files(&events, ".parquet").remove(0);
    let mut bytes = std::fs::read(&data).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    std::fs::write(&data, bytes).unwrap();
    let name = data.file_name().unwrap().to_str().unwrap();
    let ran = here.run(&["check", "--read-data"]).exited(1);
    let line = ran.stdout.lines().find(|line| line.contains("its bytes are not")).unwrap();
    assert!(line.starts_with("DAMAGED default/events: `stores/default/events/"), "{line}");
    assert!(line.contains(name), "{line}");
    assert!(!ran.stdout.contains("sound"), "{}", ran.stdout);

    // What keeps a lake from being opened is found too, and does not end the check.
    std::fs::remove_file(here.path("lake/stores/default/store.json")).unwrap();
    std::fs::write(here.path("lake/stores/default/events/mine.txt"), "x").unwrap();
    let json = here.run(&["check", "--read-data", "--format", "json"]).exited(1).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    for (file, what) in [
        ("store.json", "it is missing"),
        ("mine.txt", "it is no file of the lake"),
        (name, "its bytes are not those that were written"),
    ] {
        let found = json["findings"].as_array().unwrap().iter().any(|finding| {
            finding["grade"] == "damage"
                && finding["what"].as_str().unwrap().contains(what)
                && finding["file"].as_str().is_some_and(|named| named.ends_with(file))
        });
        assert!(found, "`{file}`: {what}: {json:#}");
    }
}

#[test]
fn without_a_lake_there_is_nothing_to_check() {
    let here = Folder::new();
    let ran = here.run(&["check"]).exited(2);
    assert!(ran.stderr.starts_with("error: no lake at `./lake`"), "{}", ran.stderr);
    here.write("lake/notes.txt", "mine");
    here.run(&["check"]).exited(2);
}

#[test]
fn a_file_that_may_not_be_read_is_no_damage() {
    let world = World::new();
    let lake = ["--lake", "s3://home/lake"];
    world.run(&[&lake[..], &["ingest", "logs"]].concat()).done();
    world.s3.spoil(|_, asked| {
        let is_data = asked.path.contains("/events/") && asked.path.ends_with(".parquet");
        (asked.is_reading() && is_data).then_some(Spoiled::Refused(403, "AccessDenied"))
    });
    for how in [&["check"][..], &["check", "--read-data"]] {
        let ran = world.run(&[&lake[..], how].concat()).exited(2);
        assert_eq!(ran.stdout, "", "it is called damaged");
        let start = "error: could not read `stores/default/events/";
        let missing =
            "access denied: `s3:GetObject` on `arn:aws:s3:::home/lake/stores/default/events/";
        assert!(ran.stderr.starts_with(start) && ran.stderr.contains(missing), "{}", ran.stderr);
    }
    world.s3.heal();
    world.run(&[&lake[..], &["check", "--read-data"]].concat()).done();
}
