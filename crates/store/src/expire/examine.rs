//! One file against a cut-off: how many of its rows leave.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use futures::TryStreamExt;
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;

use super::Expiry;
use crate::data_file;
use crate::error::{Error, Result};
use crate::snapshot::{LiveFile, ScalarStat};
use crate::spec::{INDEX, OBJECT, TableSpec};

/// A file and what leaves it.
#[derive(Debug, Clone)]
pub(super) struct Leaving {
    pub(super) file: LiveFile,
    /// Rows that leave, at least one.
    pub(super) rows: u64,
    /// Times of the earliest and the latest of them.
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Leaving {
    /// Whether no row stays.
    pub(super) fn is_whole(&self) -> bool {
        self.rows == self.file.rows
    }
}

/// What leaves `file`; none when all of it stays. Statistics decide where they can; else the columns
/// that tell are read.
pub(super) async fn examine(
    objects: &Arc<dyn ObjectStore>,
    table: &TableSpec,
    file: &LiveFile,
    expiry: &Expiry,
) -> Result<Option<Leaving>> {
    let Some(column) = table.time_column else { return Ok(None) };
    let before = expiry.before.timestamp_micros();
    let stats = file.stats(column);
    let time = |stat: &Option<ScalarStat>| match stat {
        Some(ScalarStat::Time(micros)) => Some(*micros),
        _ => None,
    };
    let span = stats.and_then(|stats| Some((time(&stats.min)?, time(&stats.max)?)));
    match span {
        Some((first, _)) if first >= before => return Ok(None),
        Some((first, last))
            if last < before
                && expiry.held.is_none()
                && stats.is_some_and(|stats| stats.nulls == Some(0)) =>
        {
            return Ok(Some(Leaving { file: file.clone(), rows: file.rows, first, last }));
        }
        _ => {}
    }
    let failed = |error| Error::storage(format!("read `{}`", file.path), error);
    let open = data_file::open(objects, file).await?;
    let columns = match expiry.held {
        Some(_) => vec![column, OBJECT, INDEX],
        None => vec![column],
    };
    let mask = ProjectionMask::columns(open.parquet_schema(), columns);
    let mut batches = open.with_projection(mask).build().map_err(failed)?;
    let (mut rows, mut first, mut last) = (0, i64::MAX, i64::MIN);
    while let Some(batch) = batches.try_next().await.map_err(failed)? {
        let stays = staying(&batch, column, expiry)
            .map_err(|reason| Error::corrupt(format!("`{}`", file.path), reason))?;
        let times = batch.column_by_name(column);
        let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
        for (row, stays) in stays.iter().enumerate() {
            if let (Some(false), Some(times)) = (stays, times) {
                rows += 1;
                first = first.min(times.value(row));
                last = last.max(times.value(row));
            }
        }
    }
    Ok((rows > 0).then(|| Leaving { file: file.clone(), rows, first, last }))
}

/// Which rows of a batch stay: what is not older than the cut-off, what has no time, what is held.
pub(crate) fn staying(
    batch: &RecordBatch,
    column: &str,
    expiry: &Expiry,
) -> Result<BooleanArray, String> {
    let before = expiry.before.timestamp_micros();
    let missing = |column: &str| format!("it has no column `{column}`");
    let times = batch.column_by_name(column).ok_or_else(|| missing(column))?;
    let times = times.as_primitive_opt::<TimestampMicrosecondType>();
    let times = times.ok_or_else(|| format!("column `{column}` holds no times"))?;
    let is_recent = |row| times.is_null(row) || times.value(row) >= before;
    let Some(held) = &expiry.held else {
        return Ok((0..batch.num_rows()).map(|row| Some(is_recent(row))).collect());
    };
    let number = |column: &str| -> Result<Int64Array, String> {
        let found = batch.column_by_name(column).ok_or_else(|| missing(column))?;
        let found = cast(found, &DataType::Int64).map_err(|error| error.to_string())?;
        Ok(found.as_primitive::<Int64Type>().clone())
    };
    let (objects, indexes) = (number(OBJECT)?, number(INDEX)?);
    let is_held = |row| held.contains(&(objects.value(row), indexes.value(row)));
    Ok((0..batch.num_rows()).map(|row| Some(is_recent(row) || is_held(row))).collect())
}
