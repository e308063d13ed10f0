//! Folds of larger files than the scenarios make.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit, TimestampMicrosecondType};
use chrono::DateTime;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use traillake_testkit::random::Random;

use super::fold::{Kept, fold, fold_within};
use super::input::Input;
use super::memory::Memory;
use super::plan::{Group, Piece};
use crate::data_file::{self, DataFile};
use crate::snapshot::LiveFile;
use crate::spec::TableSpec;

const FILES: usize = 3;
const ROWS: usize = 9_000;
const MONTH: Option<&str> = Some("1970-01");

/// Names with a time; the table has an order by time or only one by name.
fn table(by_time: bool) -> TableSpec {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = Schema::new(vec![
        Field::new("name", DataType::Utf8, true),
        Field::new("at", time, true),
        Field::new("text", DataType::Utf8, false),
    ]);
    TableSpec {
        name: "names",
        schema: Arc::new(schema),
        partition: Some("month"),
        time_column: by_time.then_some("at"),
        sort: &["name"],
        bloom: &[],
        stats: &["name"],
        identity: None,
    }
}

/// Row `n` of all files: every tenth has no name.
fn name(n: usize) -> Option<String> {
    (!n.is_multiple_of(10)).then(|| format!("{:06}", n * 7_919 % 100_000))
}

/// One of the files: every third row.
fn rows(file: usize, table: &TableSpec) -> RecordBatch {
    let of = || (0..ROWS).map(move |n| n * FILES + file);
    let times = of().map(|n| n as i64 * 1_000_000 / 10);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(of().map(name).collect::<StringArray>()),
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
        Arc::new(StringArray::from_iter_values(of().map(|n| format!("text of {n}")))),
    ];
    RecordBatch::try_new(table.schema.clone(), columns).unwrap()
}

async fn folded(table: &TableSpec, cut: Option<i64>, memory: usize) -> Vec<(DataFile, Read)> {
    let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let folder = Path::from("names");
    let mut inputs: Vec<LiveFile> = Vec::new();
    for file in 0..FILES {
        let rows = vec![rows(file, table)];
        inputs.push(data_file::write(&objects, &folder, table, MONTH, rows).await.unwrap().file);
    }
    let group = group(&inputs, cut, 60_000);
    let written =
        fold(&objects, &folder, table, &group, &inputs, memory, &Kept::All).await.unwrap();
    let mut read = Vec::new();
    for file in written {
        let bytes = objects.get(&file.file.path).await.unwrap().bytes().await.unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        let groups = reader.metadata().num_row_groups();
        let batches = reader.with_batch_size(1 << 20).build().unwrap();
        let batches = batches.map(|batch| batch.unwrap()).collect();
        read.push((file, Read { groups, batches }));
    }
    read
}

fn group(inputs: &[LiveFile], cut: Option<i64>, file_bytes: u64) -> Group {
    let piece = |file: &LiveFile| Piece {
        path: file.path.clone(),
        partition: file.partition.clone(),
        size: file.size,
        rows: file.rows,
        rewrites: 0,
        span: None,
        added_at: DateTime::UNIX_EPOCH,
    };
    let inputs = inputs.iter().map(piece).collect();
    Group { partition: MONTH.map(str::to_string), inputs, rewrites: 1, cut, file_bytes }
}

struct Read {
    groups: usize,
    batches: Vec<RecordBatch>,
}

impl Read {
    fn texts(&self, column: &str) -> Vec<Option<String>> {
        let of = |batch: &RecordBatch| {
            let column = batch.column_by_name(column).unwrap().as_string::<i32>().clone();
            column.iter().map(|text| text.map(str::to_string)).collect::<Vec<_>>()
        };
        self.batches.iter().flat_map(of).collect()
    }

    fn times(&self) -> Vec<i64> {
        let of = |batch: &RecordBatch| {
            let times = batch.column_by_name("at").unwrap().clone();
            times.as_primitive::<TimestampMicrosecondType>().values().to_vec()
        };
        self.batches.iter().flat_map(of).collect()
    }
}

