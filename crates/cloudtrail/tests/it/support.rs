//! Decoding in one line, for tests.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryArray, LargeBinaryArray, RecordBatch};
use arrow::compute::concat_batches;
use traillake_cloudtrail::{
    Batch, Kind, Limits, ObjectSummary, Rebuilder, decode_object, rebuild_all,
};

/// What an object gave.
pub struct Decoded {
    pub summary: ObjectSummary,
    pub batches: Vec<Batch>,
}

impl Decoded {
    /// The rows of one kind, in one batch.
    pub fn rows(&self, kind: Kind) -> RecordBatch {
        let batches = self.batches.iter().filter(|batch| batch.kind == kind);
        concat_batches(&kind.schema(), batches.map(|batch| &batch.rows)).unwrap()
    }

    /// The bytes of all records of one kind, rebuilt.
    pub fn records(&self, kind: Kind) -> Vec<Vec<u8>> {
        let records = rebuild_all(&self.rows(kind)).unwrap();
        records.iter().map(|record| record.unwrap().to_vec()).collect()
    }

    /// One column of `events` as text, nulls as `None`.
    pub fn text(&self, kind: Kind, column: &str) -> Vec<Option<String>> {
        let rows = self.rows(kind);
        let column = rows.column_by_name(column).unwrap_or_else(|| panic!("no column {column}"));
        let text = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8).unwrap();
        text.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
    }
}

/// Decodes stored bytes with the default limits.
pub fn decode(stored: &[u8]) -> Decoded {
    decode_within(stored, &Limits::default())
}

/// Decodes stored bytes.
pub fn decode_within(stored: &[u8], limits: &Limits) -> Decoded {
    let mut batches = Vec::new();
    let summary = decode_object(&mut &*stored, limits, &mut |batch| {
        assert_eq!(batch.rows.schema(), batch.kind.schema());
        batches.push(batch);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(summary.records, summary.rows + summary.rejected, "{summary:?}");
    let rows: usize = batches
        .iter()
        .filter(|batch| batch.kind != Kind::Digest)
        .map(|batch| batch.rows.num_rows())
        .sum();
    if summary.fault.is_none() {
        assert_eq!(rows as u64, summary.rows);
    }
    Decoded { summary, batches }
}

/// Without the spare column exactly the records that need it do not come back; every other one does.
/// Returns how many need it.
pub fn check_spare_column(rows: &RecordBatch, records: &LargeBinaryArray) -> usize {
    let number = rows.schema().index_of("_record").unwrap();
    let spare = rows.column(number).as_binary::<i32>().clone();
    let mut columns = rows.columns().to_vec();
    columns[number] = Arc::new(BinaryArray::new_null(rows.num_rows()));
    let without = RecordBatch::try_new(rows.schema(), columns).unwrap();
    let mut rebuilder = Rebuilder::new(&without).unwrap();
    let mut record = Vec::new();
    for row in 0..rows.num_rows() {
        record.clear();
        let outcome = rebuilder.write(row, &mut record);
        assert_eq!(outcome.is_err(), spare.is_valid(row));
        assert!(outcome.is_err() || record == records.value(row));
    }
    rows.num_rows() - spare.null_count()
}

/// The bytes of a record with these members, after those that every event needs.
pub fn event(members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    format!(
        r#"{{"eventTime":"2024-01-02T03:04:05Z","eventSource":"s3.amazonaws.com","eventName":"GetObject"{comma}{members}}}"#
    )
}
