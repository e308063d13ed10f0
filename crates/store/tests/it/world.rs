//! A small world without CloudTrail: two record tables, a plain one, and the truth about them.

mod ledger;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit};
use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use traillake_store::{
    At, Audit, AuditOptions, Comparison, Content, Counts, Identity, Lake, ObjectRow, ObjectState,
    OpenOptions, PartRows, Proof, RejectRow, Result, RoundInput, RoundPart, RoundReceipt,
    StoreSnapshot, StoreSpec, StoreWriter, TableSnapshot, TableSpec, Wrap,
};

pub use ledger::Ledger;

pub const STORE: &str = "default";

/// A record: id, day of its time, value. The value is its content: other letter case is another
/// spelling of the same, other letters another value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    pub table: &'static str,
    pub id: String,
    pub day: i64,
    pub value: String,
}

pub fn record(id: &str, day: i64, value: &str) -> Record {
    Record { table: "events", id: id.to_string(), day, value: value.to_string() }
}

/// A source object with its records; `!` in front of a value makes a reject of it.
#[derive(Debug, Clone)]
pub struct Object {
    pub key: String,
    pub etag: String,
    pub records: Vec<Record>,
}

pub fn object(key: &str, records: Vec<Record>) -> Object {
    Object { key: key.to_string(), etag: "1".to_string(), records }
}

/// Objects of `count` records each, ids counted from `first`, in two months.
pub fn objects(prefix: &str, first: usize, objects: usize, count: usize) -> Vec<Object> {
    let record_at = |at: usize| record(&format!("id-{at:05}"), (at % 40) as i64, &format!("v{at}"));
    let records = |of: usize| (0..count).map(|n| record_at(first + of * count + n)).collect();
    (0..objects).map(|of| object(&format!("{prefix}/{of:03}"), records(of))).collect()
}

fn record_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, true),
        Field::new("account", DataType::Utf8, true),
        Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Field::new("value", DataType::Utf8, true),
        Field::new("_fingerprint", DataType::Int64, true),
        Field::new("_object", DataType::Int64, true),
        Field::new("_index", DataType::Int32, true),
    ]))
}

fn note_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("note", DataType::Utf8, true),
        Field::new("_object", DataType::Int64, true),
    ]))
}

pub fn spec() -> StoreSpec {
    let identity = Identity { columns: ["id", "account", "at"], fingerprint: "_fingerprint" };
    let records = |name| TableSpec {
        name,
        schema: record_schema(),
        partition: Some("month"),
        time_column: Some("at"),
        sort: &["value"],
        bloom: &["id"],
        stats: &["at", "value"],
        identity: Some(identity),
    };
    let notes = TableSpec {
        name: "notes",
        schema: note_schema(),
        partition: None,
        time_column: None,
        sort: &["note"],
        bloom: &[],
        stats: &["note"],
        identity: None,
    };
    StoreSpec { records: vec![records("events"), records("extras")], plain: vec![notes] }
}

pub struct Words;

impl Content for Words {
    fn record_bytes(&self, rows: &RecordBatch, row: usize) -> Result<Vec<u8>, String> {
        let value = rows.column_by_name("value").ok_or("no value")?;
        Ok(value.as_string::<i32>().value(row).as_bytes().to_vec())
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Comparison {
        match (a == b, a.eq_ignore_ascii_case(b)) {
            (true, _) => Comparison::Same,
            (_, true) => Comparison::Respelled,
            _ => Comparison::Differs { paths: vec!["value".to_string()] },
        }
    }
}

impl Proof for Words {
    fn faults(&self, table: &str, rows: &RecordBatch) -> Vec<(usize, String)> {
        if !["events", "extras"].contains(&table) {
            return Vec::new();
        }
        let values = rows.column_by_name("value").unwrap().as_string::<i32>();
        let hashes = rows.column_by_name("_fingerprint").unwrap().as_primitive::<Int64Type>();
        let is_false = |row: &usize| {
            xxhash_rust::xxh3::xxh3_64(values.value(*row).as_bytes()) as i64 != hashes.value(*row)
        };
        let faults = (0..rows.num_rows()).filter(is_false);
        faults.map(|row| (row, "its value is not what its fingerprint says".to_string())).collect()
    }
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

/// A time that grows with `n`.
pub fn at(n: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(n)
}

fn micros(record: &Record) -> i64 {
    (start() + TimeDelta::days(record.day)).timestamp_micros()
}

/// The bytes of an object stand for its content: same records, same hash.
fn hash(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    for (n, chunk) in hash.chunks_mut(8).enumerate() {
        let part = xxhash_rust::xxh3::xxh3_64_with_seed(text.as_bytes(), n as u64);
        chunk.copy_from_slice(&part.to_le_bytes());
    }
    hash
}

fn rows(records: &[(i64, i32, &Record)]) -> RecordBatch {
    let text = |of: fn(&Record) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(records.iter().map(|(.., r)| of(r))))
    };
    let times = records.iter().map(|(.., record)| micros(record));
    let fingerprints = records.iter().map(|(.., r)| xxhash_rust::xxh3::xxh3_64(r.value.as_bytes()));
    let columns: Vec<ArrayRef> = vec![
        text(|record| &record.id),
        text(|_| "account"),
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
        text(|record| &record.value),
        Arc::new(Int64Array::from_iter_values(fingerprints.map(|hash| hash as i64))),
        Arc::new(Int64Array::from_iter_values(records.iter().map(|(object, ..)| *object))),
        Arc::new(Int32Array::from_iter_values(records.iter().map(|(_, index, _)| *index))),
    ];
    RecordBatch::try_new(record_schema(), columns).unwrap()
}

