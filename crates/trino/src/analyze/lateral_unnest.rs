//! `t CROSS JOIN UNNEST(t.array)`: an unnest over the rows of `t` instead of a correlated join.
//!
//! DataFusion plans the right side as a correlated subquery, which it cannot run. The arguments
//! become columns of the left side, which is unnested; one final projection gives the user's
//! names. A LEFT JOIN … ON TRUE keeps rows whose arrays are NULL or empty.

use std::collections::HashMap;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result, ScalarValue, TableReference, UnnestOptions, plan_err};
use datafusion::logical_expr::{
    Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, SubqueryAlias, Unnest,
};
use datafusion::optimizer::AnalyzerRule;

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

/// What stands between the join and the unnest: a projection or an alias.
enum Wrapper {
    Names(TableReference),
    Items(Vec<Expr>),
}

/// Returns the wrappers around an unnest of correlated arguments, outermost first.
fn peel(plan: &LogicalPlan) -> Option<(Vec<Wrapper>, &Unnest)> {
    let mut wrappers = Vec::new();
    let mut current = plan;
    loop {
        match current {
            LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias, .. }) => {
                wrappers.push(Wrapper::Names(alias.clone()));
                current = input;
            }
            LogicalPlan::Subquery(subquery) => current = &subquery.subquery,
            LogicalPlan::Projection(Projection { expr, input, .. }) => {
                wrappers.push(Wrapper::Items(expr.clone()));
                current = input;
            }
            LogicalPlan::Unnest(unnest) => return Some((wrappers, unnest)),
            _ => return None,
        }
    }
}

fn unnested(join: &Join) -> Result<Option<LogicalPlan>> {
    let Some((wrappers, unnest)) = peel(&join.right) else { return Ok(None) };
    let LogicalPlan::Projection(arguments) = unnest.input.as_ref() else { return Ok(None) };
    if !arguments.expr.iter().any(Expr::contains_outer) {
        return Ok(None);
    }
    let keeps_all = match (join.join_type, &join.filter) {
        (JoinType::Inner, _) => false,
        (JoinType::Left, None | Some(Expr::Literal(ScalarValue::Boolean(Some(true)), _))) => true,
        (other, _) => {
            return plan_err!(
                "UNNEST of another table's column can be joined by CROSS JOIN or LEFT JOIN … ON \
                 TRUE, not by {other} JOIN with a condition"
            );
        }
    };
    let left = join.left.as_ref().clone();
    let columns: Vec<Expr> = left
        .schema()
        .iter()
        .map(|(relation, field)| Expr::Column(Column::new(relation.cloned(), field.name())))
        .collect();

    let mut inner = columns.clone();
    for argument in &arguments.expr {
        let argument = decorrelated(argument.clone())?;
        inner.push(if keeps_all { null_if_empty(argument) } else { argument });
    }
    let options = UnnestOptions::new().with_preserve_nulls(keeps_all);
    let mut outputs = columns;
    outputs.extend(outputs_of(wrappers, unnest)?);
    let mut builder = LogicalPlanBuilder::from(left)
        .project(inner)?
        .unnest_columns_with_options(unnest.exec_columns.clone(), options)?
        .project(outputs)?;
    if let (JoinType::Inner, Some(filter)) = (join.join_type, &join.filter) {
        builder = builder.filter(decorrelated(filter.clone())?)?;
    }
    for (left, right) in &join.on {
        builder = builder.filter(left.clone().eq(right.clone()))?;
    }
    builder.build().map(Some)
}

/// Folds the wrappers into one list of outputs over the unnest.
fn outputs_of(wrappers: Vec<Wrapper>, unnest: &Unnest) -> Result<Vec<Expr>> {
    let columns = unnest.schema.iter().map(|(_, field)| field.name().clone());
    let mut outputs: Vec<(String, Expr)> =
        columns.map(|name| (name.clone(), Expr::Column(Column::new_unqualified(name)))).collect();
    let mut relation = None;
    for wrapper in wrappers.into_iter().rev() {
        match wrapper {
            Wrapper::Names(alias) => relation = Some(alias),
            Wrapper::Items(items) => {
                let known: HashMap<String, Expr> = outputs.into_iter().collect();
                outputs = items
                    .into_iter()
                    .map(|item| {
                        let name = item.schema_name().to_string();
                        let name = match &item {
                            Expr::Column(column) => column.name.clone(),
                            Expr::Alias(alias) => alias.name.clone(),
                            _ => name,
                        };
                        let item = item.unalias_nested().data.transform_up(|expr| {
                            Ok(match &expr {
                                Expr::Column(column) => match known.get(&column.name) {
                                    Some(known) => Transformed::yes(known.clone()),
                                    None => Transformed::no(expr),
                                },
                                _ => Transformed::no(expr),
                            })
                        })?;
                        Ok((name, decorrelated(item.data)?))
                    })
                    .collect::<Result<_>>()?;
            }
        }
    }
    let named = |(name, expr): (String, Expr)| expr.alias_qualified(relation.clone(), name);
    Ok(outputs.into_iter().map(named).collect())
}

fn decorrelated(expr: Expr) -> Result<Expr> {
    let plain = expr.transform(|expr| {
        Ok(match expr {
            Expr::OuterReferenceColumn(_, column) => Transformed::yes(Expr::Column(column)),
            other => Transformed::no(other),
        })
    })?;
    Ok(plain.data)
}
