//! `system.stores`: the event data stores of the lake.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::Result;
use traillake_store::StoreInfo;

/// The columns.
pub(crate) fn schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8View, false);
    let created = Field::new("created_at", DataType::Timestamp(TimeUnit::Microsecond, None), false);
    let updated = Field::new("updated_at", created.data_type().clone(), true);
    let retention = Field::new("retention_days", DataType::Int64, true);
    let protected = Field::new("termination_protection", DataType::Boolean, false);
    let named = [text("name"), text("id"), text("arn"), created];
    let set = [text("status"), retention, protected, text("holds"), updated];
    Arc::new(Schema::new(named.into_iter().chain(set).collect::<Vec<_>>()))
}

/// The rows.
///
/// # Errors
/// When the columns do not fit, which would be a fault of this module.
pub(crate) fn rows(stores: &[StoreInfo]) -> Result<RecordBatch> {
    let text = |of: fn(&StoreInfo) -> String| {
        Arc::new(StringViewArray::from_iter_values(stores.iter().map(of))) as ArrayRef
    };
    let retention = stores.iter().map(|store| store.settings.retention_days.map(i64::from));
    let protected = stores.iter().map(|store| store.settings.termination_protection);
    let updated = stores.iter().map(|store| Some(store.settings.changed_at?.timestamp_micros()));
    let created = stores.iter().map(|store| store.created_at.timestamp_micros());
    let columns = vec![
        text(|store| store.name.clone()),
        text(|store| store.id.to_string()),
        text(|store| store.arn.clone()),
        Arc::new(TimestampMicrosecondArray::from_iter_values(created)) as ArrayRef,
        text(|store| store.settings.status().to_string()),
        Arc::new(retention.collect::<Int64Array>()) as ArrayRef,
        Arc::new(protected.map(Some).collect::<BooleanArray>()) as ArrayRef,
        text(|store| store.settings.holds.keys().cloned().collect::<Vec<_>>().join(", ")),
        Arc::new(updated.collect::<TimestampMicrosecondArray>()) as ArrayRef,
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}