/// A round of these objects; `parts` objects to a part, all in one with 0.
pub fn round(objects: &[Object]) -> RoundInput {
    let mut input = RoundInput::default();
    let mut tables: BTreeMap<&str, Vec<(i64, i32, &Record)>> = BTreeMap::new();
    for (ordinal, object) in objects.iter().enumerate() {
        let mut rejects = 0;
        for (index, record) in object.records.iter().enumerate() {
            if let Some(bytes) = record.value.strip_prefix('!') {
                rejects += 1;
                input.rejects.push(RejectRow {
                    object: ordinal as u32,
                    index: index as u64,
                    offset: 0,
                    reason: "it begins with `!`".to_string(),
                    bytes: bytes.as_bytes().to_vec(),
                    truncated: false,
                });
                continue;
            }
            tables.entry(record.table).or_default().push((ordinal as i64, index as i32, record));
        }
        input.objects.push(ledger_row(object, rejects));
    }
    let mut part = PartRows::default();
    for (table, records) in tables {
        part.records.push((table.to_string(), vec![rows(&records)]));
    }
    let notes: Vec<String> =
        objects.iter().map(|object| format!("note of {}", object.key)).collect();
    let ordinals = Int64Array::from_iter_values(0..objects.len() as i64);
    let columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(notes)), Arc::new(ordinals)];
    let notes = RecordBatch::try_new(note_schema(), columns).unwrap();
    part.plain.push(("notes".to_string(), vec![notes]));
    input.parts.push(RoundPart::Held(part));
    input
}

fn ledger_row(object: &Object, rejects: u64) -> ObjectRow {
    let content = format!("{:?}", object.records);
    ObjectRow {
        object_key: object.key.clone(),
        logical_key: object.key.clone(),
        size_bytes: content.len() as u64,
        etag: Some(object.etag.clone()),
        modified_at: Some(start()),
        version_id: None,
        sha256: Some(hash(&format!("gz {content}"))),
        inflated_sha256: Some(hash(&content)),
        kind: Some("events".to_string()),
        account: None,
        region: None,
        delivered_at: Some(start()),
        records: object.records.len() as u64,
        rejects,
        deselected: 0,
        counts: Counts::default(),
        first_event_at: Some(start()),
        last_event_at: None,
        state: ObjectState::Read,
        copy_of: None,
        detail: None,
    }
}

/// The lake in `disk`, whatever the folder, made where there is none.
pub async fn lake(disk: &Disk) -> Lake {
    Lake::open_or_create_with(&disk.location, disk.options()).await.unwrap()
}

/// A lake in `disk`, whatever the folder; opening it for writing as `STORE`.
pub async fn writer(disk: &Disk) -> Result<StoreWriter> {
    let lake = Lake::open_or_create_with(&disk.location, disk.options()).await?;
    lake.writer(STORE, &spec(), start()).await
}

pub async fn commit(writer: &StoreWriter, objects: &[Object], n: i64) -> Result<RoundReceipt> {
    writer.commit_round(round(objects), &Words, at(n)).await
}

