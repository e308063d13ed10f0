//! `system.objects`: the ledger, one row per source object.

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;
use datafusion::functions::string::expr_fn::concat;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};

use super::text::hex;
use super::{column, columns};

/// The view over a scan of the ledger with the columns `stored`.
///
/// # Errors
/// When the columns do not fit, which would be a fault of this module.
pub(crate) fn view(scan: LogicalPlan, stored: &SchemaRef) -> Result<LogicalPlan> {
    let mut shown = vec![object_key(stored)];
    shown.extend(columns(
        stored,
        &["logical_key", "size_bytes", "etag", "modified_at", "version_id"],
    ));
    shown.extend(["sha256", "inflated_sha256"].map(|name| hex(column(name)).alias(name)));
    shown.extend(columns(
        stored,
        &[
            "kind",
            "account",
            "region",
            "delivered_at",
            "records",
            "stored",
            "duplicates",
            "respelled",
            "variants",
            "deselected",
            "rejects",
            "first_event_at",
            "last_event_at",
            "state",
            "copy_of",
            "detail",
            "committed_at",
            "object_id",
            "round",
        ],
    ));
    LogicalPlanBuilder::from(scan).project(shown)?.build()
}

/// Ids, keys and times of delivery, to join with.
///
/// # Errors
/// As [`view`].
pub(crate) fn keys(scan: LogicalPlan, stored: &SchemaRef) -> Result<LogicalPlan> {
    let shown = vec![column("object_id"), object_key(stored), column("delivered_at")];
    LogicalPlanBuilder::from(scan).project(shown)?.alias("objects")?.build()
}

/// The ledger keeps what stands before the logical key apart: it is the same for thousands.
fn object_key(stored: &SchemaRef) -> Expr {
    match stored.field_with_name("object_key").is_ok() {
        true => column("object_key"),
        false => {
            let parts =
                ["key_prefix", "logical_key"].map(|name| cast(column(name), DataType::Utf8View));
            concat(parts.to_vec()).alias("object_key")
        }
    }
}
