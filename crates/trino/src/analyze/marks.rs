//! Map marks where expressions would lose them.
//!
//! An expression that passes a map's text on (CASE, coalesce, nullif) keeps the mark; one that
//! puts maps inside other values (array_agg, arrays, rows, maps) gets real maps.

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams, ScalarFunction};
use datafusion::logical_expr::{Case, Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

use crate::functions::internal::{marked_text, to_map};
use crate::map;

/// Keeps marks, or builds the map.
#[derive(Debug)]
pub(super) struct KeepMarks;

impl AnalyzerRule for KeepMarks {
    fn name(&self) -> &str {
        "keep_map_marks"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        super::rewrite_expressions(plan, &|expr, schema| {
            Ok(match expr {
                Expr::Case(case) => passed_on_by_case(case, schema)?,
                Expr::ScalarFunction(call) => match call.func.name() {
                    "coalesce" | "nvl" | "nullif" => passed_on(call, schema)?,
                    "make_array" | "$row" | "named_struct" | "struct" | "map" | "array_append"
                    | "array_prepend" | "array_repeat" | "repeat" => built(call, schema)?,
                    _ => Transformed::no(Expr::ScalarFunction(call)),
                },
                Expr::AggregateFunction(call) => built_in_aggregate(call, schema)?,
                other => Transformed::no(other),
            })
        })
    }
}

fn fields(exprs: &[&Expr], schema: &DFSchema) -> Result<Vec<FieldRef>> {
    exprs.iter().map(|expr| expr.to_field(schema).map(|(_, field)| field)).collect()
}

/// How results that may be maps must be brought together.
enum Together {
    /// No marked map among them.
    NoMaps,
    /// All marked maps, or NULL.
    AllMarked,
    /// Marked maps beside built ones.
    Mixed,
}

fn together(fields: &[FieldRef]) -> Together {
    let marked = fields.iter().filter(|field| map::is_map(field)).count();
    let built = fields.iter().any(|field| matches!(field.data_type(), DataType::Map(..)));
    match (marked, built) {
        (0, _) => Together::NoMaps,
        (_, true) => Together::Mixed,
        (marked, false) => {
            let nulls = fields.iter().filter(|field| field.data_type().is_null()).count();
            if marked + nulls == fields.len() { Together::AllMarked } else { Together::NoMaps }
        }
    }
}

fn passed_on_by_case(mut case: Case, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let results: Vec<&Expr> = case
        .when_then_expr
        .iter()
        .map(|(_, then)| then.as_ref())
        .chain(case.else_expr.as_deref())
        .collect();
    match together(&fields(&results, schema)?) {
        Together::NoMaps => Ok(Transformed::no(Expr::Case(case))),
        Together::AllMarked => Ok(Transformed::yes(marked_text(Expr::Case(case)))),
        Together::Mixed => {
            for (_, then) in &mut case.when_then_expr {
                **then = map_of((**then).clone(), schema)?;
            }
            if let Some(otherwise) = case.else_expr.as_deref_mut() {
                *otherwise = map_of(otherwise.clone(), schema)?;
            }
            Ok(Transformed::yes(Expr::Case(case)))
        }
    }
}

fn passed_on(call: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let args: Vec<&Expr> = call.args.iter().collect();
    match together(&fields(&args, schema)?) {
        Together::NoMaps => Ok(Transformed::no(Expr::ScalarFunction(call))),
        Together::AllMarked => Ok(Transformed::yes(marked_text(Expr::ScalarFunction(call)))),
        Together::Mixed => built(call, schema),
    }
}

fn map_of(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    let (_, field) = expr.to_field(schema)?;
    Ok(if map::is_map(&field) { to_map(expr) } else { expr })
}

fn built(mut call: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let before = call.args.clone();
    call.args = call.args.into_iter().map(|arg| map_of(arg, schema)).collect::<Result<Vec<_>>>()?;
    let changed = call.args != before;
    Ok(Transformed::new_transformed(Expr::ScalarFunction(call), changed))
}

/// `first_value` and its like keep the field; what gathers values gets maps.
fn built_in_aggregate(call: AggregateFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    if call.func.name() != "array_agg" {
        return Ok(Transformed::no(Expr::AggregateFunction(call)));
    }
    let AggregateFunction { func, params } = call;
    let before = params.args.clone();
    let args =
        params.args.into_iter().map(|arg| map_of(arg, schema)).collect::<Result<Vec<_>>>()?;
    let changed = args != before;
    let params = AggregateFunctionParams { args, ..params };
    let call = AggregateFunction { func, params };
    Ok(Transformed::new_transformed(Expr::AggregateFunction(call), changed))
}
