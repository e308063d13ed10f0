//! `t CROSS JOIN UNNEST(t.array)`: an unnest over the rows of `t` instead of a correlated join.
//!
//! DataFusion plans the right side as a correlated subquery, which it cannot run. The arguments
//! become columns of the left side, which is unnested; one final projection gives the user's
//! names. A LEFT JOIN keeps rows whose arrays are NULL or empty, or whose elements all miss the
//! join's condition. `LATERAL (SELECT count(*) FROM UNNEST(t.array))` is one expression a row.

use std::collections::HashMap;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{
    Column, DFSchema, Result, ScalarValue, UnnestOptions, not_impl_err, plan_err,
};
use datafusion::logical_expr::{Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, lit, when};
use datafusion::optimizer::AnalyzerRule;

use super::chain::{Chain, decorrelated};
use super::elements::Elements;
use crate::planner::null_if_empty;

/// Decorrelates joins with UNNEST.
#[derive(Debug)]
pub(super) struct LateralUnnest;

impl AnalyzerRule for LateralUnnest {
    fn name(&self) -> &str {
        "lateral_unnest"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|plan| match &plan {
            LogicalPlan::Join(join) => match unnested(join)? {
                Some(unnested) => Ok(Transformed::yes(unnested)),
                None => Ok(Transformed::no(plan)),
            },
            _ => Ok(Transformed::no(plan)),
        })?;
        plan.map_data(LogicalPlan::recompute_schema).map(|plan| plan.data)
    }
}

fn unnested(join: &Join) -> Result<Option<LogicalPlan>> {
    let left = join.left.schema();
    let Some(chain) = Chain::of(&join.right, left)? else { return Ok(None) };
    let conditions = conditions_of(join, left)?;
    let keeps_all = match join.join_type {
        JoinType::Inner => false,
        JoinType::Left => true,
        other => {
            return plan_err!(
                "UNNEST of another table's column can be joined by CROSS JOIN, JOIN or LEFT JOIN, \
                 not by {other} JOIN"
            );
        }
    };
    if chain.has_total() {
        return totals(join, &chain, conditions).map(Some);
    }
    if !chain.is_plain() {
        return not_impl_err!("LIMIT and DISTINCT over UNNEST in a lateral join are not supported");
    }
    match keeps_all {
        true if chain.unnest.is_none() && !conditions.is_empty() => {
            not_impl_err!("a condition of LEFT JOIN LATERAL on a query without FROM")
        }
        true if chain.unnest.is_some() && (!conditions.is_empty() || !chain.only_names()) => {
            left_unnest(join, &chain, conditions).map(Some)
        }
        _ => plain_unnest(join, &chain, conditions, keeps_all).map(Some),
    }
}

/// Returns the conditions of the join; TRUE is none.
fn conditions_of(join: &Join, left: &DFSchema) -> Result<Vec<Expr>> {
    let equal = join.on.iter().map(|(left, right)| left.clone().eq(right.clone()));
    let filter = join
        .filter
        .clone()
        .filter(|filter| !matches!(filter, Expr::Literal(ScalarValue::Boolean(Some(true)), _)));
    equal.chain(filter).map(|condition| decorrelated(condition, left)).collect()
}

/// Cross joins and inner joins: conditions choose among the rows of the unnest. With `keeps_all`
/// there are none, and a row without elements stays, its new columns NULL.
fn plain_unnest(
    join: &Join,
    chain: &Chain,
    conditions: Vec<Expr>,
    keeps_all: bool,
) -> Result<LogicalPlan> {
    let (left, schema) = (join.left.as_ref().clone(), join.left.schema());
    let mut inner = columns_of(schema);
    let mut outputs = inner.clone();
    let arguments = chain.arguments.iter().cloned();
    inner.extend(arguments.map(|array| if keeps_all { null_if_empty(array) } else { array }));
    let leaves = chain
        .unnested()
        .into_iter()
        .map(|name| (name.clone(), Expr::Column(Column::new_unqualified(name))));
    let folded = chain.fold(leaves.collect(), schema, |_, _| plan_err!("no aggregate is here"))?;
    if keeps_all && !folded.conditions.is_empty() {
        return not_impl_err!("WHERE of LEFT JOIN LATERAL on a query without FROM");
    }
    outputs.extend(named(join, folded.columns));
    let options = UnnestOptions::new().with_preserve_nulls(keeps_all);
    let mut builder = LogicalPlanBuilder::from(left);
    if let Some(unnest) = &chain.unnest {
        let columns = unnest.exec_columns.clone();
        builder = builder.project(inner)?.unnest_columns_with_options(columns, options)?;
    }
    for condition in folded.conditions {
        builder = builder.filter(condition)?;
    }
    builder = builder.project(outputs)?;
    for condition in conditions {
        builder = builder.filter(condition)?;
    }
    builder.build()
}

