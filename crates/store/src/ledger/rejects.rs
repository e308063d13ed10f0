//! Records that could not become a row, with their bytes.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, BinaryArray, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{DateTime, Utc};

use super::{ObjectIds, batch, time, times};
use crate::error::Result;
use crate::input::RejectRow;
use crate::spec::TableSpec;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("object_id", DataType::Int64, false),
        Field::new("index", DataType::Int64, false),
        Field::new("offset", DataType::Int64, false),
        Field::new("reason", DataType::Utf8, false),
        Field::new("record", DataType::Binary, false),
        Field::new("truncated", DataType::Boolean, false),
        Field::new("committed_at", time(), false),
    ]))
});

/// The table of rejects.
pub(crate) fn rejects_table() -> TableSpec {
    TableSpec {
        name: "rejects",
        schema: SCHEMA.clone(),
        partition: None,
        time_column: None,
        sort: &["object_id", "index"],
        bloom: &[],
        stats: &["object_id"],
        identity: None,
    }
}

/// The rows of a round's rejects.
///
/// # Errors
/// [`crate::Error::Input`] when they do not fit a batch.
pub(crate) fn reject_rows(
    rejects: &[RejectRow],
    ids: ObjectIds,
    committed_at: DateTime<Utc>,
) -> Result<RecordBatch> {
    let int = |of: &dyn Fn(&RejectRow) -> i64| -> ArrayRef {
        Arc::new(rejects.iter().map(of).collect::<Int64Array>())
    };
    let columns: Vec<ArrayRef> = vec![
        int(&|reject| ids.id(reject.object)),
        int(&|reject| reject.index as i64),
        int(&|reject| reject.offset as i64),
        Arc::new(StringArray::from_iter_values(rejects.iter().map(|reject| &reject.reason))),
        Arc::new(BinaryArray::from_iter_values(rejects.iter().map(|reject| &reject.bytes))),
        Arc::new(rejects.iter().map(|reject| Some(reject.truncated)).collect::<BooleanArray>()),
        times(rejects.iter().map(|_| Some(committed_at))),
    ];
    batch(&SCHEMA, columns)
}
