//! An answer: a stream of batches in their final form, and what is to be said beside it.

use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::error::DataFusionError;
use futures::stream::BoxStream;
use traillake_trino::map;

use crate::error::Error;
use crate::late::{LateColumns, Maker};
use crate::meter::Meter;
use crate::notes::{Note, NoteKind};
use crate::scan::{Scan, ScanLog, scans};

/// The state of a store that an answer was read from; `--at` asks for it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotName {
    /// The store.
    pub store: String,
    /// Its last round.
    pub token: i64,
    /// When that was committed; none before the first.
    pub committed_at: Option<DateTime<Utc>>,
}

/// What a query read, so far or in the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Data files of the tables it names.
    pub files_total: u64,
    /// Those left after pruning by the log, and of many files by their Bloom filters.
    pub files_planned: u64,
    /// Those of which a scan read more than the footer: bloom filters, or data.
    pub files_read: u64,
    /// Row groups of opened files that were read.
    pub row_groups_read: u64,
    /// Row groups of opened files that were skipped.
    pub row_groups_skipped: u64,
    /// Pages that were skipped.
    pub pages_skipped: u64,
    /// Rows that were looked at: those that matched and those that did not.
    pub rows_read: u64,
    /// Those of them that met the conditions the scans were handed.
    pub rows_matched: u64,
    /// Bytes received from the storage, footers included. Of a lake in a bucket only what was not
    /// kept here already.
    pub bytes_read: u64,
    /// Requests to the storage, for data.
    pub requests: u64,
    /// Requests to the bucket of the lake to learn what there is; those of queries at the same time
    /// count too. 0 for a lake on a disk.
    pub opening_requests: u64,
}

impl Statistics {
    pub(crate) fn of(scans: &[Scan], meter: &Meter) -> Statistics {
        let mut all = Statistics {
            bytes_read: meter.bytes(),
            requests: meter.requests(),
            opening_requests: meter.opening(),
            ..Statistics::default()
        };
        for scan in scans {
            let reading = scan.reading();
            all.files_total += scan.files as u64;
            all.files_planned += scan.files_kept as u64;
            all.files_read += reading.files;
            all.row_groups_read += reading.row_groups;
            all.row_groups_skipped += reading.row_groups_skipped;
            all.pages_skipped += reading.pages_skipped;
            all.rows_read += reading.rows + reading.rows_unmatched;
            all.rows_matched += reading.rows;
        }
        all
    }
}

/// The answer to a statement. Dropping it cancels the query.
pub struct Answer {
    /// The columns, in their final types: maps are Arrow maps, names are as typed, so that the same
    /// name can stand twice.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: BoxStream<'static, Result<RecordBatch, Error>>,
    /// The state of every store it was read from, the session's first.
    pub snapshots: Vec<SnapshotName>,
    pub(crate) notes: Notes,
    pub(crate) meter: Arc<Meter>,
    pub(crate) scans: ScanLog,
}

/// Notes, gathered while the answer is made.
pub(crate) type Notes = Arc<Mutex<Vec<Note>>>;

impl Answer {
    /// What is to be said beside the rows. Why an answer may be empty is known only after the last
    /// batch.
    pub fn notes(&self) -> Vec<Note> {
        self.notes.lock().map(|notes| notes.clone()).unwrap_or_default()
    }

    /// Whether a name was taken for another than the one typed.
    pub(crate) fn was_read_otherwise(&self) -> bool {
        self.notes().iter().any(|note| note.kind == NoteKind::Accepted)
    }

    /// What was read so far.
    pub fn statistics(&self) -> Statistics {
        Statistics::of(&scans(&self.scans), &self.meter)
    }
}

/// Gives batches of the plan their final form.
pub(crate) struct Finish {
    schema: SchemaRef,
    columns: Vec<Finisher>,
}

enum Finisher {
    /// As it is.
    Plain,
    /// Marked maps, at the top or inside, are built.
    Maps(FieldRef),
    /// Packed inputs become the value.
    Late(Maker),
}

impl Finish {
    /// Returns the last step for a plan with the output `schema` and the late columns `late`;
    /// `headers` are the names as typed.
    pub(crate) fn new(schema: &Schema, headers: Vec<String>, late: LateColumns) -> Finish {
        let mut late = late;
        let mut fields = Vec::with_capacity(headers.len());
        let mut columns = Vec::with_capacity(headers.len());
        for (index, (field, header)) in schema.fields().iter().zip(headers).enumerate() {
            let (field, finisher) = match late.remove(&index) {
                Some(maker) => {
                    (Field::new(header, DataType::Utf8View, true), Finisher::Late(maker))
                }
                None => {
                    let converted = map::converted_field(field);
                    let finisher = match converted.data_type() == field.data_type() {
                        true => Finisher::Plain,
                        false => Finisher::Maps(Arc::clone(field)),
                    };
                    (converted.as_ref().clone().with_name(header).with_nullable(true), finisher)
                }
            };
            fields.push(field);
            columns.push(finisher);
        }
        Finish { schema: Arc::new(Schema::new(fields)), columns }
    }

    /// The final columns.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns `batch` in its final form.
    ///
    /// # Errors
    /// When a row does not hold what a late column is made from.
    pub(crate) fn finish(&self, batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
        let columns = batch.columns().iter().zip(&self.columns).zip(self.schema.fields());
        let columns = columns.map(|((column, finisher), field)| {
            let column = match finisher {
                Finisher::Plain => Arc::clone(column),
                Finisher::Maps(field) => map::convert(field, column)?,
                Finisher::Late(maker) => maker.make(column)?,
            };
            same_type(column, field)
        });
        let columns = columns.collect::<Result<Vec<_>, DataFusionError>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &rows)?)
    }
}

/// Marks inside rows get lost on the way through some operators; the data is the same.
fn same_type(column: ArrayRef, field: &Field) -> Result<ArrayRef, DataFusionError> {
    match column.data_type() == field.data_type() {
        true => Ok(column),
        false => Ok(cast(&column, field.data_type())?),
    }
}
