//! From the unsorted rows of one table and one partition to one Parquet file.
//!
//! A file is a run of *slices*, one row group each. Slices are disjoint in the table's time column,
//! so a query for an hour reads one of them; inside a slice rows are sorted by name-like columns, so
//! values that are alike stand together and pages can be skipped. The file leaves the process while
//! it is being made: one row group is in memory at a time.

mod column;
mod encoder;
mod reader;
mod slices;
mod statistics;
#[cfg(test)]
mod tests;
mod texts;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use xxhash_rust::xxh3::Xxh3Default;

use crate::error::{Error, Result};
use crate::layout;
use crate::snapshot::LiveFile;
use crate::spec::TableSpec;

use encoder::Encoder;
pub(crate) use reader::{Footer, OpenFile, open, open_whole};
pub(crate) use slices::SLICE_ROWS;
pub(crate) use statistics::{
    merge as merge_statistics, of as statistics_of, to_delta_json as statistics_json,
};
pub(crate) use writer::FileWriter;

type Sender = mpsc::Sender<Result<Bytes>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A data file that is written and durable, and that no snapshot shows yet.
#[derive(Debug, Clone)]
pub(crate) struct DataFile {
    /// The file as a snapshot will show it.
    pub file: LiveFile,
    /// Its statistics in the JSON of a Delta `add` action.
    pub stats: String,
    /// What its bytes hash to; none for a file that was written long ago.
    pub checksum: Option<String>,
}

/// The checksum of a file as the log keeps it: XXH3 of all its bytes, 128 bits in hexadecimal. It is
/// for finding damage, not for proving anything to anybody.
pub(crate) fn checksum(hash: &Xxh3Default) -> String {
    format!("{:032x}", hash.digest128())
}

/// The checksum of a file as it is now.
///
/// # Errors
/// When it cannot be read.
pub(crate) async fn checksum_of(objects: &Arc<dyn ObjectStore>, path: &Path) -> Result<String> {
    let failed = |error| Error::storage(format!("read `{path}`"), error);
    let mut pieces = objects.get(path).await.map_err(failed)?.into_stream();
    let mut hash = Xxh3Default::new();
    while let Some(piece) = pieces.try_next().await.map_err(failed)? {
        hash.update(&piece);
    }
    Ok(checksum(&hash))
}

/// Writes `rows` as one file under `folder`, sorted, and returns it with its statistics.
///
/// `partition` is the value of the table's partition column, none for null or for a table without
/// one. The rows all belong to it; the caller sees to that (see [`by_month`]).
///
/// # Errors
/// [`Error::Input`] for rows that are not the table's, [`Error::Storage`] when writing fails; no
/// file is left visible then, though an object may be left behind for vacuum.
pub(crate) async fn write(
    objects: &Arc<dyn ObjectStore>,
    folder: &Path,
    table: &TableSpec,
    partition: Option<&str>,
    rows: Vec<RecordBatch>,
) -> Result<DataFile> {
    let path = layout::data_file(folder, table.partition.map(|column| (column, partition)), 0);
    let columns = statistics::of(table, &rows)?;
    let count = rows.iter().map(|batch| batch.num_rows() as u64).sum();

    let (sender, receiver) = mpsc::channel(1);
    let spec = table.clone();
    let encoder = tokio::task::spawn_blocking(move || {
        if let Err(error) = encode(&spec, &rows, &sender) {
            // The other side is gone only when the upload failed, and that is the error to report.
            let _ = sender.blocking_send(Err(error));
        }
    });
    let (size, hash) = upload(objects, &path, receiver, encoder).await?;

    let stats = statistics::to_delta_json(count, &columns);
    let partition = partition.map(str::to_string);
    let file = LiveFile { path, size, rows: count, partition, stats: columns.into() };
    Ok(DataFile { file, stats, checksum: Some(hash) })
}

/// Splits rows by the month of the table's time column. A table without partitions is one entry,
/// `None`; so are rows without a time.
///
/// # Errors
/// [`Error::Input`] when the time column is missing or of another type.
pub(crate) fn by_month(
    table: &TableSpec,
    rows: Vec<RecordBatch>,
) -> Result<BTreeMap<Option<String>, Vec<RecordBatch>>> {
    let (Some(_), Some(time_column)) = (table.partition, table.time_column) else {
        return Ok(if rows.is_empty() { BTreeMap::new() } else { BTreeMap::from([(None, rows)]) });
    };
    let mut months: BTreeMap<Option<String>, Vec<RecordBatch>> = BTreeMap::new();
    for batch in rows.into_iter().filter(|batch| batch.num_rows() > 0) {
        let times = column(table, &batch, time_column)?
            .as_primitive_opt::<TimestampMicrosecondType>()
            .ok_or_else(|| not_of(table, time_column))?;
        let of_rows = MonthRuns::of(times.iter());
        if let [month] = of_rows.distinct.as_slice() {
            months.entry(month.clone()).or_default().push(batch);
            continue;
        }
        for (number, month) in of_rows.distinct.iter().enumerate() {
            let mask: BooleanArray =
                of_rows.rows.iter().map(|of_row| Some(*of_row as usize == number)).collect();
            let part = filter_record_batch(&batch, &mask)
                .map_err(|e| input(table, format!("rows cannot be split by month: {e}")))?;
            months.entry(month.clone()).or_default().push(part);
        }
    }
    Ok(months)
}