/// Left joins with conditions: the array is filtered first.
fn left_unnest(join: &Join, chain: &Chain, conditions: Vec<Expr>) -> Result<LogicalPlan> {
    let (left, schema) = (join.left.as_ref().clone(), join.left.schema());
    let Some(elements) = Elements::of(chain, schema)? else {
        return plan_err!("UNNEST takes arrays and maps");
    };
    let folded = elements.fold(chain)?;
    let right: HashMap<Column, Expr> = right_columns(join, &folded.columns);
    let conditions = conditions.into_iter().map(|condition| replaced(condition, &right));
    let conditions: Vec<Expr> =
        folded.conditions.into_iter().map(Ok).chain(conditions).collect::<Result<_>>()?;

    // A row without elements has NULL in every column, also in one that is a constant: the second
    // unnest tells such rows from those whose element is NULL.
    let arrays = [elements.kept(&conditions), elements.values(&conditions, lit(true))];
    let unnested = [0, 1].map(|at| Column::new_unqualified(format!("$unnest{at}")));
    let (element, present) = (elements.element(), Expr::Column(unnested[1].clone()));
    let values = folded.columns.into_iter().map(|(name, value)| {
        let value = value.transform(|expr| {
            Ok(match expr == element {
                true => Transformed::yes(Expr::Column(unnested[0].clone())),
                false => Transformed::no(expr),
            })
        })?;
        Ok((name, when(present.clone(), value.data).end()?))
    });
    let values = values.collect::<Result<Vec<_>>>()?;

    let mut inner = columns_of(schema);
    let mut outputs = inner.clone();
    let arrays = arrays.into_iter().zip(&unnested);
    inner.extend(arrays.map(|(array, column)| null_if_empty(array).alias(&column.name)));
    outputs.extend(named(join, values));
    let options = UnnestOptions::new().with_preserve_nulls(true);
    LogicalPlanBuilder::from(left)
        .project(inner)?
        .unnest_columns_with_options(unnested.to_vec(), options)?
        .project(outputs)?
        .build()
}

/// A lateral subquery of aggregates has one row for each of the left side's.
fn totals(join: &Join, chain: &Chain, conditions: Vec<Expr>) -> Result<LogicalPlan> {
    let (left, schema) = (join.left.as_ref().clone(), join.left.schema());
    let Some(elements) = Elements::of(chain, schema)? else {
        return plan_err!("UNNEST takes arrays and maps");
    };
    let folded = elements.fold(chain)?;
    if !folded.conditions.is_empty() || (join.join_type == JoinType::Left && !conditions.is_empty())
    {
        return not_impl_err!("conditions on aggregates over UNNEST in a lateral join");
    }
    let mut outputs = columns_of(schema);
    outputs.extend(named(join, folded.columns));
    let mut builder = LogicalPlanBuilder::from(left).project(outputs)?;
    for condition in conditions {
        builder = builder.filter(condition)?;
    }
    builder.build()
}

fn columns_of(schema: &DFSchema) -> Vec<Expr> {
    schema.columns().into_iter().map(Expr::Column).collect()
}

/// Gives the columns of the right side the names they had in the join.
fn named(join: &Join, columns: Vec<(String, Expr)>) -> impl Iterator<Item = Expr> {
    let names = join.right.schema().columns();
    names
        .into_iter()
        .zip(columns)
        .map(|(name, (_, column))| column.alias_qualified(name.relation, name.name))
}

fn right_columns(join: &Join, columns: &[(String, Expr)]) -> HashMap<Column, Expr> {
    let names = join.right.schema().columns();
    names.into_iter().zip(columns.iter().map(|(_, column)| column.clone())).collect()
}

fn replaced(condition: Expr, columns: &HashMap<Column, Expr>) -> Result<Expr> {
    let replaced = condition.transform(|expr| {
        Ok(match &expr {
            Expr::Column(column) => match columns.get(column) {
                Some(known) => Transformed::yes(known.clone()),
                None => Transformed::no(expr),
            },
            _ => Transformed::no(expr),
        })
    })?;
    Ok(replaced.data)
}
