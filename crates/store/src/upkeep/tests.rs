//! Folds of larger files than the scenarios make.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit, TimestampMicrosecondType};
use chrono::DateTime;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::fold::{Kept, fold};
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
    let piece = |file: &LiveFile| Piece {
        path: file.path.clone(),
        partition: file.partition.clone(),
        size: file.size,
        rows: file.rows,
        rewrites: 0,
        span: None,
        added_at: DateTime::UNIX_EPOCH,
    };
    let inputs_of = inputs.iter().map(piece).collect();
    let partition = MONTH.map(str::to_string);
    let group = Group { partition, inputs: inputs_of, rewrites: 1, cut, file_bytes: 60_000 };
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
    for (memory, cut) in [(64 << 20, None), (1 << 20, None), (64 << 20, Some(500_000_000))] {
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
            (None, 1_048_576) => assert!(files.len() > 1, "{spans:?}"),
            (None, _) => assert_eq!((files.len(), files[0].1.groups), (1, 1)),
        }
    }
}
