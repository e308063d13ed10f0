//! `system.rejects`: records that could not become a row, with their bytes.

use arrow::datatypes::SchemaRef;
use datafusion::common::{Column, JoinType, Result};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};

use super::text::utf8;
use super::{column, columns};

/// The view over a scan of the rejects with the columns `stored`; `keys` are the ledger's.
///
/// `record` is the text, for JSON functions and LIKE; NULL where the bytes are not UTF-8.
///
/// # Errors
/// When the columns do not fit, which would be a fault of this module.
pub(crate) fn view(
    scan: LogicalPlan,
    stored: &SchemaRef,
    keys: LogicalPlan,
) -> Result<LogicalPlan> {
    let mut shown = vec![column("object_key")];
    shown.extend(columns(stored, &["index", "offset", "reason"]));
    shown.push(utf8(column("record")).alias("record"));
    shown.push(column("record").alias("record_bytes"));
    shown.extend(columns(stored, &["truncated", "committed_at"]));
    with_keys(scan, "object_id", keys)?.project(shown)?.build()
}

/// `scan` beside the key of the object its rows came from.
pub(super) fn with_keys(
    scan: LogicalPlan,
    id: &str,
    keys: LogicalPlan,
) -> Result<LogicalPlanBuilder> {
    let left = Column::from(scan.schema().qualified_field_with_unqualified_name(id)?);
    let right = Column::from(keys.schema().qualified_field_with_unqualified_name("object_id")?);
    LogicalPlanBuilder::from(scan).join(keys, JoinType::Left, (vec![left], vec![right]), None)
}
