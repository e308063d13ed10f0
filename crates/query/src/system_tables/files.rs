//! `system.files`: the data files of the store, from the log.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::Result;
use traillake_store::{LiveFile, ScalarStat};

use crate::views;

/// The columns.
pub(crate) fn schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8View, true);
    let number = |name| Field::new(name, DataType::Int64, true);
    let time = |name| Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, None), true);
    Arc::new(Schema::new(vec![
        text("table_name"),
        text("path"),
        text("month"),
        number("rows"),
        number("size_bytes"),
        time("first_event_at"),
        time("last_event_at"),
    ]))
}

/// The rows: every table with its live files.
///
/// # Errors
/// When the columns do not fit, which would be a fault of this module.
pub(crate) fn rows(tables: &[(String, Arc<[LiveFile]>)]) -> Result<RecordBatch> {
    let files =
        || tables.iter().flat_map(|(table, files)| files.iter().map(move |file| (table, file)));
    let edge = |latest: bool| {
        let times = files().map(move |(table, file)| {
            let stats = file.stats(views::time_column(table)?)?;
            match if latest { stats.max.as_ref()? } else { stats.min.as_ref()? } {
                ScalarStat::Time(micros) => Some(*micros),
                _ => None,
            }
        });
        Arc::new(times.collect::<TimestampMicrosecondArray>()) as ArrayRef
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(files().map(|(table, _)| Some(table)).collect::<StringViewArray>()),
        Arc::new(files().map(|(_, file)| Some(file.path.to_string())).collect::<StringViewArray>()),
        Arc::new(files().map(|(_, file)| file.partition.as_deref()).collect::<StringViewArray>()),
        Arc::new(files().map(|(_, file)| file.rows as i64).collect::<Int64Array>()),
        Arc::new(files().map(|(_, file)| file.size as i64).collect::<Int64Array>()),
        edge(false),
        edge(true),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}