/// The months of a batch's rows.
struct MonthRuns {
    distinct: Vec<Option<String>>,
    /// For each row its place in `distinct`.
    rows: Vec<u32>,
}

impl MonthRuns {
    fn of(times: impl Iterator<Item = Option<i64>>) -> MonthRuns {
        const DAY: i64 = 86_400_000_000;
        let mut runs = MonthRuns { distinct: Vec::new(), rows: Vec::new() };
        let mut by_day: BTreeMap<Option<i64>, u32> = BTreeMap::new();
        let mut last: Option<(Option<i64>, u32)> = None;
        for time in times {
            let day = time.map(|micros| micros.div_euclid(DAY));
            let number = match last {
                Some((last_day, number)) if last_day == day => number,
                _ => *by_day.entry(day).or_insert_with(|| {
                    let month = time.map(month_of);
                    let known = runs.distinct.iter().position(|other| *other == month);
                    known.unwrap_or_else(|| {
                        runs.distinct.push(month);
                        runs.distinct.len() - 1
                    }) as u32
                }),
            };
            last = Some((day, number));
            runs.rows.push(number);
        }
        runs
    }
}

/// The month of a time in microseconds since 1970, `YYYY-MM`. Times beyond what a calendar holds
/// fall into its first or last month.
pub(crate) fn month_of(micros: i64) -> String {
    let limit = if micros < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    DateTime::from_timestamp_micros(micros).unwrap_or(limit).format("%Y-%m").to_string()
}

/// Sorts, slices and encodes, sending the file's bytes piece by piece.
fn encode(table: &TableSpec, rows: &[RecordBatch], sender: &Sender) -> Result<()> {
    let slices = slices::plan(table, rows)?;
    let in_order = slices.len() <= 1 || table.time_column.is_none();
    let mut encoder = Encoder::new(table, in_order)?;
    for slice in &slices {
        send(sender, encoder.slice(rows, slice)?)?;
    }
    send(sender, encoder.finish()?)
}

fn send(sender: &Sender, bytes: Vec<u8>) -> Result<()> {
    sender.blocking_send(Ok(bytes.into())).map_err(|e| Error::storage("hand over encoded rows", e))
}

/// Writes the pieces as they come; returns size and checksum. The file becomes an object only when
/// all of them are there.
async fn upload(
    objects: &Arc<dyn ObjectStore>,
    path: &Path,
    mut pieces: mpsc::Receiver<Result<Bytes>>,
    encoder: JoinHandle<()>,
) -> Result<(u64, String)> {
    let failed = |e: BoxError| Error::storage(format!("write `{path}`"), e);
    let mut writer = BufWriter::new(objects.clone(), path.clone());
    let mut size = 0;
    let mut hash = Xxh3Default::new();
    let mut written = Ok(());
    while let (Ok(()), Some(piece)) = (&written, pieces.recv().await) {
        written = match piece {
            Ok(bytes) => {
                size += bytes.len() as u64;
                hash.update(&bytes);
                writer.put(bytes).await.map_err(|e| failed(e.into()))
            }
            Err(error) => Err(error),
        };
    }
    drop(pieces);
    let encoded = encoder.await.map_err(|e| failed(e.into()));
    if let Err(error) = written.and(encoded) {
        // Best effort: vacuum takes what is left.
        let _ = writer.abort().await;
        return Err(error);
    }
    writer.shutdown().await.map_err(|e| failed(e.into()))?;
    Ok((size, checksum(&hash)))
}

/// The column of that name, an [`Error::Input`] when the batch has none.
fn column<'a>(table: &TableSpec, batch: &'a RecordBatch, name: &str) -> Result<&'a Arc<dyn Array>> {
    batch.column_by_name(name).ok_or_else(|| input(table, format!("column `{name}` is missing")))
}

fn not_of(table: &TableSpec, name: &str) -> Error {
    input(table, format!("column `{name}` is not of the table's type"))
}

fn input(table: &TableSpec, reason: String) -> Error {
    Error::Input { reason: format!("table `{}`: {reason}", table.name) }
}
