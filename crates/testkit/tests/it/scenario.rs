use std::fs;
use std::path::{Path, PathBuf};

use traillake_testkit::scenario::{Said, System, run};

/// A system whose lake is a list of lines: it brings in files whole and answers `count`.
#[derive(Default)]
struct Lines {
    lake: Vec<String>,
}

impl System for Lines {
    fn ingest(&mut self, paths: &[PathBuf], crash: Option<&str>) -> Said {
        if crash.is_some() {
            return Said::default();
        }
        let failed = paths.iter().any(|path| !path.exists());
        let read = paths.iter().filter_map(|path| fs::read_to_string(path).ok());
        self.lake.extend(read);
        Said { code: Some(i32::from(failed)), ..Said::default() }
    }

    fn query(&mut self, sql: &str) -> Said {
        let talk = format!("asked `{sql}`\n");
        match sql {
            "count lines" => Said { code: Some(0), output: format!("{}\n", self.lake.len()), talk },
            "all" => Said { code: Some(0), output: self.lake.join("\n"), talk },
            _ => Said { code: Some(2), talk, ..Said::default() },
        }
    }
}

fn outcome(text: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    run(text, folder.path(), &mut Lines::default()).map_err(|failure| failure.to_string())
}

#[test]
fn a_scenario_does_what_it_says() {
    let text = r#"
# files
$ raw a/one.txt
first
second
$ copy a/one.txt two.txt
$ cut two.txt 7
$ join two.txt a/one.txt
$ put three.json
event 61 GetObject {"readOnly":true}
{"eventName" : "raw"}

$ ingest a/one.txt two.txt crash=anywhere
> count
    lines
0
$ ingest a/one.txt two.txt
$ remove two.txt
$ ingest two.txt exit=1
> all
first
second
firstfirst
second
$ ingest three.json
! nonsense
asked `nonsense`
? count lines
asked
count lines
"#;
    outcome(text).unwrap();
}

#[test]
fn records_are_written_out() {
    let folder = tempfile::tempdir().unwrap();
    let text = "$ put a.json\nevent 61 GetObject {\"readOnly\":true}\n{ }";
    run(text, folder.path(), &mut Lines::default()).unwrap();
    let written = fs::read_to_string(folder.path().join(Path::new("a.json"))).unwrap();
    let file: serde_json::Value = serde_json::from_str(&written).unwrap();
    let record = &file["Records"][0];
    assert_eq!(record["eventTime"], "2024-01-01T00:01:01Z");
    assert_eq!(record["eventID"], "00000000-0000-4000-8000-000000000061");
    assert_eq!(record["readOnly"], true);
    assert!(written.ends_with(",{ }]}"));
}

#[test]
fn what_does_not_go_as_it_says_is_told_with_its_line() {
    let check = |text: &str, expected: &str| assert_eq!(outcome(text).unwrap_err(), expected);
    check("\n> count lines\n1\n", "line 2: expected\n  1\nfound\n  0");
    check("$ ingest nothing", "line 1: expected exit 0, found exit 1:\n");
    check("! count lines", "line 1: expected exit 2, found exit 0:\n0\nasked `count lines`\n");
    check("? count lines\nhello", "line 1: `hello` was not said, but\nasked `count lines`\n");
    check("$ dance", "line 1: `$ dance` is no step");
    check("hello", "line 1: `hello` belongs to no step");
    check("$ put a\nevent x", "line 1: `event x` is not `event NUMBER NAME [MEMBERS]`");
}
