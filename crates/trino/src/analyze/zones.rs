//! A timestamp without a zone beside one with a zone: the first is UTC, since the session's zone is
//! (<https://trino.io/docs/current/language/types.html#timestamp-p-with-time-zone>).
//!
//! DataFusion takes it for what the clock of the other's zone shows. So the other is brought to
//! UTC, which is the same moment.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast};
use datafusion::optimizer::AnalyzerRule;

use crate::functions::time::clock::is_utc;

/// Brings timestamps with a zone to UTC where others have none.
#[derive(Debug)]
pub(super) struct MeetInUtc;

impl AnalyzerRule for MeetInUtc {
    fn name(&self) -> &str {
        "meet_in_utc"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        super::rewrite_expressions(plan, &|expr, schema| match meet(&expr, schema)? {
            true => expr.map_children(|part| in_utc(part, schema)),
            false => Ok(Transformed::no(expr)),
        })
    }
}

/// Whether the parts of the expression have zones other than UTC, and none.
fn meet(expr: &Expr, schema: &DFSchema) -> Result<bool> {
    if !matches!(
        expr,
        Expr::BinaryExpr(_)
            | Expr::Between(_)
            | Expr::InList(_)
            | Expr::Case(_)
            | Expr::ScalarFunction(_)
    ) {
        return Ok(false);
    }
    let (mut zoned, mut plain) = (false, false);
    expr.apply_children(|part| {
        match part.get_type(schema) {
            Ok(DataType::Timestamp(_, Some(zone))) => zoned |= !is_utc(&zone),
            Ok(DataType::Timestamp(_, None) | DataType::Date32) => plain = true,
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(zoned && plain)
}

fn in_utc(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match part.get_type(schema) {
        Ok(DataType::Timestamp(unit, Some(_))) => {
            Transformed::yes(cast(part, DataType::Timestamp(unit, Some("UTC".into()))))
        }
        _ => Transformed::no(part),
    })
}
