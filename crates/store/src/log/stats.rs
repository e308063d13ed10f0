//! Statistics of a file in the log, as Delta spells them (protocol, "Per-file Statistics").

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::snapshot::{ColumnStats, ScalarStat};

/// Reads statistics of one table's files.
#[derive(Debug)]
pub(super) struct StatsReader {
    columns: Vec<(Arc<str>, DataType)>,
}

impl StatsReader {
    /// For files with these columns.
    pub(super) fn new(schema: &Schema) -> StatsReader {
        let columns = schema.fields().iter();
        let columns =
            columns.map(|field| (field.name().as_str().into(), field.data_type().clone()));
        StatsReader { columns: columns.collect() }
    }

    /// Row count and column statistics from JSON text; columns of other types are left out.
    pub(super) fn read(&self, text: &str) -> Result<(u64, Vec<ColumnStats>), serde_json::Error> {
        let all: Parsed = serde_json::from_str(text)?;
        let mut found = Vec::with_capacity(all.null_count.len());
        for (column, kind) in &self.columns {
            let value = |values: &Map<String, Value>| {
                values.get(column.as_ref()).and_then(|value| value_from_json(value, kind))
            };
            let nulls = all.null_count.get(column.as_ref()).and_then(Value::as_u64);
            let (min, max) = (value(&all.min_values), value(&all.max_values));
            if min.is_some() || max.is_some() || nulls.is_some() {
                found.push(ColumnStats { column: column.clone(), min, max, nulls });
            }
        }
        Ok((all.num_records, found))
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parsed {
    num_records: u64,
    #[serde(default)]
    min_values: Map<String, Value>,
    #[serde(default)]
    max_values: Map<String, Value>,
    #[serde(default)]
    null_count: Map<String, Value>,
}

fn value_from_json(value: &Value, kind: &DataType) -> Option<ScalarStat> {
    Some(match kind {
        DataType::Timestamp(_, _) => {
            ScalarStat::Time(value.as_str()?.parse::<DateTime<Utc>>().ok()?.timestamp_micros())
        }
        DataType::Utf8 => ScalarStat::Text(value.as_str()?.to_string()),
        DataType::Boolean => ScalarStat::Bool(value.as_bool()?),
        DataType::Int64 | DataType::Int32 => ScalarStat::Int(value.as_i64()?),
        _ => return None,
    })
}