/// Where a lake is.
#[derive(Clone)]
pub struct Disk {
    pub location: String,
    pub options: OpenOptions,
    memory: Option<Arc<InMemory>>,
    _folder: Arc<tempfile::TempDir>,
}

impl Disk {
    /// A folder of its own, never synced: tests that lose no power need none.
    pub fn folder() -> Disk {
        let folder = tempfile::tempdir().unwrap();
        let location = folder.path().join("lake").to_str().unwrap().to_string();
        let fsync = Arc::new(NoFsync);
        let options = OpenOptions { fsync, ..OpenOptions::default() };
        Disk { location, options, memory: None, _folder: Arc::new(folder) }
    }

    /// Memory, shared by whoever clones the disk.
    pub fn memory() -> Disk {
        Disk::of(Arc::new(InMemory::new()))
    }

    /// A disk that is this memory.
    pub fn of(memory: Arc<InMemory>) -> Disk {
        let inner = memory.clone();
        let mut disk = Disk::folder().wrapped(Arc::new(move |_| inner.clone()));
        std::fs::create_dir(&disk.location).unwrap(); // a lake is looked for in a folder
        disk.memory = Some(memory);
        disk
    }

    /// A bucket in memory: all that a lake in S3 does, without the wire.
    pub fn bucket() -> Disk {
        Disk::bucket_of(Arc::new(InMemory::new()))
    }

    fn bucket_of(memory: Arc<InMemory>) -> Disk {
        let mut disk = Disk::in_bucket(memory.clone());
        disk.memory = Some(memory);
        disk
    }

    /// A lake in this bucket.
    pub fn in_bucket(bucket: Arc<dyn ObjectStore>) -> Disk {
        let mut disk = Disk::folder();
        disk.location = "s3://home".to_string();
        disk.options.bucket = Some(bucket);
        disk
    }

    /// A copy of a disk or bucket in memory, as it is now.
    pub fn fork(&self) -> Disk {
        let copy = Arc::new(self.objects().fork());
        match self.options.bucket {
            Some(_) => Disk::bucket_of(copy),
            None => Disk::of(copy),
        }
    }

    /// What a disk in memory is made of.
    pub fn objects(&self) -> &InMemory {
        self.memory.as_ref().unwrap()
    }

    /// Whether there is such an object on a disk in memory.
    pub async fn holds(&self, path: &str) -> bool {
        self.objects().head(&path.into()).await.is_ok()
    }

    /// The bytes of an object.
    pub async fn bytes(&self, path: &str) -> Vec<u8> {
        self.objects().get(&path.into()).await.unwrap().bytes().await.unwrap().to_vec()
    }

    /// Puts bytes where nobody expects them.
    pub async fn put(&self, path: &str, bytes: impl Into<PutPayload>) {
        self.objects().put(&path.into(), bytes.into()).await.unwrap();
    }

    /// Removes an object, which must be there.
    pub async fn delete(&self, path: &str) {
        assert!(self.holds(path).await, "there is no `{path}`");
        self.objects().delete(&path.into()).await.unwrap();
    }

    /// The paths of all objects under a folder, sorted.
    pub async fn paths(&self, folder: &str) -> Vec<String> {
        let found: Vec<ObjectMeta> =
            self.objects().list(Some(&folder.into())).try_collect().await.unwrap();
        sorted(found.into_iter().map(|meta| meta.location.to_string()))
    }

    /// The same disk behind something.
    pub fn wrapped(&self, outer: Wrap) -> Disk {
        let mut disk = self.clone();
        let inner = self.options.wrap.clone();
        disk.options.wrap = Some(Arc::new(move |objects| match &inner {
            Some(inner) => outer(inner(objects)),
            None => outer(objects),
        }));
        disk
    }

    fn options(&self) -> OpenOptions {
        self.options.clone()
    }
}

#[derive(Debug)]
pub struct NoFsync;

impl traillake_store::Fsync for NoFsync {
    fn file(&self, _: &std::fs::File, _: &std::path::Path) -> std::io::Result<()> {
        Ok(())
    }

    fn folder(&self, _: &std::path::Path) -> std::io::Result<()> {
        Ok(())
    }
}

/// The path of a commit of the store.
pub fn commit_path(table: &str, version: u64) -> String {
    format!("stores/{STORE}/{table}/_delta_log/{version:020}.json")
}

/// What a reader sees.
pub async fn read(disk: &Disk) -> StoreSnapshot {
    try_read(disk).await.unwrap()
}

