//! `system.listed`: of which days somebody listed what was delivered, by account and region, and of
//! which nobody did.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Date32Type, Field, Schema, SchemaRef};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use datafusion::common::Result;

use crate::options::ListedDays;

/// Rows of a batch. Few: each may stand for thousands of days.
const ROWS_MAX: usize = 64;

/// The columns.
pub(crate) fn schema() -> SchemaRef {
    let field = |name, kind, nullable| Field::new(name, kind, nullable);
    Arc::new(Schema::new(vec![
        field("account", DataType::Utf8View, false),
        field("region", DataType::Utf8View, true),
        field("first_day", DataType::Date32, false),
        field("last_day", DataType::Date32, false),
        field("listed", DataType::Boolean, false),
    ]))
}

/// The rows, at least one batch, which may be empty.
///
/// # Errors
/// When the columns do not fit, which would be a fault of this module.
pub(crate) fn rows(days: &[ListedDays]) -> Result<Vec<RecordBatch>> {
    let empty = days.is_empty().then(|| RecordBatch::new_empty(schema()));
    let batches = days.chunks(ROWS_MAX).map(batch);
    empty.into_iter().map(Ok).chain(batches).collect()
}

fn batch(days: &[ListedDays]) -> Result<RecordBatch> {
    let dates = |of: fn(&ListedDays) -> NaiveDate| {
        let dates = days.iter().map(|run| Date32Type::from_naive_date(of(run)));
        Arc::new(Date32Array::from_iter_values(dates)) as ArrayRef
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(days.iter().map(|run| Some(&run.account)).collect::<StringViewArray>()),
        Arc::new(days.iter().map(|run| run.region.as_ref()).collect::<StringViewArray>()),
        dates(|run| run.first_day),
        dates(|run| run.last_day),
        Arc::new(days.iter().map(|run| Some(run.listed)).collect::<BooleanArray>()),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

/// Returns the days that a session's `--since` and `--until` leave.
pub(crate) fn within(
    days: Vec<ListedDays>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
) -> Vec<ListedDays> {
    let first = since.map_or(NaiveDate::MIN, |at| at.date_naive());
    let last = until.and_then(|at| at.checked_sub_signed(TimeDelta::microseconds(1)));
    let last = last.map_or(NaiveDate::MAX, |at| at.date_naive());
    let cut = |run: ListedDays| {
        let (first_day, last_day) = (run.first_day.max(first), run.last_day.min(last));
        ListedDays { first_day, last_day, ..run }
    };
    days.into_iter().map(cut).filter(|run| run.first_day <= run.last_day).collect()
}
