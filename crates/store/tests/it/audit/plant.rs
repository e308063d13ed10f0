//! How damage is planted on a disk in memory.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::Int64Type;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use traillake_testkit::damage;

use crate::world::{Disk, commit_path};

/// The data files of a table, in the order of the rounds that added them.
pub async fn data(disk: &Disk, table: &str) -> Vec<String> {
    let mut files = Vec::new();
    for version in 1.. {
        let path = commit_path(table, version);
        if !disk.holds(&path).await {
            break;
        }
        for action in damage::actions(&disk.bytes(&path).await).unwrap() {
            if let Some(add) = action["add"]["path"].as_str() {
                files.push(format!("stores/default/{table}/{add}"));
            }
        }
    }
    files
}

/// The path of a data file as the log of its table spells it.
pub fn in_log<'a>(table: &str, path: &'a str) -> &'a str {
    path.strip_prefix(&format!("stores/default/{table}/")).unwrap()
}

/// A name of another data file in the same folder.
pub fn second_name(path: &str) -> String {
    let (folder, name) = path.rsplit_once("part-").unwrap();
    format!("{folder}part-00000000{}", &name[8..])
}

/// Changes the actions of a commit.
pub async fn edit(disk: &Disk, path: &str, change: impl FnOnce(&mut Vec<Value>)) {
    let mut actions = damage::actions(&disk.bytes(path).await).unwrap();
    change(&mut actions);
    disk.put(path, damage::commit(&actions)).await;
}

/// Flips a bit in the middle of a part of a file.
pub async fn flip(disk: &Disk, path: &str, share: f64) {
    let bytes = disk.bytes(path).await;
    let at = (bytes.len() as f64 * share) as usize;
    disk.put(path, damage::flipped(&bytes, at)).await;
}

/// Writes a data file anew with other rows; with `covered`, the log says what it says of it then,
/// and nothing of a checksum.
pub async fn alter(
    disk: &Disk,
    table: &str,
    number: usize,
    covered: bool,
    change: impl FnOnce(RecordBatch) -> RecordBatch,
) -> String {
    let path = data(disk, table).await[number].clone();
    let bytes = bytes::Bytes::from(disk.bytes(&path).await);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let rows: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let rows = change(concat_batches(&rows[0].schema(), &rows).unwrap());
    let mut written = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut written, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let (size, count) = (written.len(), rows.num_rows());
    disk.put(&path, written).await;
    let mut version = 0;
    let mut agrees = !covered;
    while !agrees {
        version += 1;
        edit(disk, &commit_path(table, version), |actions| {
            agrees = damage::agree(actions, in_log(table, &path), size, count);
        })
        .await;
    }
    path
}

/// These rows, in this order.
pub fn rows(batch: &RecordBatch, order: &[u32]) -> RecordBatch {
    take_record_batch(batch, &UInt32Array::from(order.to_vec())).unwrap()
}

/// The same rows with other values in a column.
pub fn with(batch: &RecordBatch, column: &str, values: ArrayRef) -> RecordBatch {
    let mut columns = batch.columns().to_vec();
    columns[batch.schema().index_of(column).unwrap()] = values;
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

/// The same rows with so much more in a column.
pub fn more(batch: &RecordBatch, column: &str, by: i64) -> RecordBatch {
    let values = batch.column_by_name(column).unwrap().as_primitive::<Int64Type>();
    with(batch, column, Arc::new(values.iter().map(|v| v.map(|v| v + by)).collect::<Int64Array>()))
}
