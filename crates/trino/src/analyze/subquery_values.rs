//! EXISTS and IN as values (`SELECT EXISTS (…)`, `count_if(x IN (SELECT …))`), which DataFusion runs
//! as conditions of a filter only; and NULL as the value of a subquery without rows.
//!
//! `EXISTS (q)` is `(SELECT count(*) FROM q) > 0`. `x IN (q)` is true when `q` has a row equal to
//! `x`, else NULL when it has a row that is NULL, or any row and `x` is NULL. Values are computed
//! in a projection below whatever aggregates or sorts by them.

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{
    Column, DFSchema, ExprSchema, Result, ScalarValue, Spans, TableReference, not_impl_err,
};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::{Exists, InSubquery, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, Subquery, lit, not, when,
};
use datafusion::optimizer::AnalyzerRule;

use super::Place;
use crate::functions::support::{Rows, Scalar, Takes, same_as};

/// Turns EXISTS and IN into scalar subqueries where they are values.
#[derive(Debug)]
pub(super) struct SubqueryValues;

impl AnalyzerRule for SubqueryValues {
    fn name(&self) -> &str {
        "subquery_values"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = super::rewrite_by_place(plan, &|expr, schema, place| {
            Ok(match expr {
                Expr::Exists(Exists { subquery, negated }) if place == Place::Value => {
                    let exists = exists(subquery.subquery.as_ref().clone())?;
                    Transformed::yes(if negated { not(exists) } else { exists })
                }
                Expr::InSubquery(within) if place == Place::Value || cannot_filter(&within) => {
                    let InSubquery { expr, subquery, negated } = within;
                    let within = within_subquery(*expr, &subquery, schema)?;
                    Transformed::yes(if negated { not(within) } else { within })
                }
                Expr::ScalarSubquery(subquery) => match may_be_empty(&subquery.subquery) {
                    true => Transformed::yes(nullable(subquery)?),
                    false => Transformed::no(Expr::ScalarSubquery(subquery)),
                },
                Expr::Not(negated) => match *negated {
                    Expr::InSubquery(within) if is_correlated(&within.subquery) => {
                        let InSubquery { expr, subquery, negated } = within;
                        let within = within_subquery(*expr, &subquery, schema)?;
                        Transformed::yes(if negated { within } else { not(within) })
                    }
                    other => Transformed::no(Expr::Not(Box::new(other))),
                },
                other => Transformed::no(other),
            })
        })?;
        plan.transform_up_with_subqueries(below).map(|plan| plan.data)
    }
}

/// A correlated NOT IN is no filter that DataFusion runs.
fn cannot_filter(within: &InSubquery) -> bool {
    within.negated && is_correlated(&within.subquery)
}

fn is_correlated(subquery: &Subquery) -> bool {
    !subquery.outer_ref_columns.is_empty()
}

/// Moves subqueries of aggregates, windows and sorts into a projection below them: DataFusion runs
/// them in projections and filters only.
fn below(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let adds_columns = match plan {
        LogicalPlan::Aggregate(_) => false,
        LogicalPlan::Sort(_) | LogicalPlan::Window(_) => true,
        _ => return Ok(Transformed::no(plan)),
    };
    let values = RefCell::new(Vec::new());
    let take_out = |expr: Expr| {
        expr.transform_down(|expr| match &expr {
            Expr::ScalarSubquery(_) => {
                let mut values = values.borrow_mut();
                let name = format!("$value{}", values.len());
                values.push(expr.alias(&name));
                let column = Expr::Column(Column::new_unqualified(name));
                Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
            }
            _ => Ok(Transformed::no(expr)),
        })
    };
    let names = NamePreserver::new(&plan);
    let exprs = plan.expressions().into_iter();
    let exprs = exprs.map(|expr| super::keep_names(expr, &names, &take_out).map(|e| e.data));
    let exprs = exprs.collect::<Result<Vec<_>>>()?;
    let values = values.into_inner();
    let Some(input) = plan.inputs().first().map(|input| (*input).clone()) else {
        return Ok(Transformed::no(plan));
    };
    if values.is_empty() {
        return Ok(Transformed::no(plan));
    }
    let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
    let outputs: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    let input = LogicalPlanBuilder::from(input).project(columns.into_iter().chain(values))?;
    let plan = plan.with_new_exprs(exprs, vec![input.build()?])?;
    Ok(Transformed::yes(match adds_columns {
        true => LogicalPlanBuilder::from(plan).project(outputs)?.build()?,
        false => plan,
    }))
}

