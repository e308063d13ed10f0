//! What a run shows while it goes on, and of what it cannot read.

use regex::Regex;

use crate::folder::{BINARY, Folder, event, log};

#[test]
fn a_bar_on_a_terminal_shows_objects_events_rate_and_time_left() {
    let here = Folder::with_logs();
    if here.sh("command -v script").code != 0 {
        eprintln!("SKIPPED: no `script` to make a terminal with");
        return;
    }
    // Wide enough for a line, and one that can be drawn on.
    let at_terminal = |command: &str| {
        let line = format!("stty rows 50 cols 200; {BINARY} {command}");
        here.sh(&format!("TERM=xterm script -qec '{line}' /dev/null")).done().stdout
    };
    let bar = r"[█░]+ ([\d,]+) of ([\d,]+) objects · ([\d,]+) events · [\d.]+ [kM]?B/s · \w+ left";
    let bar = Regex::new(bar).unwrap();
    let shown = at_terminal("ingest logs");
    let last = bar.captures_iter(&shown).last().unwrap_or_else(|| panic!("no bar in {shown:?}"));
    assert_eq!((&last[1], &last[2], &last[3]), ("141", "141", "685"), "{shown:?}");
    assert!(shown.contains("685 records = 677 stored + 8 duplicates"), "{shown:?}");
    for silent in ["--no-progress --lake second", "--quiet --lake third"] {
        let shown = at_terminal(&format!("{silent} ingest logs"));
        assert!(!bar.is_match(&shown), "{silent}: {shown:?}");
    }
    let piped = here.run(&["--lake", "fourth", "ingest", "logs"]).done();
    assert!(!bar.is_match(&piped.stderr), "{}", piped.stderr);
}

/// Its path is too long: nobody can read it, whatever they may.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_read_is_told_and_counted_and_the_rest_comes_in() {
    let here = Folder::new();
    here.write("logs/open.json", log(&[event(1, "GetObject", "")]));
    // Two trees that can be named, and then one in the other.
    let name = "d".repeat(200);
    let tree = |root: std::path::PathBuf| {
        let deepest = std::iter::repeat_n(&name, 14).fold(root, |path, name| path.join(name));
        std::fs::create_dir_all(&deepest).unwrap();
        deepest
    };
    let log = log(&[event(2, "GetObject", "")]);
    std::fs::write(tree(here.path("inner")).join("log.json"), log).unwrap();
    std::fs::rename(here.path("inner"), tree(here.path("logs/outer")).join("inner")).unwrap();
    let ran = here.run(&["ingest", "logs"]).exited(1);
    assert!(ran.stderr.starts_with("warning: unreadable `"), "{}", ran.stderr);
    assert!(ran.stderr.contains("File name too long"), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("1 object = 1 read\n1 record = 1 stored\n"), "{}", ran.stdout);
    let json = here.run(&["ingest", "logs", "--format", "json"]).exited(1).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["faults_total"], &json["objects"]["known"]),
        (&1.into(), &1.into()),
        "{json}"
    );
}
