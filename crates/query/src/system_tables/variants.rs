//! `system.variants`: further copies of an event whose content differs, with their bytes.

use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;

use super::rejects::with_keys;
use super::text::utf8;
use super::{column, columns};

/// The view over a scan of the variants with the columns `stored`; `keys` are the ledger's.
///
/// # Errors
/// When the columns do not fit, which would be a fault of this module.
pub(crate) fn view(
    scan: LogicalPlan,
    stored: &SchemaRef,
    keys: LogicalPlan,
) -> Result<LogicalPlan> {
    let mut shown = columns(stored, &["eventID", "recipientAccountId", "eventTime"]);
    shown.push(column("object_key"));
    shown.extend(columns(stored, &["index", "paths"]));
    shown.push(utf8(column("record")).alias("record"));
    shown.push(column("record").alias("record_bytes"));
    shown.extend(columns(stored, &["committed_at"]));
    with_keys(scan, "object_id", keys)?.project(shown)?.build()
}
