//! Each program also runs tiny, so that it still works on the day it is needed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Returns the `traillake` built beside this test, if there is one; a test of this package alone
/// does not build it.
fn traillake() -> Option<PathBuf> {
    let mut folder = std::env::current_exe().unwrap();
    folder.pop();
    folder.pop();
    let path = folder.join("traillake");
    if !path.exists() {
        eprintln!("SKIPPED: no `traillake` at {}; run `cargo build` first", path.display());
        return None;
    }
    Some(path)
}

fn succeeded(output: Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn files_in(folder: &Path) -> usize {
    let (_, files) = traillake_benches::process::size_of(folder).unwrap();
    files as usize
}

#[test]
fn generate_writes_every_workload() {
    let expected =
        [("ordinary", 10), ("unique", 10), ("tiny", 770), ("backfill", 365), ("retold", 10)];
    for (workload, objects) in expected {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_generate"))
            .args([workload, "--scale", "0.01"])
            .arg(folder.path())
            .output()
            .unwrap();
        let said = succeeded(output);
        assert!(said.starts_with(&format!("{objects} objects, ")), "{said}");
        assert_eq!(files_in(folder.path()), objects);
    }
}

#[test]
fn ingest_prints_a_line_for_every_figure() {
    let Some(traillake) = traillake() else { return };
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ingest"))
        .arg("--traillake")
        .arg(traillake)
        .arg("--work")
        .arg(folder.path())
        .args(["--scale", "0.002"])
        .output()
        .unwrap();
    let said = succeeded(output);
    let lines = said.lines().filter(|line| line.starts_with("| ")).count();
    assert_eq!(lines, 1 + 3 + 1 + 10, "{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("- ")).count(), 4, "{said}");
}

fn python(arguments: &[&str]) -> std::io::Result<Output> {
    Command::new("python3").args(arguments).output()
}

/// Returns whether the engines to compare with are here.
fn has_peers() -> bool {
    let found = python(&["-c", "import duckdb, chdb"]).is_ok_and(|found| found.status.success());
    if !found {
        eprintln!("SKIPPED: python3 with duckdb and chdb is not here; pip install duckdb chdb");
    }
    found
}

#[test]
fn queries_has_the_same_answers_from_all_engines() {
    let Some(traillake) = traillake() else { return };
    if !has_peers() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_queries"))
        .arg("--traillake")
        .arg(traillake)
        .arg("--work")
        .arg(folder.path())
        .args(["--scale", "0.004", "--runs", "1"])
        .output()
        .unwrap();
    let said = succeeded(output);
    let lines = said.lines().filter(|line| line.starts_with("| ")).count();
    assert_eq!(lines, 1 + traillake_benches::audit::QUESTIONS.len() + 1, "{said}");
    assert!(said.contains("| **geometric mean** |"), "{said}");
}

#[test]
fn open_lake_prints_a_line_for_every_figure() {
    let Some(traillake) = traillake() else { return };
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_open_lake"))
        .arg("--traillake")
        .arg(traillake)
        .arg("--work")
        .arg(folder.path())
        .args(["--files", "300"])
        .output()
        .unwrap();
    let said = succeeded(output);
    let lines = said.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(lines, 6 + 4 * 2, "{said}");
    assert!(said.contains("- the log of `events`: "), "{said}");
}

#[test]
fn plan_finds_out_what_is_new() {
    let Some(traillake) = traillake() else { return };
    let folder = tempfile::tempdir().unwrap();
    let sizes = ["--ledger", "24000", "--listed", "1000", "--months", "3", "--accounts", "2"];
    let output = Command::new(env!("CARGO_BIN_EXE_plan"))
        .arg("--traillake")
        .arg(traillake)
        .arg("--work")
        .arg(folder.path())
        .args(sizes)
        .output()
        .unwrap();
    let said = succeeded(output);
    assert!(said.contains("| 1000 | 100 | 24000 | "), "{said}");
}

#[test]
fn upkeep_is_measured_alone_and_beside_questions() {
    let Some(traillake) = traillake() else { return };
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_upkeep"))
        .arg("--traillake")
        .arg(traillake)
        .arg("--work")
        .arg(folder.path())
        .args(["--scale", "0.004", "--parts", "3", "--runs", "1"])
        .output()
        .unwrap();
    let said = succeeded(output);
    assert!(said.contains("- `maintain`: "), "{said}");
    assert!(said.contains("| most frequent calls | "), "{said}");
    assert!(said.contains("| **geometric mean** | "), "{said}");
}

#[test]
fn ingest_into_a_large_lake_is_measured_against_an_empty_one() {
    let Some(traillake) = traillake() else { return };
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_grown"))
        .arg("--traillake")
        .arg(traillake)
        .arg("--work")
        .arg(folder.path())
        .args(["--scale", "0.0001", "--last", "4", "--runs", "1"])
        .output()
        .unwrap();
    let said = succeeded(output);
    assert!(said.contains("the large lake: "), "{said}");
    for share in [0, 1, 50] {
        assert!(said.contains(&format!("\n| {share} % | ")), "{said}");
    }
}

#[test]
fn clients_of_all_protocols_get_their_own_answers() {
    let Some(traillake) = traillake() else { return };
    let folder = tempfile::tempdir().unwrap();
    let paths = ["trail", "lake", "work", "capped"].map(|name| folder.path().join(name));
    let [trail, lake, work, capped] = paths.each_ref().map(|path| path.to_str().unwrap());
    let generate = Command::new(env!("CARGO_BIN_EXE_generate"))
        .args(["unique", trail, "--scale", "0.005"])
        .output()
        .unwrap();
    succeeded(generate);
    let ingest = ["--quiet", "--lake", lake, "ingest", trail];
    succeeded(Command::new(&traillake).args(ingest).output().unwrap());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients.py");
    let clients = |work: &str, more: &[&str]| {
        let traillake = traillake.to_str().unwrap();
        let paths = ["--traillake", traillake, "--lake", lake, "--work", work];
        let few = ["--clients", "4", "--users", "2", "--queries", "100"];
        python(&[&[script], &paths[..], &few[..], more].concat()).unwrap()
    };
    let said = succeeded(clients(work, &["--events", "1000"]));
    assert!(said.contains("100 of 100 queries sent\n"), "{said}");
    assert!(said.contains("0 answers not right; the history has 100\n"), "{said}");
    let shapes = said.lines().filter(|line| line.contains("% | ")).count();
    assert_eq!(shapes, 23, "{said}");
    // Four clients, one of each protocol.
    assert!(said.contains("| million | 0.04% | 4 | 4 | "), "{said}");
    assert!(said.ends_with("verdict: as it has to be\n"), "{said}");
    // What was not sent is told.
    let said = succeeded(clients(capped, &["--minutes", "0"]));
    assert!(said.contains("0 of 100 queries sent, because 0 minutes were over\n"), "{said}");
    assert!(said.ends_with("verdict: as it has to be, as far as it went\n"), "{said}");
    let short = clients(work, &[]);
    assert!(!short.status.success(), "`--work` is not empty");
}

#[test]
fn what_is_delivered_is_counted_by_the_next_question() {
    let Some(traillake) = traillake() else { return };
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_follow"))
        .arg("--traillake")
        .arg(traillake)
        .arg("--work")
        .arg(folder.path())
        .args(["--scale", "0.002", "--every", "1", "--latency", "2", "--deliveries", "2"])
        .output()
        .unwrap();
    let said = succeeded(output);
    assert!(said.contains(" s beyond the time between two looks"), "{said}");
}

#[test]
fn requests_of_a_lake_in_a_bucket_are_counted() {
    let Some(traillake) = traillake() else { return };
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_requests"))
        .arg("--traillake")
        .arg(traillake)
        .arg("--work")
        .arg(folder.path())
        .args(["--files", "50", "--latency", "1"])
        .output()
        .unwrap();
    let said = succeeded(output);
    let again = said.lines().filter(|line| line.contains(" | again | 1 | 0 | 1 | 0 | "));
    assert_eq!(again.count(), 4, "two questions behind two states: {said}");
}

#[test]
fn beside_prints_what_was_thrown_away() {
    let Some(traillake) = traillake() else { return };
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_beside"))
        .arg("--traillake")
        .arg(traillake)
        .arg("--work")
        .arg(folder.path())
        .args(["--scale", "0.01"])
        .output()
        .unwrap();
    let said = succeeded(output);
    assert!(said.contains("| half 2 beside the other | "), "{said}");
    assert!(said.contains("- thrown away: "), "{said}");
}

#[test]
fn decode_prints_a_line_for_every_stage() {
    let output = Command::new(env!("CARGO_BIN_EXE_decode"))
        .args(["--scale", "0.002", "--runs", "1"])
        .output()
        .unwrap();
    let said = succeeded(output);
    assert_eq!(said.lines().filter(|line| line.starts_with("| ")).count(), 1 + 5, "{said}");
}

#[test]
fn compare_runs_with_all_engines() {
    let Some(traillake) = traillake() else { return };
    if !has_peers() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (trail, work) = (folder.path().join("trail"), folder.path().join("work"));
    let [trail, work] = [trail.to_str().unwrap(), work.to_str().unwrap()];
    let generate = Command::new(env!("CARGO_BIN_EXE_generate"))
        .args(["unique", trail, "--scale", "0.002"])
        .output()
        .unwrap();
    succeeded(generate);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/compare.py");
    let traillake = traillake.to_str().unwrap();
    let arguments = ["--traillake", traillake, "--trail", trail, "--work", work, "--runs", "1"];
    let said = succeeded(python(&[&[script], &arguments[..]].concat()).unwrap());
    assert!(said.contains("| user agent | 1 |"), "{said}");
    assert!(said.contains("| **geometric mean** |"), "{said}");
}
