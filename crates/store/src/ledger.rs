//! The ledger: one row per source object, and what the next round must know about it.
//!
//! Rows are partitioned by the month of delivery (null for objects without one) and sorted by key,
//! so that planning a listed slice reads only its part. A key can have several rows, when its object
//! changed; the one of the newest round counts. An `object_key` stands in two columns: a logical key
//! is always the end of its object's key, and its unique part need not be stored twice.

mod ids;
mod inflated;
mod known;
mod prefixes;
mod rejects;
#[cfg(test)]
mod tests;
mod variants;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::{DateTime, Utc};

use crate::error::{Error, Result};
use crate::input::ObjectRow;
use crate::spec::TableSpec;

pub(crate) use ids::{ObjectIds, round_of_id};
pub(crate) use inflated::InflatedIndex;
pub(crate) use known::known;
pub(crate) use rejects::{reject_rows, rejects_table};
pub(crate) use variants::{VariantRow, VariantRows, variants_table};

/// The ledger's columns, but for its partition.
static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let required = |name, data_type| Field::new(name, data_type, false);
    let optional = |name, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        required("object_id", DataType::Int64),
        required("key_prefix", DataType::Utf8),
        required("logical_key", DataType::Utf8),
        required("size_bytes", DataType::Int64),
        optional("etag", DataType::Utf8),
        optional("modified_at", time()),
        optional("version_id", DataType::Utf8),
        optional("sha256", DataType::Binary),
        optional("inflated_sha256", DataType::Binary),
        optional("kind", DataType::Utf8),
        optional("account", DataType::Utf8),
        optional("region", DataType::Utf8),
        optional("delivered_at", time()),
        required("records", DataType::Int64),
        required("stored", DataType::Int64),
        required("duplicates", DataType::Int64),
        required("respelled", DataType::Int64),
        required("variants", DataType::Int64),
        required("deselected", DataType::Int64),
        required("rejects", DataType::Int64),
        optional("first_event_at", time()),
        optional("last_event_at", time()),
        required("state", DataType::Utf8),
        optional("copy_of", DataType::Utf8),
        optional("detail", DataType::Utf8),
        required("round", DataType::Int64),
        required("committed_at", time()),
    ]))
});

/// The ledger.
pub(crate) fn objects_table() -> TableSpec {
    TableSpec {
        name: "objects",
        schema: SCHEMA.clone(),
        partition: Some("deliveredMonth"),
        time_column: None,
        sort: &["logical_key", "key_prefix"],
        bloom: &["inflated_sha256"],
        stats: &["object_id", "logical_key", "delivered_at", "committed_at"],
        identity: None,
    }
}

/// The ledger rows of a round's objects (each with its ordinal), by partition.
///
/// # Errors
/// [`Error::Input`] when the counts of an object do not add up:
/// records = stored + duplicates + respelled + variants + deselected + rejects.
pub(crate) fn object_rows(
    objects: &[(u32, &ObjectRow)],
    ids: ObjectIds,
    round: i64,
    committed_at: DateTime<Utc>,
) -> Result<BTreeMap<Option<String>, RecordBatch>> {
    let mut months: BTreeMap<Option<String>, Vec<(u32, &ObjectRow)>> = BTreeMap::new();
    for (ordinal, object) in objects {
        check_counts(object)?;
        months.entry(object.delivered_month()).or_default().push((*ordinal, object));
    }
    let rows = |(month, objects): (_, Vec<_>)| {
        Ok((month, month_rows(&objects, ids, round, committed_at)?))
    };
    months.into_iter().map(rows).collect()
}

fn check_counts(object: &ObjectRow) -> Result<()> {
    let counts = &object.counts;
    let settled = [
        counts.stored,
        counts.duplicates,
        counts.respelled,
        counts.variants,
        object.deselected,
        object.rejects,
    ];
    if settled.iter().sum::<u64>() == object.records {
        return Ok(());
    }
    let reason = format!(
        "object `{}` has {} records, of which {settled:?} were stored, duplicates, respelled, \
         variants, deselected, rejects",
        object.object_key, object.records,
    );
    Err(Error::Input { reason })
}

fn month_rows(
    objects: &[(u32, &ObjectRow)],
    ids: ObjectIds,
    round: i64,
    committed_at: DateTime<Utc>,
) -> Result<RecordBatch> {
    let rows = || objects.iter().map(|(_, object)| *object);
    let int = |of: fn(&ObjectRow) -> u64| -> ArrayRef {
        Arc::new(rows().map(|row| of(row) as i64).collect::<Int64Array>())
    };
    let text = |of: fn(&ObjectRow) -> Option<&str>| -> ArrayRef {
        Arc::new(rows().map(of).collect::<StringArray>())
    };
    let hash = |of: fn(&ObjectRow) -> Option<&[u8; 32]>| -> ArrayRef {
        Arc::new(rows().map(|row| of(row).map(<[u8; 32]>::as_slice)).collect::<BinaryArray>())
    };
    let time = |of: fn(&ObjectRow) -> Option<DateTime<Utc>>| -> ArrayRef { times(rows().map(of)) };
    let prefixes = rows().map(key_prefix).collect::<Result<Vec<&str>>>()?;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(objects.iter().map(|(ordinal, _)| ids.id(*ordinal)).collect::<Int64Array>()),
        Arc::new(StringArray::from(prefixes)),
        text(|row| Some(&row.logical_key)),
        int(|row| row.size_bytes),
        text(|row| row.etag.as_deref()),
        time(|row| row.modified_at),
        text(|row| row.version_id.as_deref()),
        hash(|row| row.sha256.as_ref()),
        hash(|row| row.inflated_sha256.as_ref()),
        text(|row| row.kind.as_deref()),
        text(|row| row.account.as_deref()),
        text(|row| row.region.as_deref()),
        time(|row| row.delivered_at),
        int(|row| row.records),
        int(|row| row.counts.stored),
        int(|row| row.counts.duplicates),
        int(|row| row.counts.respelled),
        int(|row| row.counts.variants),
        int(|row| row.deselected),
        int(|row| row.rejects),
        time(|row| row.first_event_at),
        time(|row| row.last_event_at),
        text(|row| Some(row.state.as_str())),
        text(|row| row.copy_of.as_deref()),
        text(|row| row.detail.as_deref()),
        Arc::new(Int64Array::from(vec![round; objects.len()])),
        times(rows().map(|_| Some(committed_at))),
    ];
    batch(&SCHEMA, columns)
}

/// What stands before the logical key in an object's key.
fn key_prefix(object: &ObjectRow) -> Result<&str> {
    object.object_key.strip_suffix(&object.logical_key).ok_or_else(|| Error::Input {
        reason: format!(
            "the logical key `{}` is not the end of the key `{}`",
            object.logical_key, object.object_key
        ),
    })
}

/// The type of a time, in every table of the store's own.
fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn times(times: impl Iterator<Item = Option<DateTime<Utc>>>) -> ArrayRef {
    let micros = times.map(|time| time.map(|time| time.timestamp_micros()));
    Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    let rows = RecordBatch::try_new(schema.clone(), columns);
    rows.map_err(|e| Error::Input { reason: format!("rows of the ledger: {e}") })
}
