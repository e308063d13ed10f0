//! Ingest through its public interface: folders in, lake out, and the counts that must add up.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod archives;
mod audits;
mod buckets;
mod corpus;
mod courses;
mod faults;
mod inventories;
mod oddities;
mod plans;
mod resumes;
mod retention;
mod rounds;
mod selectors;
mod sources;
mod states;
mod wire;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow::array::AsArray;
use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;
use traillake_ingest::{
    CancelFlag, Fault, IgnoredLine, IngestOptions, IntakeLine, Progress, RecordCounts, Report,
    Source, ingest, store_spec,
};
use traillake_store::{Lake, StoreWriter};
use traillake_testkit::trail::Trail;

/// An empty lake, and a folder to put logs in.
struct Bench {
    folder: TempDir,
    options: IngestOptions,
    lines: Arc<Lines>,
}

/// Keeps what a run tells.
#[derive(Default)]
struct Lines {
    taken_in: Mutex<Vec<IntakeLine>>,
    faults: Mutex<Vec<Fault>>,
    ignored: Mutex<Vec<IgnoredLine>>,
}

impl Progress for Lines {
    fn taken_in(&self, line: &IntakeLine) {
        self.taken_in.lock().unwrap().push(line.clone());
    }

    fn fault(&self, fault: &Fault) {
        self.faults.lock().unwrap().push(fault.clone());
    }

    fn ignored(&self, line: &IgnoredLine) {
        self.ignored.lock().unwrap().push(line.clone());
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000, 0).unwrap()
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("logs")).unwrap();
        fs::create_dir(root.join("tmp")).unwrap();
        let options = IngestOptions::new(Some(root.join("lake")), root.join("tmp"));
        Bench { folder, options, lines: Arc::default() }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    /// The folder of logs.
    fn logs(&self) -> PathBuf {
        self.root().join("logs")
    }

    /// Puts a file among the logs.
    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.logs().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    async fn writer(&self) -> Arc<StoreWriter> {
        let location = self.root().join("lake");
        let lake = Lake::open_or_create(location.to_str().unwrap()).await.unwrap();
        Arc::new(lake.writer("default", &store_spec(), now()).await.unwrap())
    }

    /// Ingests the folder of logs.
    async fn ingest(&self) -> Report {
        self.ingest_from(&[&self.logs()]).await
    }

    async fn ingest_from(&self, paths: &[&Path]) -> Report {
        let sources = paths.iter().map(|path| Source::Path(path.to_path_buf())).collect();
        self.run(sources, &*self.lines, &CancelFlag::default()).await
    }

    /// Runs one ingest; whatever it brings, its counts must add up.
    async fn run(
        &self,
        sources: Vec<Source>,
        progress: &dyn Progress,
        cancel: &CancelFlag,
    ) -> Report {
        let options = self.options.clone();
        let report =
            ingest(self.writer().await, sources, options, progress, cancel, now).await.unwrap();
        assert!(report.adds_up(), "{report:#?}");
        report
    }

    /// Rows that a reader sees in `table`.
    async fn rows(&self, table: &str) -> u64 {
        let lake = Lake::open(self.root().join("lake").to_str().unwrap()).await.unwrap();
        let snapshot = lake.store("default").await.unwrap().snapshot(None).await.unwrap();
        let files = snapshot.table(table).unwrap().files().await.unwrap();
        files.iter().map(|file| file.rows).sum()
    }

    /// The texts of a column of `table`, read from the files themselves.
    fn texts(&self, table: &str, column: &str) -> Vec<Option<String>> {
        let mut texts = Vec::new();
        for path in files(&self.root().join("lake/stores/default").join(table)) {
            if path.extension().is_none_or(|extension| extension != "parquet") {
                continue;
            }
            let file = fs::File::open(path).unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
            for batch in reader {
                let batch = batch.unwrap();
                let values = batch.column_by_name(column).unwrap().as_string::<i32>();
                texts.extend(values.iter().map(|text| text.map(str::to_owned)));
            }
        }
        texts
    }

    /// What the runs so far took in, by file name.
    fn states(&self) -> Vec<(String, &'static str)> {
        let lines = self.lines.taken_in.lock().unwrap();
        let mut states: Vec<_> = lines
            .iter()
            .map(|line| (line.object.rsplit('/').next().unwrap().to_owned(), line.state))
            .collect();
        states.sort();
        states
    }

    fn line(&self, name: &str) -> IntakeLine {
        let lines = self.lines.taken_in.lock().unwrap();
        lines.iter().rfind(|line| line.object.ends_with(name)).unwrap().clone()
    }

    /// Faults so far, as kind and end of path.
    fn faults(&self) -> Vec<(String, String)> {
        let faults = self.lines.faults.lock().unwrap();
        let mut faults: Vec<_> =
            faults.iter().map(|fault| (fault.kind.to_string(), name_of(&fault.object))).collect();
        faults.sort();
        faults
    }

    /// What was passed over so far, as end of path and reason.
    fn ignored(&self) -> Vec<(String, String)> {
        let lines = self.lines.ignored.lock().unwrap();
        let mut ignored: Vec<_> =
            lines.iter().map(|line| (name_of(&line.ignored), line.reason.clone())).collect();
        ignored.sort();
        ignored
    }
}

/// What must become of a trail's records.
fn truth(trail: &Trail) -> RecordCounts {
    let truth = trail.truth();
    RecordCounts {
        records: truth.records,
        stored: truth.events,
        duplicates: truth.duplicates,
        ..RecordCounts::default()
    }
}

fn name_of(path: &str) -> String {
    path.rsplit('/').next().unwrap().to_owned()
}

/// One event; `id` makes it different from others.
fn event(id: u32) -> String {
    let second = id % 60;
    let minute = id / 60 % 60;
    let hour = id / 3600 % 24;
    format!(
        r#"{{"eventVersion":"1.08","userIdentity":{{"type":"IAMUser","userName":"user-{id}"}},"eventTime":"2024-05-06T{hour:02}:{minute:02}:{second:02}Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1","requestParameters":{{"bucketName":"b-{id}"}},"eventID":"00000000-0000-0000-0000-{id:012}","recipientAccountId":"111122223333"}}"#
    )
}

/// A log file with the events of `ids`.
fn log(ids: impl IntoIterator<Item = u32>) -> String {
    let records: Vec<_> = ids.into_iter().map(event).collect();
    format!(r#"{{"Records":[{}]}}"#, records.join(","))
}

fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// A key as CloudTrail names it.
fn key(minute: u32, unique: &str) -> String {
    format!(
        "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/05/06/\
         111122223333_CloudTrail_eu-west-1_20240506T12{minute:02}Z_{unique}.json.gz"
    )
}

/// Copies a folder with everything in it.
fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Every file below `folder`, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}