fn check_all_there(files: &[(DataFile, Read)]) {
    let mut texts: Vec<_> = files.iter().flat_map(|(_, read)| read.texts("text")).collect();
    texts.sort();
    let mut expected: Vec<_> = (0..FILES * ROWS).map(|n| Some(format!("text of {n}"))).collect();
    expected.sort();
    assert!(texts == expected, "{} rows", texts.len());
    for (file, read) in files {
        let nulls = read.texts("name").iter().filter(|name| name.is_none()).count();
        assert_eq!(file.file.stats("name").unwrap().nulls, Some(nulls as u64));
        assert_eq!(file.file.rows, read.times().len() as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_without_a_time_stay_in_their_order_across_pages_slices_and_files() {
    for memory in [64 << 20, 1 << 20] {
        let files = folded(&table(false), None, memory).await;
        check_all_there(&files);
        let groups: usize = files.iter().map(|(_, read)| read.groups).sum();
        assert_eq!(groups > 1, memory == 1 << 20, "{groups} slices");
        let names: Vec<_> = files.iter().flat_map(|(_, read)| read.texts("name")).collect();
        assert!(names.is_sorted_by_key(|name| (name.is_none(), name.clone())));
        assert!(names.last().unwrap().is_none() && names[0].is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_with_a_time_follow_one_another_and_late_rows_stand_apart() {
    for (memory, cut) in [(64 << 20, None), (1 << 18, None), (64 << 20, Some(500_000_000))] {
        let files = folded(&table(true), cut, memory).await;
        check_all_there(&files);
        let spans: Vec<(i64, i64)> = files
            .iter()
            .map(|(_, read)| {
                let times = read.times();
                (*times.iter().min().unwrap(), *times.iter().max().unwrap())
            })
            .collect();
        assert!(spans.windows(2).all(|pair| pair[0].1 < pair[1].0), "{spans:?}");
        match (cut, memory) {
            // The parts of a fold's time are as fine as its span allows: 42 ms here.
            (Some(cut), _) => {
                assert_eq!(files.len(), 2);
                assert!((cut - 150_000..cut).contains(&spans[0].1), "{spans:?}");
            }
            (None, 262_144) => assert!(files.len() > 1, "{spans:?}"),
            (None, _) => assert_eq!((files.len(), files[0].1.groups), (1, 1)),
        }
    }
}

/// Files of large rows: how many, rows of each, how many of those are large (the last, the others are
/// small), bytes of one, whether all are of one text (of which a file has one in a dictionary), and
/// microseconds from a row to the next.
#[derive(Debug, Clone, Copy)]
struct Large {
    files: usize,
    rows: usize,
    large: usize,
    bytes: usize,
    alike: bool,
    apart: i64,
}

impl Large {
    fn text(self, row: usize, random: &mut Random) -> String {
        let letter = |random: &mut Random| char::from(b'a' + random.below(26) as u8);
        let bytes = if row + self.large < self.rows { 10 } else { self.bytes };
        match self.alike {
            true => "t".repeat(bytes),
            false => (0..bytes).map(|_| letter(random)).collect(),
        }
    }

    /// Rows of a file; in the order of names they alternate with those of all others.
    fn rows(self, file: usize, table: &TableSpec) -> RecordBatch {
        let mut random = Random::new(file as u64);
        let of = || (0..self.rows).map(move |row| row * self.files + file);
        let times = of().map(|n| n as i64 * self.apart);
        let texts = (0..self.rows).map(|row| self.text(row, &mut random));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(of().map(|n| format!("{n:06}")))),
            Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
            Arc::new(StringArray::from_iter_values(texts)),
        ];
        RecordBatch::try_new(table.schema.clone(), columns).unwrap()
    }
}

/// Folds such files with so much memory for rows; the most that was in memory, how many files they
/// have become, and how many slices these have.
async fn check_memory(large: Large, by_time: bool, limit: usize) -> (usize, usize, usize) {
    let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (folder, table, memory) = (Path::from("names"), table(by_time), Memory::of(limit));
    let mut inputs: Vec<LiveFile> = Vec::new();
    let mut expected = Vec::new();
    for file in 0..large.files {
        let rows = vec![large.rows(file, &table)];
        expected.extend(Read { groups: 0, batches: rows.clone() }.texts("name"));
        inputs.push(data_file::write(&objects, &folder, &table, MONTH, rows).await.unwrap().file);
    }
    let group = group(&inputs, None, u64::MAX);
    let written = fold_within(&objects, &folder, &table, &group, &inputs, &memory, &Kept::All);
    let written = written.await.unwrap();
    let (mut found, mut slices) = (Vec::new(), 0);
    for file in &written {
        let bytes = objects.get(&file.file.path).await.unwrap().bytes().await.unwrap();
        let opened = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        slices += opened.metadata().num_row_groups();
        let reader = opened.build().unwrap();
        let batches: Vec<RecordBatch> = reader.map(|batch| batch.unwrap()).collect();
        found.extend(Read { groups: 0, batches }.texts("name"));
    }
    if !by_time {
        assert!(found.is_sorted(), "{large:?}");
    }
    expected.sort();
    found.sort();
    assert!(found == expected, "{large:?}: {} rows", found.len());
    (memory.most(), written.len(), slices)
}

/// Minutes of a month are hundreds of files, and late events make each of them reach over weeks: a
/// slice has a few rows of each.
#[tokio::test(flavor = "multi_thread")]
async fn files_with_few_rows_of_a_time_take_no_room_for_more() {
    let minutes = Large { files: 200, rows: 20, large: 0, bytes: 10, alike: false, apart: 1_000 };
    let (most, _, slices) = check_memory(minutes, true, 2_000_000).await;
    assert!(most < 1_000_000, "{most} bytes for 4,000 rows");
    assert_eq!(slices, 1);
}

/// Of long texts that repeat a file has each once and no statistics: only its pages tell how large
/// they are in rows. Taken at their worst they came a row at a time, and a month took an hour.
#[tokio::test(flavor = "multi_thread")]
async fn long_texts_that_repeat_are_read_many_rows_at_a_time() {
    let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let table = table(true);
    let mut columns = rows(0, &table).columns().to_vec();
    columns[2] = Arc::new(StringArray::from_iter_values(
        (0..ROWS).map(|n| format!("{:0200}", n % (ROWS / 9))),
    ));
    let rows = vec![RecordBatch::try_new(table.schema.clone(), columns).unwrap()];
    let folder = Path::from("names");
    let written = data_file::write(&objects, &folder, &table, MONTH, rows).await.unwrap();
    let input = Input::open(&objects, &table, &written.file).await.unwrap();
    let mut batches = input.batches(&(i64::MIN..i64::MAX), 256 << 10);
    let (row_bytes, mut read) = (200 + 6 + 3 * 8, 0);
    while let Some(batch) = batches.next().await.unwrap() {
        read += batch.num_rows();
        let fitting = (256 << 10) / row_bytes;
        assert!(batch.num_rows() * 2 > fitting || read == ROWS, "{} rows", batch.num_rows());
        assert!(batch.num_rows() < 2 * fitting, "{} rows", batch.num_rows());
    }
    assert_eq!(read, ROWS);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_holds_whatever_rows_are() {
    let rejects =
        Large { files: 24, rows: 15, large: 15, bytes: 10_000, alike: false, apart: 1_000_000 };
    let small = Large { files: 40, rows: 500, large: 0, bytes: 10, ..rejects };
    let some = Large { files: 3, rows: 4000, large: 60, bytes: 50_000, ..rejects };
    let repeated = Large { files: 2, rows: 600, large: 600, bytes: 20_000, alike: true, ..rejects };
    let instant = Large { apart: 0, ..repeated };
    // What there is room for is a part of what there is, in some less than a row of each file.
    for (large, by_time, limit) in [
        (rejects, false, 1_000_000),
        (rejects, false, 100_000),
        (rejects, true, 200_000),
        (small, false, 400_000),
        (some, false, 1_500_000),
        (repeated, false, 1_000_000),
        (repeated, true, 1_000_000),
        (instant, true, 1_000_000),
    ] {
        let (most, files, _) = check_memory(large, by_time, limit).await;
        // A batch has an eighth of the room, or one row, and a buffer twice what is in it; where rows
        // of a page differ, what the page has at most.
        let page = if (1..large.rows).contains(&large.large) { 1 << 20 } else { 0 };
        let batch = 2 * (limit / 8).max(large.bytes + 1_000) + page;
        assert!(most <= limit + batch, "{large:?}: {most} bytes, {limit} are allowed");
        assert!(most >= limit / 4, "{large:?}: {most} bytes of {limit} are used");
        // Slices of a file are disjoint in time: one instant that is too much is several files.
        let split = by_time && large.apart == 0;
        assert_eq!(files > 1, split, "{large:?}: {files} files");
    }
}
