//! A lake on disk to be damaged, and what damages it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray as _, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::Int64Type;
use chrono::Utc;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use traillake_ingest::{CancelFlag, IngestOptions, Silent, Source, ingest, store_spec};
use traillake_store::{Fsync, Lake, OpenOptions};
use traillake_testkit::damage;

use crate::folder::{Folder, event, log};

/// So many rounds that tables are checkpointed.
const ROUNDS: u32 = 101;

/// A folder with a lake: a checkpointed log, a large file and small ones, and two files of each
/// table that has rows of objects.
pub fn lake() -> Folder {
    let here = Folder::new();
    bring_in_rounds(&here);
    here.run(&["maintain"]).done();
    for n in 1..=2 {
        let differs = event(1, &format!("Another{n}"), "");
        let records = [event(ROUNDS + n, "PutObject", ""), differs, "{\"x\":1}".to_owned()];
        here.write(&format!("more/{n}.json"), log(&records));
        let digest = format!(
            "{{\"awsAccountId\":\"000000000001\",\"digestStartTime\":\"2024-01-01T0{n}:00:00Z\",\
             \"digestEndTime\":\"2024-01-01T0{n}:59:00Z\",\"digestS3Bucket\":\"b\",\
             \"digestS3Object\":\"k\",\"logFiles\":[]}}"
        );
        here.write(&format!("more/{n}-digest.json"), digest);
        here.run(&["--quiet", "ingest", "more"]).exited(1); // one is no event
    }
    here
}

/// Rounds of an event each, in this process and without waiting for the disk.
fn bring_in_rounds(here: &Folder) {
    let location = here.path("lake");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let opening = OpenOptions { fsync: Arc::new(NoFsync), ..OpenOptions::default() };
        let lake = Lake::open_or_create_with(location.to_str().unwrap(), opening).await.unwrap();
        let writer = Arc::new(lake.writer("default", &store_spec(), Utc::now()).await.unwrap());
        for id in 0..ROUNDS {
            let path = here.write(&format!("rounds/{id}.json"), log(&[event(id, "GetObject", "")]));
            let sources = vec![Source::Path(path)];
            let options = IngestOptions::new(Some(location.clone()), here.path("rounds"));
            let cancel = CancelFlag::default();
            ingest(writer.clone(), sources, options, &Silent, &cancel, Utc::now).await.unwrap();
        }
    });
}

#[derive(Debug)]
struct NoFsync;

impl Fsync for NoFsync {
    fn file(&self, _: &File, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// The folder of a lake, to be damaged.
pub struct Planted(pub PathBuf);

/// A live data file.
pub struct Data {
    pub path: PathBuf,
    /// As the log of its table names it.
    name: String,
    /// The commit that adds it.
    commit: PathBuf,
}

impl Planted {
    /// A file of the store.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join("stores/default").join(name)
    }

    /// A commit of a table.
    pub fn commit(&self, table: &str, version: u64) -> PathBuf {
        self.file(&format!("{table}/_delta_log/{version:020}.json"))
    }

    /// The oldest live data file of a table.
    pub fn data(&self, table: &str) -> Data {
        let mut live: Vec<Data> = Vec::new();
        for version in 0.. {
            let commit = self.commit(table, version);
            let Ok(bytes) = fs::read(&commit) else { break };
            for action in damage::actions(&bytes).unwrap() {
                if let Some(name) = action["add"]["path"].as_str() {
                    let path = self.file(table).join(name);
                    live.push(Data { path, name: name.to_owned(), commit: commit.clone() });
                }
                live.retain(|data| action["remove"]["path"] != *data.name);
            }
        }
        live.remove(0)
    }

    /// Flips a bit of the byte so far from the beginning, or with `from_end` from the end.
    pub fn flip(&self, path: PathBuf, at: usize, from_end: bool) -> PathBuf {
        let bytes = fs::read(&path).unwrap();
        let at = if from_end { bytes.len() - at } else { at };
        fs::write(&path, damage::flipped(&bytes, at)).unwrap();
        path
    }

    pub fn delete(&self, path: PathBuf) -> PathBuf {
        fs::remove_file(&path).unwrap();
        path
    }

    /// Cuts the second half off.
    pub fn truncate(&self, path: PathBuf) -> PathBuf {
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        path
    }

    pub fn add(&self, path: PathBuf) -> PathBuf {
        fs::write(&path, "mine").unwrap();
        path
    }

    /// Copies a data file of a table, and has the log add the copy too.
    pub fn double(&self, table: &str) -> PathBuf {
        let Data { path, name, commit } = self.data(table);
        let (folder, rest) = name.rsplit_once("part-").unwrap();
        let copy = format!("{folder}part-00000000{}", &rest[8..]);
        let target = self.file(table).join(&copy);
        fs::copy(path, &target).unwrap();
        edit(&commit, |actions| assert!(damage::double(actions, &name, &copy)));
        target
    }

    /// Writes a data file anew with other rows, and has the log agree with it.
    pub fn alter(&self, table: &str, change: impl FnOnce(RecordBatch) -> RecordBatch) -> PathBuf {
        let Data { path, name, commit } = self.data(table);
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
        let batches: Vec<RecordBatch> =
            reader.build().unwrap().map(|batch| batch.unwrap()).collect();
        let rows = change(concat_batches(&batches[0].schema(), &batches).unwrap());
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        fs::write(&path, &bytes).unwrap();
        edit(&commit, |actions| {
            assert!(damage::agree(actions, &name, bytes.len(), rows.num_rows()));
        });
        path
    }
}

fn edit(commit: &Path, change: impl FnOnce(&mut Vec<Value>)) {
    let mut actions = damage::actions(&fs::read(commit).unwrap()).unwrap();
    change(&mut actions);
    fs::write(commit, damage::commit(&actions)).unwrap();
}

/// These rows, in this order.
pub fn rows(batch: &RecordBatch, order: impl Iterator<Item = usize>) -> RecordBatch {
    let order: UInt32Array = order.map(|row| row as u32).collect();
    take_record_batch(batch, &order).unwrap()
}

/// The same rows with another number in a column.
pub fn changed(batch: &RecordBatch, column: &str, change: impl Fn(i64) -> i64) -> RecordBatch {
    let number = batch.schema().index_of(column).unwrap();
    let mut columns = batch.columns().to_vec();
    let values = columns[number].as_primitive::<Int64Type>().values();
    columns[number] = Arc::new(values.iter().map(|value| change(*value)).collect::<Int64Array>());
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}
