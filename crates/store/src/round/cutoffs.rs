//! Up to which time records have left the tables: older ones do not come back.

use std::collections::BTreeMap;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

use super::table_of;
use crate::error::{Error, Result};
use crate::ledger::ObjectIds;
use crate::snapshot::{StoreSnapshot, TableSnapshot};
use crate::spec::{OBJECT, TableSpec};

/// The cut-off of each table that records leave, microseconds since 1970, with the version it is of.
#[derive(Debug, Default)]
pub(super) struct Cutoffs(BTreeMap<&'static str, (u64, Option<i64>)>);

impl Cutoffs {
    /// The cut-offs as of a pinned state. After the first time only the commits since are read.
    pub async fn at(
        &mut self,
        tables: &[TableSpec],
        pin: &StoreSnapshot,
    ) -> Result<BTreeMap<&'static str, i64>> {
        for spec in tables.iter().filter(|spec| spec.time_column.is_some()) {
            let table = table_of(pin, spec.name)?;
            let before = match self.0.get(spec.name) {
                Some(known) => advance(table, *known).await?,
                None => table.expired().await?.before,
            };
            self.0.insert(spec.name, (table.version(), before));
        }
        let known = self.0.iter().filter_map(|(table, (_, before))| Some((*table, (*before)?)));
        Ok(known.collect())
    }
}

async fn advance(
    table: &TableSnapshot,
    (version, mut before): (u64, Option<i64>),
) -> Result<Option<i64>> {
    let log = table.log();
    for version in version + 1..=table.version() {
        match log.read_commit(version).await? {
            Some(entry) => before = before.max(entry.tokens.get(&log.expired_before()).copied()),
            // Cleaned up since.
            None => return Ok(table.expired().await?.before),
        }
    }
    Ok(before)
}

/// The rows of a table that are no older than `cutoff` or have no time, and for each other the ordinal
/// of its object.
pub(super) fn since(
    cutoff: i64,
    spec: &TableSpec,
    rows: Vec<RecordBatch>,
    ids: ObjectIds,
) -> Result<(Vec<RecordBatch>, Vec<u32>)> {
    let Some(column) = spec.time_column else { return Ok((rows, Vec::new())) };
    let refused = |reason: String| Error::Input { reason };
    let (mut recent, mut left_out) = (Vec::new(), Vec::new());
    for batch in rows {
        let times = batch.column_by_name(column);
        let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
        let objects = batch.column_by_name(OBJECT);
        let objects = objects.and_then(|objects| objects.as_primitive_opt::<Int64Type>());
        let (Some(times), Some(objects)) = (times, objects) else {
            return Err(refused(format!("rows of table `{}` lack time or object", spec.name)));
        };
        let stays: BooleanArray =
            times.iter().map(|time| Some(time.is_none_or(|time| time >= cutoff))).collect();
        let gone = (0..batch.num_rows()).filter(|row| !stays.value(*row));
        left_out.extend(gone.filter_map(|row| ids.ordinal(objects.value(row))));
        let kept = filter_record_batch(&batch, &stays);
        recent.push(kept.map_err(|error| refused(error.to_string()))?);
    }
    recent.retain(|batch| batch.num_rows() > 0);
    Ok((recent, left_out))
}
