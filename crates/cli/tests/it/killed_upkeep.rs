//! A `maintain` that is killed at any moment, in retention, a fold, a clean-up or a vacuum, and what
//! stands after.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _};
use serde_json::Value;
use traillake_ingest::{CancelFlag, IngestOptions, Silent, Source, ingest, store_spec};
use traillake_store::{Lake, OpenOptions, Settings, UpkeepOptions};
use traillake_testkit::random::Random;

use crate::folder::{BINARY, Folder, log};
use crate::maintain::{everything, maintained, table};

/// Kills, half of them while files are written, half while they are removed.
const KILLS: usize = 10;
/// What decides the moments.
const SEED: u64 = 20;
const SIGKILL: i32 = 9;

/// Rounds of the lake. The first of them were folded, so that files of theirs are to be removed.
const ROUNDS: usize = 12;
const FOLDED: usize = 7;
/// Days of which each round has an event, before and after the day at which retention ends.
const LEAVING: [&str; 4] = ["2024-02-11", "2024-02-26", "2024-03-02", "2024-03-12"];
const KEPT_FROM: &str = "2024-03-15";
const STAYING: [&str; 4] = ["2024-03-17", "2024-03-27", "2024-04-01", "2024-04-16"];

/// When the lake was made and tended for the last time.
fn then() -> DateTime<Utc> {
    Utc::now() - TimeDelta::days(60)
}

/// A lake of which everything is due: events past retention, files to fold and files to remove, a
/// log to shorten.
struct Neglected {
    files: Vec<(String, Vec<u8>)>,
}

impl Neglected {
    /// Made in a bucket, where a log that can be shortened needs few commits.
    fn new() -> Neglected {
        let logs = Folder::new();
        for round in 0..ROUNDS {
            logs.write(&format!("{round}/log.json"), log(&records(round)));
        }
        let bucket: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let opening = OpenOptions { bucket: Some(bucket.clone()), ..OpenOptions::default() };
        let files = tokio::runtime::Runtime::new().unwrap().block_on(async {
            let lake = Lake::open_or_create_with("s3://home", opening).await.unwrap();
            let writer = Arc::new(lake.writer("default", &store_spec(), then()).await.unwrap());
            for round in 0..ROUNDS {
                let sources = vec![Source::Path(logs.path(&round.to_string()))];
                let options = IngestOptions::new(None, std::env::temp_dir());
                let cancel = CancelFlag::default();
                ingest(writer.clone(), sources, options, &Silent, &cancel, then).await.unwrap();
                if round + 1 == FOLDED {
                    let now = then() + TimeDelta::days(2);
                    let report = writer.upkeep(&UpkeepOptions::default(), now).await.unwrap();
                    assert!(report.tables[0].files_folded > 0, "{report:?}");
                }
            }
            let cutoff: NaiveDate = KEPT_FROM.parse().unwrap();
            let days = (Utc::now().date_naive() - cutoff).num_days();
            let retention = |settings: &mut Settings| {
                settings.retention_days = Some(u32::try_from(days).unwrap());
                Ok(())
            };
            lake.set_store("default", then(), retention).await.unwrap();
            let mut files = Vec::new();
            let listed: Vec<ObjectMeta> = bucket.list(None).try_collect().await.unwrap();
            for ObjectMeta { location, .. } in listed {
                let bytes = bucket.get(&location).await.unwrap().bytes().await.unwrap();
                files.push((location.to_string(), bytes.to_vec()));
            }
            files
        });
        Neglected { files }
    }

    /// The lake in a folder, where each file was written long ago.
    fn copy(&self) -> Folder {
        let here = Folder::new();
        let long_ago = SystemTime::now() - Duration::from_secs(30 * 86_400);
        for (path, bytes) in &self.files {
            let path = here.write(&format!("lake/{path}"), bytes);
            let file = File::options().append(true).open(path).unwrap();
            file.set_modified(long_ago).unwrap();
        }
        here
    }
}

