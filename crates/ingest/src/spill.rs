//! Rows of an object larger than a round, set aside until the round is complete.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use traillake_cloudtrail::{Batch, Kind};
use traillake_store::{PartRows, SpilledPart};

use crate::error::{Error, Result};
use crate::source::Spool;

/// Name of the column that says which object a row comes from.
const OBJECT: &str = "_object";

/// Rows on disk, as Arrow IPC streams in one zstd frame a kind.
#[derive(Debug)]
pub(crate) struct SpilledRows {
    files: Vec<(Kind, Spool)>,
}

/// Sets rows aside.
///
/// # Errors
/// When the temporary folder cannot take them.
pub(crate) fn spill(batches: Vec<Batch>, temp_dir: &Path) -> Result<SpilledRows> {
    let mut files = Vec::new();
    for (kind, batches) in by_kind(batches) {
        let written = Spool::write(temp_dir, |output| write_batches(output, kind, &batches));
        let (spool, ()) = written
            .map_err(|source| Error::Temporary { folder: temp_dir.to_path_buf(), source })?;
        files.push((kind, spool));
    }
    Ok(SpilledRows { files })
}

/// Groups batches by their kind, order kept.
pub(crate) fn by_kind(batches: Vec<Batch>) -> BTreeMap<Kind, Vec<RecordBatch>> {
    let mut kinds: BTreeMap<Kind, Vec<RecordBatch>> = BTreeMap::new();
    for batch in batches {
        kinds.entry(batch.kind).or_default().push(batch.rows);
    }
    kinds
}

fn write_batches(
    output: &mut dyn io::Write,
    kind: Kind,
    batches: &[RecordBatch],
) -> io::Result<()> {
    // Rows are nine tenths JSON text; at this level zstd is faster than the disk.
    let mut output = zstd::Encoder::new(output, 1)?;
    let schema = batches.first().map_or_else(|| kind.schema(), RecordBatch::schema);
    let mut writer = StreamWriter::try_new(&mut output, &schema).map_err(io::Error::other)?;
    for batch in batches {
        writer.write(batch).map_err(io::Error::other)?;
    }
    writer.finish().map_err(io::Error::other)?;
    drop(writer);
    output.finish().map(|_| ())
}

/// A part of a round whose rows wait on disk.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) rows: SpilledRows,
    pub(crate) ordinals: Ordinals,
}

impl SpilledPart for Part {
    fn load(&self) -> io::Result<PartRows> {
        let mut part = PartRows::default();
        for (kind, spool) in &self.rows.files {
            let input = zstd::Decoder::new(spool.reader())?;
            let reader = StreamReader::try_new(input, None).map_err(io::Error::other)?;
            let batches = reader
                .map(|batch| self.ordinals.apply(&batch?))
                .collect::<Result<Vec<_>, _>>()
                .map_err(io::Error::other)?;
            push(&mut part, *kind, batches);
        }
        Ok(part)
    }
}

/// Adds batches of one kind to a part.
pub(crate) fn push(part: &mut PartRows, kind: Kind, batches: Vec<RecordBatch>) {
    let tables = match kind {
        Kind::Digest => &mut part.plain,
        Kind::Events | Kind::Insights | Kind::Aggregated => &mut part.records,
    };
    match tables.iter_mut().find(|(table, _)| table == kind.table()) {
        Some((_, present)) => present.extend(batches),
        None => tables.push((kind.table().to_owned(), batches)),
    }
}

/// From the number of an object in its chunk to its ordinal in the round; nothing for an object
/// that is not part of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ordinals(pub(crate) Vec<Option<i64>>);

impl Ordinals {
    /// Returns the rows with ordinals in `_object`, without those of objects that have none.
    pub(crate) fn apply(&self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let index = rows.schema().index_of(OBJECT)?;
        let numbers = rows
            .column(index)
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(|| ArrowError::SchemaError(format!("column `{OBJECT}` is not int64")))?;
        let ordinals: Int64Array =
            numbers.values().iter().map(|number| self.ordinal(*number)).collect();
        let kept = arrow::compute::is_not_null(&ordinals)?;
        let complete = Int64Array::new(ordinals.values().clone(), None);
        let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
        columns[index] = Arc::new(complete);
        let rows = RecordBatch::try_new(rows.schema(), columns)?;
        if kept.true_count() == kept.len() { Ok(rows) } else { filter_record_batch(&rows, &kept) }
    }

    fn ordinal(&self, number: i64) -> Option<i64> {
        usize::try_from(number).ok().and_then(|number| self.0.get(number).copied().flatten())
    }
}
