//! A file written slice by slice, for rows that do not fit into memory at once.

use std::sync::Arc;

use arrow::array::RecordBatch;
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use tokio::io::AsyncWriteExt;
use xxhash_rust::xxh3::Xxh3Default;

use super::{BoxError, DataFile, Encoder, checksum, slices, statistics};
use crate::error::{Error, Result};
use crate::layout;
use crate::snapshot::{ColumnStats, LiveFile};
use crate::spec::TableSpec;

/// A data file that grows by one slice at a time. What is left behind when it is dropped, vacuum
/// takes.
pub(crate) struct FileWriter {
    table: TableSpec,
    path: Path,
    partition: Option<String>,
    encoder: Encoder,
    upload: BufWriter,
    hash: Xxh3Default,
    size: u64,
    rows: u64,
    stats: Vec<ColumnStats>,
}

impl FileWriter {
    /// A new file under `folder`, of rows that were rewritten `rewrites` times. `in_order` says that
    /// it will be one slice, or that its slices follow one another in the table's order.
    ///
    /// # Errors
    /// When the table has no Parquet schema.
    pub fn create(
        objects: &Arc<dyn ObjectStore>,
        folder: &Path,
        table: &TableSpec,
        partition: Option<&str>,
        rewrites: u32,
        in_order: bool,
    ) -> Result<FileWriter> {
        let of = table.partition.map(|column| (column, partition));
        let path = layout::data_file(folder, of, rewrites);
        Ok(FileWriter {
            table: table.clone(),
            upload: BufWriter::new(objects.clone(), path.clone()),
            path,
            partition: partition.map(str::to_string),
            encoder: Encoder::new(table, in_order)?,
            hash: Xxh3Default::new(),
            size: 0,
            rows: 0,
            stats: Vec::new(),
        })
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds rows as one slice, sorted. They must all be later than those before, or behind them in
    /// the order of a table without a time column; the caller sees to that.
    ///
    /// # Errors
    /// [`Error::Input`] for rows that are not the table's, [`Error::Storage`] when writing fails.
    pub async fn add(mut self, rows: Vec<RecordBatch>) -> Result<FileWriter> {
        let count = rows.iter().map(|batch| batch.num_rows() as u64).sum::<u64>();
        let (table, mut encoder) = (self.table, self.encoder);
        let encoding = tokio::task::spawn_blocking(move || {
            let stats = statistics::of(&table, &rows)?;
            let order = slices::whole(&table, &rows)?;
            let bytes = encoder.slice(&rows, &order)?;
            Ok::<_, Error>((table, encoder, stats, bytes))
        });
        let joined = encoding.await.map_err(|e| failed(&self.path, e.into()))?;
        let (table, encoder, stats, bytes) = joined?;
        (self.table, self.encoder) = (table, encoder);
        self.stats = match self.rows {
            0 => stats,
            before => statistics::merge((before, self.stats), (count, stats)),
        };
        self.rows += count;
        self.size += bytes.len() as u64;
        self.hash.update(&bytes);
        match self.upload.put(bytes.into()).await {
            Ok(()) => Ok(self),
            Err(error) => {
                let _ = self.upload.abort().await; // best effort
                Err(failed(&self.path, error.into()))
            }
        }
    }

    /// Ends the file; only now it is an object.
    ///
    /// # Errors
    /// [`Error::Storage`] when writing fails.
    pub async fn finish(self) -> Result<DataFile> {
        let FileWriter { path, partition, encoder, mut upload, mut hash, rows, stats, .. } = self;
        let bytes = encoder.finish()?;
        let size = self.size + bytes.len() as u64;
        hash.update(&bytes);
        let written = match upload.put(bytes.into()).await {
            Ok(()) => upload.shutdown().await,
            Err(error) => Err(error.into()),
        };
        written.map_err(|e| failed(&path, e.into()))?;
        let json = statistics::to_delta_json(rows, &stats);
        let file = LiveFile { path, size, rows, partition, stats: stats.into() };
        Ok(DataFile { file, stats: json, checksum: Some(checksum(&hash)) })
    }
}

fn failed(path: &Path, error: BoxError) -> Error {
    Error::storage(format!("write `{path}`"), error)
}