/// What a reader sees, or hears.
pub async fn try_read(disk: &Disk) -> Result<StoreSnapshot> {
    read_at(disk, None).await
}

/// What a reader sees of an older state, or hears.
pub async fn read_at(disk: &Disk, at: Option<At>) -> Result<StoreSnapshot> {
    let lake = Lake::open_with(&disk.location, disk.options()).await?;
    lake.store(STORE).await?.snapshot(at).await
}

/// All rows of a table, read from its files.
pub async fn table_rows(table: &TableSnapshot) -> Vec<RecordBatch> {
    let mut rows = Vec::new();
    for file in table.files().await.unwrap().iter() {
        let bytes = table.object_store().get(&file.path).await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes.len() as u64, file.size, "`{}` is not of its size", file.path);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
        let batches: Vec<RecordBatch> = reader.map(|batch| batch.unwrap()).collect();
        let count: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        assert_eq!(count, file.rows, "`{}` has other rows than the log says", file.path);
        rows.extend(batches);
    }
    rows
}

/// Asserts that a reader of `disk` sees exactly these objects, each once, with all they brought.
/// `token` is returned.
pub async fn check_truth(disk: &Disk, objects: &[&Object]) -> i64 {
    let token = check_snapshot(&read(disk).await, objects).await;
    let audit = audit(disk, true).await;
    assert!(audit.is_sound(), "a sound lake: {}", told(&audit));
    token
}

/// What an audit of `disk` finds; with every row read or not.
pub async fn audit(disk: &Disk, reads_data: bool) -> Audit {
    let proof: Option<Arc<dyn Proof>> = if reads_data { Some(Arc::new(Words)) } else { None };
    let options = AuditOptions { proof };
    Lake::audit(&disk.location, disk.options(), &spec(), &options).await.unwrap()
}

/// The findings, a line each.
pub fn told(audit: &Audit) -> String {
    let lines = audit.findings.iter().map(|f| format!("{:?} {f}", f.grade));
    lines.collect::<Vec<_>>().join("\n")
}

pub async fn check_snapshot(snapshot: &StoreSnapshot, objects: &[&Object]) -> i64 {
    let ledger = Ledger::of(snapshot).await;
    let expected: Vec<String> = sorted(objects.iter().map(|object| object.key.clone()));
    assert_eq!(sorted(ledger.keys.iter().cloned()), expected, "objects in the ledger");
    assert_eq!(unique(&ledger.ids), ledger.ids.len(), "object ids are used once");
    assert_eq!(ledger.records, ledger.settled, "records = stored + duplicates + …");

    let mut identities = BTreeSet::new();
    for record in objects.iter().flat_map(|object| &object.records) {
        if !record.value.starts_with('!') {
            identities.insert((record.table, record.id.clone(), micros(record)));
        }
    }
    let mut rows = 0;
    for table in ["events", "extras"] {
        let mut seen = BTreeSet::new();
        for batch in table_rows(snapshot.table(table).unwrap()).await {
            let ids = batch.column_by_name("id").unwrap().as_string::<i32>().clone();
            let times = batch.column_by_name("at").unwrap();
            let times = times.as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
            let of = batch.column_by_name("_object").unwrap().as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                let identity = (table, ids.value(row).to_string(), times.value(row));
                assert!(seen.insert(identity.clone()), "{identity:?} is stored twice");
                assert!(ledger.ids.contains(&of.value(row)), "{identity:?} has no object");
                rows += 1;
            }
        }
        let expected = identities.iter().filter(|(of, ..)| *of == table).cloned().collect();
        assert_eq!(seen, expected, "identities in `{table}`");
    }
    assert_eq!(rows, ledger.stored, "rows and stored");
    for (table, count) in [("variants", ledger.variants), ("rejects", ledger.rejects)] {
        let rows = table_rows(snapshot.table(table).unwrap()).await;
        let rows: usize = rows.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows as i64, count, "rows of `{table}`");
    }
    let notes = table_rows(snapshot.table("notes").unwrap()).await;
    let notes: usize = notes.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(notes, ledger.read, "notes: one for every object that was read");
    snapshot.token
}

fn sorted(keys: impl Iterator<Item = String>) -> Vec<String> {
    let mut keys: Vec<String> = keys.collect();
    keys.sort();
    keys
}

fn unique(ids: &[i64]) -> usize {
    ids.iter().collect::<BTreeSet<_>>().len()
}
