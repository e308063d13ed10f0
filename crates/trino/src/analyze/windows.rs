//! How far `lag`, `lead` and `nth_value` look: a negative offset is an error, as in Trino
//! (<https://trino.io/docs/current/functions/window.html>); DataFusion looks the other way.

use datafusion::arrow::datatypes::Field;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

use crate::type_names::trino_type;

/// Refuses offsets out of range.
#[derive(Debug)]
pub(super) struct CheckOffsets;

impl AnalyzerRule for CheckOffsets {
    fn name(&self) -> &str {
        "check_offsets"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        super::rewrite_expressions(plan, &|expr, _| {
            if let Expr::WindowFunction(call) = &expr {
                check(call)?;
            }
            Ok(Transformed::no(expr))
        })
    }
}

fn check(call: &WindowFunction) -> Result<()> {
    let name = call.fun.name();
    let least = match name {
        "lag" | "lead" => 0,
        "nth_value" => 1,
        _ => return Ok(()),
    };
    match call.params.args.get(1) {
        Some(Expr::Literal(ScalarValue::Int64(Some(offset)), _)) if *offset < least => {
            plan_err!("the offset of `{name}` is at least {least}, not {offset}")
        }
        Some(Expr::Literal(value, _)) if !value.data_type().is_integer() && !value.is_null() => {
            let field = Field::new("", value.data_type(), true);
            plan_err!("the offset of `{name}` is a bigint, not {}", trino_type(&field))
        }
        _ => Ok(()),
    }
}
