//! `system.stores`: the event data stores of the lake.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::Result;
use traillake_store::StoreInfo;

/// The columns.
pub(crate) fn schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8View, false);
    let created = Field::new("created_at", DataType::Timestamp(TimeUnit::Microsecond, None), false);
    Arc::new(Schema::new(vec![text("name"), text("id"), text("arn"), created]))
}

/// The rows.
///
/// # Errors
/// When the columns do not fit, which would be a fault of this module.
pub(crate) fn rows(stores: &[StoreInfo]) -> Result<RecordBatch> {
    let text = |of: fn(&StoreInfo) -> String| {
        Arc::new(StringViewArray::from_iter_values(stores.iter().map(of))) as ArrayRef
    };
    let created = stores.iter().map(|store| store.created_at.timestamp_micros());
    let columns = vec![
        text(|store| store.name.clone()),
        text(|store| store.id.to_string()),
        text(|store| store.arn.clone()),
        Arc::new(TimestampMicrosecondArray::from_iter_values(created)) as ArrayRef,
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}
