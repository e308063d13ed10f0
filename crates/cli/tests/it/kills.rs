//! Real processes that die at named points of a round and of its recovery, and what stands after.
//!
//! This binary runs itself again: [`child_that_dies`] ingests with a hook that aborts the process
//! at a named step, and does nothing in an ordinary run of the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use traillake_ingest::{CancelFlag, IngestOptions, Silent, Source, ingest, store_spec};
use traillake_store::{Lake, OpenOptions, StepHook};
use traillake_testkit::demo;
use traillake_testkit::scenario::Said;
use traillake_testkit::trail::gzip;

use crate::folder::Folder;

const STEP: &str = "KILLS_AT_STEP";
const AFTER: &str = "KILLS_AFTER_TIMES";
const LAKE: &str = "KILLS_LAKE";
const SOURCES: &str = "KILLS_SOURCES";
/// Where the S3 is whose bucket `home` is the lake; none: the lake is a folder.
const BUCKET: &str = "KILLS_BUCKET";

/// Memory of the process that dies, in bytes: so little that its run takes several rounds and can
/// die in the second or third.
const MEMORY_BYTES: u64 = 1 << 20;

/// Days on each of which there is something odd: their logs are read in different rounds.
const ODD_DAYS: [u32; 3] = [9, 11, 13];

/// Tables that are committed after `events`, where the odd days bring something.
const OTHER_TABLES: [&str; 6] =
    ["insights", "aggregated", "digests", "variants", "rejects", "objects"];

/// The process that dies: ingests `SOURCES` into `LAKE`, and aborts when it comes to `STEP` for the
/// time after `AFTER` times. An abort runs no destructors and flushes nothing of ours.
#[test]
fn child_that_dies() {
    let Ok(step) = std::env::var(STEP) else { return };
    let left = AtomicU32::new(std::env::var(AFTER).unwrap().parse().unwrap());
    let steps: StepHook = Arc::new(move |at| {
        if at.to_string() == step && left.fetch_sub(1, Ordering::SeqCst) == 0 {
            std::process::abort();
        }
    });
    let lake = PathBuf::from(std::env::var_os(LAKE).unwrap());
    let bucket = std::env::var(BUCKET).ok().map(|endpoint| home_at(&endpoint));
    let paths = std::env::var_os(SOURCES).unwrap();
    let sources = std::env::split_paths(&paths).map(Source::Path).collect();
    let temp_dir = lake.parent().unwrap().to_owned();
    let options = IngestOptions {
        memory_bytes: MEMORY_BYTES,
        ..IngestOptions::new(Some(lake.clone()), temp_dir)
    };
    let now = chrono::Utc::now;
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let opening = OpenOptions { steps: Some(steps), bucket, ..OpenOptions::default() };
        let lake = Lake::open_or_create_with(lake.to_str().unwrap(), opening).await.unwrap();
        let writer = Arc::new(lake.writer("default", &store_spec(), now()).await.unwrap());
        ingest(writer, sources, options, &Silent, &CancelFlag::default(), now).await.unwrap();
    });
}

/// The bucket `home` of an S3 on this machine.
fn home_at(endpoint: &str) -> Arc<dyn object_store::ObjectStore> {
    let builder = object_store::aws::AmazonS3Builder::new()
        .with_bucket_name("home")
        .with_region("us-east-1")
        .with_endpoint(endpoint)
        .with_allow_http(true)
        .with_access_key_id(traillake_testkit::s3::ACCESS_KEY)
        .with_secret_access_key(traillake_testkit::s3::SECRET_KEY);
    Arc::new(builder.build().unwrap())
}

/// As [`dies_at`], into a lake in the bucket `home` of the S3 at `endpoint`.
pub fn dies_in_bucket(endpoint: &str, source: &Path, step: &str) -> Said {
    let lake = source.with_file_name("nowhere");
    let mut command = child(0, &lake, &[source.to_owned()], step);
    said(command.env(BUCKET, endpoint))
}

/// Ingests in a process that dies when it comes to `step` for the first time.
pub fn dies_at(lake: &Path, sources: &[PathBuf], step: &str) -> Said {
    dies_after(0, lake, sources, step)
}

/// Ingests in a process that comes to `step` so many times before it dies there.
fn dies_after(times: u32, lake: &Path, sources: &[PathBuf], step: &str) -> Said {
    said(&mut child(times, lake, sources, step))
}

fn child(times: u32, lake: &Path, sources: &[PathBuf], step: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["kills::child_that_dies", "--exact", "--nocapture"])
        .env(STEP, step)
        .env(AFTER, times.to_string())
        .env(LAKE, lake)
        .env(SOURCES, std::env::join_paths(sources).unwrap())
        .stdin(Stdio::null());
    command
}

fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    Said {
        code: output.status.code(),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        talk: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A folder with logs that touch every table, in two halves, and what must stand in the end.
struct Place {
    here: Folder,
    events: BTreeSet<String>,
}

impl Place {
    fn new() -> Place {
        let here = Folder::new();
        let mut told = BTreeMap::new();
        let files = demo::objects().unwrap();
        let insight = files.keys().find(|key| key.contains("-Insight/")).unwrap().clone();
        let chosen = files.into_iter().enumerate();
        let chosen = chosen.filter(|(n, (key, _))| n % 3 == 0 || *key == insight);
        for (n, (_, (key, bytes))) in chosen.enumerate() {
            if key != insight {
                note(&mut told, &bytes);
            }
            here.write(&format!("{}/{key}", ["first", "second"][n % 2]), bytes);
        }
        let insights = inflated(&here, &insight);
        for day in ODD_DAYS {
            for half in ["first", "second"] {
                let (reject, variant) = (r#"{"eventID":"no time"}"#, variant(half, day));
                let log = format!(r#"{{"Records":[{reject},{variant}]}}"#);
                let log = gzip(log.as_bytes()).unwrap();
                here.write(&format!("{half}/{}", log_key("CloudTrail", day)), log);
            }
            told.insert(id_of(&variant("first", day)), variant("first", day));
            let insights = insights.replace(r#""eventID":""#, &format!(r#""eventID":"{day}-"#));
            let aggregated = format!(r#"{{"Records":[{}]}}"#, aggregate(day));
            for (kind, text) in [
                ("CloudTrail-Insight", insights),
                ("CloudTrail-Aggregated", aggregated),
                ("CloudTrail-Digest", digest(day)),
            ] {
                let log = gzip(text.as_bytes()).unwrap();
                here.write(&format!("second/{}", log_key(kind, day)), log);
            }
        }
        Place { here, events: told.into_values().collect() }
    }

    fn lake(&self) -> PathBuf {
        self.here.path("lake")
    }

    fn sources(&self) -> Vec<PathBuf> {
        vec![self.here.path("first"), self.here.path("second")]
    }

    /// Brings the first half in, so that the rest meets a lake that holds something, and so that
    /// the variant of the first half is the row.
    fn bring_in_first_half(&self) {
        self.here.run(&["--quiet", "ingest", "first"]).exited(1);
    }

    #[track_caller]
    fn dies(&self, times: u32, step: &str) {
        let said = dies_after(times, &self.lake(), &self.sources(), step);
        assert_eq!(said.code, None, "it never came to `{step}`: {}{}", said.output, said.talk);
    }

    /// What a reader sees adds up, at any moment.
    #[track_caller]
    fn check_reader(&self) {
        let sums = "SELECT sum(records), sum(stored) + sum(duplicates) + sum(respelled) + \
                    sum(variants) + sum(rejects), sum(stored), \
                    (SELECT count(*) FROM events) + (SELECT count(*) FROM insights) + \
                    (SELECT count(*) FROM aggregated), \
                    sum(variants), (SELECT count(*) FROM variants), \
                    sum(rejects), (SELECT count(*) FROM rejects) FROM system.objects";
        let sums = self.here.csv(sums);
        let sums: Vec<&str> = sums.trim().split(',').collect();
        for pair in sums.chunks(2) {
            assert_eq!(pair[0].max("0"), pair[1].max("0"), "{sums:?}");
        }
    }

    /// A last, undisturbed run brings in exactly the truth, byte for byte.
    #[track_caller]
    fn check_after_a_whole_run(&self) {
        let last = self.here.run(&["--quiet", "ingest", "first", "second"]);
        assert!(last.code == 0 || last.code == 1, "{last:?}"); // 1 while the reject is new
        self.check_reader();
        let rows = self.here.run(&["query", "--format", "ndjson", "SELECT eventJson FROM events"]);
        let rows = rows.done().stdout;
        let rows: Vec<String> = rows.lines().map(|line| text_of(line, "eventJson")).collect();
        assert_eq!(rows.len(), self.events.len(), "rows and events");
        assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), self.events);
        let others = "SELECT (SELECT count(*) FROM insights), (SELECT count(*) FROM aggregated), \
                      (SELECT count(*) FROM digests), (SELECT count(*) FROM variants), \
                      (SELECT count(*) FROM rejects), count(*), count(DISTINCT object_key) \
                      FROM system.objects";
        let files = self.here.sh("find first second -type f | wc -l").done().stdout;
        let files = files.trim();
        assert_eq!(self.here.csv(others).trim(), format!("8,3,3,3,6,{files},{files}"));
    }
}

/// The same event told differently in each half.
fn variant(half: &str, day: u32) -> String {
    format!(
        r#"{{"eventVersion":"1.11","eventTime":"2026-03-{day:02}T12:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","eventID":"00000000-0000-4000-8000-0000000000{day:02}","userAgent":"{half}"}}"#
    )
}

/// What was counted in five minutes of a day.
fn aggregate(day: u32) -> String {
    format!(
        r#"{{"eventVersion":"1.0","accountId":"111122223333","eventId":"aggregate-{day}","eventCategory":"Aggregated","eventType":"AwsAggregatedEvent","awsRegion":"us-east-1","eventSource":"s3.amazonaws.com","timeWindow":{{"windowStart":"2026-03-{day:02}T00:00:00Z","windowEnd":"2026-03-{day:02}T00:05:00Z","windowSize":"PT5M"}},"summary":{{"primaryDimension":{{"dimension":"eventName","statistics":[{{"name":"GetObject","value":3}}],"aggregationType":"Count"}},"details":[]}}}}"#
    )
}

/// The digest of an hour in which no log was delivered.
fn digest(day: u32) -> String {
    format!(
        r#"{{"awsAccountId":"111122223333","digestStartTime":"2026-03-{day:02}T00:00:00Z","digestEndTime":"2026-03-{day:02}T01:00:00Z","digestS3Bucket":"trail","digestS3Object":"AWSLogs/{day}","newestEventTime":null,"oldestEventTime":null,"logFiles":[]}}"#
    )
}

fn log_key(kind: &str, day: u32) -> String {
    let folder = format!("AWSLogs/111122223333/{kind}/us-east-1/2026/03/{day:02}");
    format!("{folder}/111122223333_{kind}_us-east-1_202603{day:02}T0000Z_ODDODDODDODDODD0.json.gz")
}

/// The text of a log of either half.
fn inflated(here: &Folder, key: &str) -> String {
    let paths = ["first", "second"].map(|half| here.path(&format!("{half}/{key}")));
    let path = paths.iter().find(|path| path.exists()).unwrap();
    let bytes = std::fs::read(path).unwrap();
    std::io::read_to_string(flate2::read::GzDecoder::new(bytes.as_slice())).unwrap()
}

fn note(told: &mut BTreeMap<String, String>, gzipped: &[u8]) {
    let text = std::io::read_to_string(flate2::read::GzDecoder::new(gzipped)).unwrap();
    let file: BTreeMap<&str, Vec<&serde_json::value::RawValue>> =
        serde_json::from_str(&text).unwrap();
    for record in &file["Records"] {
        told.insert(id_of(record.get()), record.get().to_owned());
    }
}

fn id_of(record: &str) -> String {
    text_of(record, "eventID")
}

fn text_of(json: &str, field: &str) -> String {
    let value: Value = serde_json::from_str(json).unwrap();
    value[field].as_str().unwrap().to_owned()
}

/// Dies at each of `steps`, in the first, the second and the third round of a run.
fn dies_in_three_rounds_at(steps: impl Iterator<Item = String>) {
    for step in steps {
        for times in 0..3 {
            let place = Place::new();
            place.bring_in_first_half();
            place.dies(times, &step);
            place.check_reader();
            place.check_after_a_whole_run();
        }
    }
}

/// Lives three times and dies at each of `steps` in turn, each life completing the round in which
/// the one before it died.
fn dies_three_times_at(steps: &[String]) {
    let place = Place::new();
    place.bring_in_first_half();
    for _ in 0..3 {
        for step in steps {
            place.dies(0, step);
            place.check_reader();
        }
    }
    place.check_after_a_whole_run();
}

#[test]
fn dying_before_anything_is_committed_changes_nothing() {
    let steps = ["data-written", "manifest-written", "commit-events:before"];
    dies_in_three_rounds_at(steps.iter().map(ToString::to_string));
}

#[test]
fn dying_between_commits_loses_and_doubles_nothing() {
    dies_three_times_at(&["commit-events:after".to_string()]);
    for table in OTHER_TABLES {
        for when in ["before", "after"] {
            dies_three_times_at(&[format!("commit-{table}:{when}")]);
        }
    }
}

#[test]
fn recovery_may_die_where_it_begins_and_ends() {
    for step in ["recover:begin", "recover:end"] {
        dies_three_times_at(&["commit-events:after".to_string(), step.to_string()]);
    }
}

#[test]
fn recovery_may_die_before_and_after_each_commit() {
    for table in OTHER_TABLES {
        dies_three_times_at(&[
            format!("commit-{table}:before"),
            format!("recover:commit-{table}:before"),
            format!("recover:commit-{table}:after"),
        ]);
    }
}
