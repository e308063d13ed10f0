//! `digests`: CloudTrail's digest files (CloudTrail User Guide, "CloudTrail digest file structure"),
//! one row each, with the exact bytes and the signature.

use datafusion::common::Result;
use datafusion::logical_expr::Expr;

use super::Physical;

/// The view's columns: all that is stored.
pub(super) fn columns(physical: &Physical<'_>) -> Result<Vec<Expr>> {
    let stored = physical.stored.fields().iter().map(|field| field.name().as_str());
    let shown: Vec<&str> =
        stored.filter(|name| !matches!(*name, "_object" | "digestMonth" | "eventMonth")).collect();
    physical.columns(&shown)
}