fn exists(plan: LogicalPlan) -> Result<Expr> {
    let correlated = !plan.all_out_ref_exprs().is_empty();
    let builder = LogicalPlanBuilder::from(plan);
    // One row is enough to know; a limit would hide a correlated condition from DataFusion.
    let builder = if correlated { builder } else { builder.limit(0, Some(1))? };
    let counted = builder.aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64))])?.build()?;
    Ok(scalar(counted).gt(lit(0_i64)))
}

fn within_subquery(value: Expr, subquery: &Subquery, schema: &DFSchema) -> Result<Expr> {
    let plan = subquery.subquery.as_ref().clone();
    // DataFusion takes a column of `value` for one of the same name in the subquery.
    let plan = match is_correlated(subquery) {
        false => LogicalPlanBuilder::from(plan).alias(TableReference::bare("$rows"))?.build()?,
        true if reads_names_of(&plan, &value)? => {
            return not_impl_err!("Correlated IN over relations of one name");
        }
        true => plan,
    };
    let Some(column) = plan.schema().columns().into_iter().next() else { return Ok(lit(false)) };
    let column = Expr::Column(column);
    let filtered = |condition: Expr| {
        LogicalPlanBuilder::from(plan.clone()).filter(condition).and_then(|builder| builder.build())
    };
    let equal = exists(filtered(column.clone().eq(referenced(value.clone(), schema)?))?)?;
    let unknown = exists(filtered(column.is_null())?)?;
    let rows = exists(plan.clone())?;
    let nothing = Expr::Literal(ScalarValue::Boolean(None), None);
    when(equal, lit(true))
        .when(unknown.or(value.is_null().and(rows)), nothing)
        .otherwise(lit(false))
}

/// Returns whether a relation of the plan has a column that `value` reads.
fn reads_names_of(plan: &LogicalPlan, value: &Expr) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        found |= value.column_refs().into_iter().any(|column| node.schema().has_column(column));
        // Names under an alias are not seen.
        Ok(match node {
            LogicalPlan::SubqueryAlias(_) => TreeNodeRecursion::Jump,
            _ => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(found)
}

/// Returns the expression as a subquery sees it.
fn referenced(value: Expr, schema: &DFSchema) -> Result<Expr> {
    let referenced = value.transform(|expr| {
        Ok(match expr {
            Expr::Column(column) => {
                let field = Arc::clone(schema.field_from_column(&column)?);
                Transformed::yes(Expr::OuterReferenceColumn(field, column))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(referenced.data)
}

fn scalar(plan: LogicalPlan) -> Expr {
    Expr::ScalarSubquery(Subquery {
        outer_ref_columns: plan.all_out_ref_exprs(),
        subquery: Arc::new(plan),
        spans: Spans::new(),
    })
}

/// Returns whether a subquery whose column says that it has no NULLs may have no row.
fn may_be_empty(plan: &LogicalPlan) -> bool {
    let declared = plan.schema().fields().first().is_some_and(|field| !field.is_nullable());
    declared && !has_one_row(plan)
}

fn has_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => has_one_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => has_one_row(&alias.input),
        LogicalPlan::Aggregate(Aggregate { group_expr, .. }) => group_expr.is_empty(),
        LogicalPlan::EmptyRelation(empty) => empty.produce_one_row,
        _ => false,
    }
}

/// `$nullable(x)` is `x`, and may be NULL.
static NULLABLE: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let invoke = |rows: &Rows| Ok(rows.args.args[0].clone());
    Arc::new(Scalar::new("$nullable", &[Takes::Any], |args| Ok(same_as(args, 0)), invoke).udf())
});

fn nullable(subquery: Subquery) -> Result<Expr> {
    let columns = subquery.subquery.schema().columns().into_iter().map(|column| {
        let name = column.name.clone();
        let args = vec![Expr::Column(column)];
        let call = ScalarFunction::new_udf(Arc::clone(&NULLABLE), args);
        Expr::ScalarFunction(call).alias(name)
    });
    let columns: Vec<Expr> = columns.collect();
    let plan = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone()).project(columns)?;
    Ok(scalar(plan.build()?))
}
