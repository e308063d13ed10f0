//! A timestamp without a zone beside one with a zone: the first is UTC, since the session's zone is
//! (<https://trino.io/docs/current/language/types.html#timestamp-p-with-time-zone>).
//!
//! DataFusion takes it for what the clock of the other's zone shows. So the other is brought to
//! UTC, which is the same moment.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Case, Expr, ExprSchemable, Join, LogicalPlan, cast};
use datafusion::optimizer::AnalyzerRule;

use crate::functions::time::clock::is_utc;

/// Functions whose arguments are of one type, which is that of their result or its elements.
const OF_ONE_TYPE: [&str; 5] = ["coalesce", "greatest", "least", "make_array", "nullif"];

/// Brings timestamps with a zone to UTC where others have none.
#[derive(Debug)]
pub(super) struct MeetInUtc;

impl AnalyzerRule for MeetInUtc {
    fn name(&self) -> &str {
        "meet_in_utc"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Join(join) => keys_in_utc(join),
            other => Ok(Transformed::no(other)),
        })?;
        super::rewrite_expressions(plan.data, &|expr, schema| match expr {
            Expr::Case(case) => case_in_utc(case, schema),
            Expr::ScalarFunction(call) if OF_ONE_TYPE.contains(&call.name()) => {
                arguments_in_utc(call, schema)
            }
            Expr::BinaryExpr(_) | Expr::Between(_) | Expr::InList(_) | Expr::ScalarFunction(_)
                if meet(&expr, schema)? =>
            {
                expr.map_children(|part| in_utc(part, schema))
            }
            other => Ok(Transformed::no(other)),
        })
    }
}

/// Returns the type of a column that holds times of all these types, none when they need none of
/// ours: a timestamp of UTC when some have zones and not all the same one; of dates and timestamps
/// one of the timestamps' precision. (Here a column has one zone, in Trino every value its own.)
pub(super) fn common_time<'a>(types: impl Iterator<Item = &'a DataType>) -> Option<DataType> {
    let mut zones: Vec<Option<&str>> = Vec::new();
    let (mut finest, mut dates) = (None, false);
    for data_type in types {
        match data_type {
            DataType::Timestamp(unit, zone) => {
                zones.push(zone.as_deref().map(|zone| if is_utc(zone) { "UTC" } else { zone }));
                finest = finest.max(Some(digits(*unit)));
            }
            DataType::Date32 => dates = true,
            DataType::Null => {}
            _ => return None,
        }
    }
    if dates {
        zones.push(None);
    }
    let alike = zones.windows(2).all(|pair| pair[0] == pair[1]);
    let unit = match finest? {
        0 => TimeUnit::Second,
        3 => TimeUnit::Millisecond,
        6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    };
    let zone: Option<Arc<str>> = zones.iter().any(Option::is_some).then(|| "UTC".into());
    (dates || !alike).then_some(DataType::Timestamp(unit, zone))
}

fn digits(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// The pairs of columns that a join compares.
fn keys_in_utc(mut join: Join) -> Result<Transformed<LogicalPlan>> {
    let (left, right) = (Arc::clone(join.left.schema()), Arc::clone(join.right.schema()));
    let mut changed = false;
    for (one, other) in &mut join.on {
        let types = (one.get_type(&left)?, other.get_type(&right)?);
        if zoned_and_plain([&types.0, &types.1].into_iter()) {
            *one = in_utc(one.clone(), &left)?.data;
            *other = in_utc(other.clone(), &right)?.data;
            changed = true;
        }
    }
    let join = LogicalPlan::Join(join);
    Ok(if changed { Transformed::yes(join) } else { Transformed::no(join) })
}

/// The results of a CASE have one type; its operand is compared with what stands after WHEN.
fn case_in_utc(mut case: Case, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let mut results: Vec<&mut Box<Expr>> =
        case.when_then_expr.iter_mut().map(|(_, then)| then).chain(&mut case.else_expr).collect();
    let common = common_time(types(results.iter().map(|result| &***result), schema).iter());
    if let Some(common) = &common {
        for result in &mut results {
            ***result = cast(std::mem::take(&mut ***result), common.clone());
        }
    }
    let Some(operand) = &mut case.expr else {
        let case = Expr::Case(case);
        return Ok(if common.is_some() { Transformed::yes(case) } else { Transformed::no(case) });
    };
    let whens = case.when_then_expr.iter_mut().map(|(when, _)| when);
    let mut compared: Vec<&mut Box<Expr>> = std::iter::once(operand).chain(whens).collect();
    if zoned_and_plain(types(compared.iter().map(|value| &***value), schema).iter()) {
        for value in &mut compared {
            ***value = in_utc(std::mem::take(&mut ***value), schema)?.data;
        }
    }
    Ok(Transformed::yes(Expr::Case(case)))
}

fn arguments_in_utc(mut call: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Some(common) = common_time(types(call.args.iter(), schema).iter()) else {
        return Ok(Transformed::no(Expr::ScalarFunction(call)));
    };
    call.args = call.args.into_iter().map(|arg| cast(arg, common.clone())).collect();
    Ok(Transformed::yes(Expr::ScalarFunction(call)))
}

/// The types of expressions; none when one of them has none yet.
fn types<'a>(exprs: impl Iterator<Item = &'a Expr>, schema: &DFSchema) -> Vec<DataType> {
    exprs.map(|expr| expr.get_type(schema)).collect::<Result<_>>().unwrap_or_default()
}

/// Whether the parts of the expression have zones other than UTC, and none.
fn meet(expr: &Expr, schema: &DFSchema) -> Result<bool> {
    let mut types = Vec::new();
    expr.apply_children(|part| {
        types.extend(part.get_type(schema));
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(zoned_and_plain(types.iter()))
}

fn zoned_and_plain<'a>(types: impl Iterator<Item = &'a DataType>) -> bool {
    let (mut zoned, mut plain) = (false, false);
    for data_type in types {
        match data_type {
            DataType::Timestamp(_, Some(zone)) => zoned |= !is_utc(zone),
            DataType::Timestamp(_, None) | DataType::Date32 => plain = true,
            _ => {}
        }
    }
    zoned && plain
}

fn in_utc(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match part.get_type(schema) {
        Ok(DataType::Timestamp(unit, Some(_))) => {
            Transformed::yes(cast(part, DataType::Timestamp(unit, Some("UTC".into()))))
        }
        _ => Transformed::no(part),
    })
}