/// The event of a day in a round. Another agent makes it a variant.
fn record(round: usize, day: &str, agent: &str) -> String {
    let number = day.replace('-', "");
    format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"Root"}},"eventTime":"{day}T12:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","eventID":"00000000-0000-4000-8000-{round:04}{number}","userAgent":"{agent}"}}"#
    )
}

/// What a round brings: its own events, two of the round before told differently, and no event.
fn records(round: usize) -> Vec<String> {
    let own = LEAVING.iter().chain(&STAYING).map(|day| record(round, day, "told"));
    let mut records: Vec<String> = own.collect();
    if let Some(before) = round.checked_sub(1) {
        let again = [LEAVING[0], STAYING[0]].map(|day| record(before, day, "told otherwise"));
        records.extend(again);
    }
    records.push(r#"{"eventID":"no time"}"#.to_owned());
    records
}

/// The files of a lake, without those that are still being written.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files(&entry.path()));
        } else if !entry.file_name().to_string_lossy().contains('#') {
            found.insert(entry.path());
        }
    }
    found
}

/// How many files have been written since, and how many removed.
fn changes(before: &BTreeSet<PathBuf>, now: &BTreeSet<PathBuf>) -> [usize; 2] {
    [now.difference(before).count(), before.difference(now).count()]
}

/// Kills a `maintain` as soon as it has written, or removed, so many files; whether it was still at
/// it. What it does decides when, for how long it takes depends on what else runs.
fn is_killed(here: &Folder, (what, count): (usize, usize)) -> bool {
    let lake = here.path("lake");
    let before = files(&lake);
    let mut command = here.command(BINARY);
    command.args(["maintain", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    while child.try_wait().unwrap().is_none() && changes(&before, &files(&lake))[what] < count {
        sleep(Duration::from_micros(200));
    }
    child.kill().unwrap();
    child.wait().unwrap().signal() == Some(SIGKILL)
}

/// Checks that an undisturbed run did everything there is, and that the truth is left.
fn check_whole(here: &Folder, report: &Value) {
    let expired = &report["stores"][0]["expired"]["rows"];
    // Of each round its events, and of all but the first a variant.
    assert_eq!(*expired, LEAVING.len() * ROUNDS + ROUNDS - 1, "{report}");
    for done in ["files_folded", "log_files_removed", "files_removed"] {
        assert!(table(report, "events")[done].as_u64().unwrap() > 1, "{done}: {report}");
    }
    let rows = here.run(&["query", "--format", "ndjson", "SELECT eventJson FROM events"]).done();
    let rows = rows.stdout.lines().map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        row["eventJson"].as_str().unwrap().to_owned()
    });
    let mut rows: Vec<String> = rows.collect();
    rows.sort();
    let told = |round| STAYING.map(|day| record(round, day, "told"));
    let mut expected: Vec<String> = (0..ROUNDS).flat_map(told).collect();
    expected.sort();
    assert_eq!(rows, expected);
}

#[test]
fn a_maintain_killed_at_any_moment_loses_doubles_and_alters_nothing() {
    let neglected = Neglected::new();
    let whole = neglected.copy();
    let before = files(&whole.path("lake"));
    check_whole(&whole, &maintained(&whole, &["--yes"]));
    let all = changes(&before, &files(&whole.path("lake")));
    let truth = everything(&whole);
    let (mut random, mut killed) = (Random::new(SEED), 0);
    for kill in 0..KILLS {
        let what = kill % 2;
        let count = 1 + random.below(all[what] as u64) as usize;
        let why = format!("killed when {count} files were {}", ["written", "removed"][what]);
        let here = neglected.copy();
        killed += usize::from(is_killed(&here, (what, count)));
        let audit = here.run(&["check"]);
        assert_eq!(audit.code, 0, "{why}: {audit:?}");
        let last = here.run(&["maintain", "--yes"]);
        assert_eq!(last.code, 0, "{why}: {last:?}");
        assert_eq!(everything(&here), truth, "{why}");
        let audit = here.run(&["check", "--read-data"]);
        assert_eq!(audit.code, 0, "{why}: {audit:?}");
    }
    // The last file may be gone when it is looked for.
    assert!(killed * 2 >= KILLS, "{killed} of {KILLS} runs were still at it");
}
