//! `insights`: Lake's table of Insights events (CloudTrail User Guide, "Insights events in CloudTrail
//! Lake"). The call that was unusual is `insightEventSource`, `insightEventName`.

use datafusion::common::Result;
use datafusion::logical_expr::Expr;

use super::Physical;
use super::insight_context::insight_context;

/// Columns that are JSON objects of any content.
pub(super) const MAPS: &[&str] = &["addendum"];

/// The view's visible columns, in the order of Lake's schema.
pub(super) fn columns(physical: &Physical<'_>) -> Result<Vec<Expr>> {
    let mut columns = physical.columns(&[
        "eventVersion",
        "eventCategory",
        "eventType",
        "eventID",
        "eventTime",
        "awsRegion",
        "recipientAccountId",
        "sharedEventID",
        "addendum",
        "insightSource",
        "insightState",
    ])?;
    columns.push(physical.column("eventSource")?.alias("insightEventSource"));
    columns.push(physical.column("eventName")?.alias("insightEventName"));
    columns.extend(physical.columns(&["insightErrorCode", "insightType"])?);
    columns.push(insight_context(physical.column("insightContext")?).alias("insightContext"));
    Ok(columns)
}
