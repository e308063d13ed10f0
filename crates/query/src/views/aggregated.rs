//! `aggregated`: five-minute aggregates of data events (CloudTrail User Guide, "Aggregating data
//! events"). Lake has no such table; the columns are the records' fields, `eventTime` the start of
//! the window. `summary` is JSON text, for `json_extract` and its like.

use datafusion::common::Result;
use datafusion::logical_expr::Expr;

use super::Physical;

/// The view's visible columns.
pub(super) fn columns(physical: &Physical<'_>) -> Result<Vec<Expr>> {
    let mut columns =
        physical.columns(&["eventVersion", "eventTime", "eventID", "eventCategory"])?;
    columns.extend(physical.columns(&["eventType", "eventSource", "awsRegion"])?);
    columns.extend(physical.columns(&[
        "recipientAccountId",
        "windowEnd",
        "windowSize",
        "summary",
    ])?);
    Ok(columns)
}
