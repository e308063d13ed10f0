//! What stands over an UNNEST whose arrays are columns of another query, or over no table at all.
//!
//! DataFusion plans `UNNEST(t.array)` beside or inside a query over `t` as a correlated relation
//! that it cannot run. A chain of projections, conditions and at most one aggregate over such an
//! UNNEST reads nothing but one row of `t` at a time: it is folded into expressions, over the
//! columns of an unnest of `t` (joins) or over a lambda's parameter (subqueries).

use std::collections::HashMap;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, Filter, Limit, LogicalPlan, Projection, SubqueryAlias, Unnest,
};

/// Operators over an UNNEST, innermost first.
#[derive(Debug)]
pub(super) struct Chain {
    /// The arrays, over the columns of the outer query.
    pub(super) arguments: Vec<Expr>,
    /// None of a query without FROM.
    pub(super) unnest: Option<Unnest>,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Items(Vec<Expr>),
    Where(Expr),
    Totals(Vec<Expr>),
    Distinct,
    Sorted,
    First,
}

impl Step {
    fn expressions(&self) -> &[Expr] {
        match self {
            Self::Items(exprs) | Self::Totals(exprs) => exprs,
            Self::Where(condition) => std::slice::from_ref(condition),
            Self::Distinct | Self::Sorted | Self::First => &[],
        }
    }
}

/// A chain in terms of the leaves it was folded over.
#[derive(Debug, Default)]
pub(super) struct Folded {
    /// The outputs by name, in order.
    pub(super) columns: Vec<(String, Expr)>,
    /// Conditions on an element, all of which must hold.
    pub(super) conditions: Vec<Expr>,
    /// The chain ends in an aggregate without groups: it has one row.
    pub(super) total: bool,
    /// An ORDER BY stands in the chain.
    pub(super) sorted: bool,
    /// Only the first row counts.
    pub(super) first: bool,
}

impl Chain {
    /// Returns the chain that `plan` is, its arrays and expressions over `outer`'s columns; none
    /// when it is something else, or reads no column of `outer`.
    pub(super) fn of(plan: &LogicalPlan, outer: &DFSchema) -> Result<Option<Self>> {
        let mut steps = Vec::new();
        let mut current = plan;
        let unnest = loop {
            match current {
                LogicalPlan::SubqueryAlias(SubqueryAlias { input, .. }) => current = input,
                LogicalPlan::Subquery(subquery) => current = &subquery.subquery,
                LogicalPlan::Projection(Projection { expr, input, .. }) => {
                    steps.push(Step::Items(expr.clone()));
                    current = input;
                }
                LogicalPlan::Filter(Filter { predicate, input, .. }) => {
                    steps.push(Step::Where(predicate.clone()));
                    current = input;
                }
                LogicalPlan::Aggregate(Aggregate { input, group_expr, aggr_expr, .. })
                    if group_expr.is_empty() =>
                {
                    steps.push(Step::Totals(aggr_expr.clone()));
                    current = input;
                }
                LogicalPlan::Distinct(Distinct::All(input)) => {
                    steps.push(Step::Distinct);
                    current = input;
                }
                LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                    steps.push(Step::Sorted);
                    current = &sort.input;
                }
                LogicalPlan::Limit(Limit { skip: None, fetch: Some(fetch), input })
                    if is_one(fetch) =>
                {
                    steps.push(Step::First);
                    current = input;
                }
                LogicalPlan::Unnest(unnest) => break unnest,
                LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => {
                    return Ok(Self::of_one_row(steps));
                }
                _ => return Ok(None),
            }
        };
        let LogicalPlan::Projection(arguments) = unnest.input.as_ref() else { return Ok(None) };
        if !arguments.expr.iter().any(Expr::contains_outer) {
            return Ok(None);
        }
        steps.reverse();
        let arguments = arguments.expr.iter().map(|argument| decorrelated(argument.clone(), outer));
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        if arguments.iter().any(Expr::contains_outer) {
            return Ok(None);
        }
        Ok(Some(Self { arguments, unnest: Some(unnest.clone()), steps }))
    }

    /// A query without FROM reads the outer query's columns in its expressions.
    fn of_one_row(mut steps: Vec<Step>) -> Option<Self> {
        let correlated = steps.iter().flat_map(Step::expressions).any(Expr::contains_outer);
        let plain = steps.iter().all(|step| matches!(step, Step::Items(_) | Step::Where(_)));
        steps.reverse();
        (correlated && plain).then_some(Self { arguments: Vec::new(), unnest: None, steps })
    }

    /// Returns the names of the columns that are unnested.
    pub(super) fn unnested(&self) -> Vec<String> {
        let unnest = self.unnest.iter();
        unnest.flat_map(|unnest| unnest.schema.fields().iter().map(|f| f.name().clone())).collect()
    }

    /// Returns the chain over `leaves`, the unnested columns by name. `total` makes an aggregate of
    /// the elements that meet the conditions.
    pub(super) fn fold(
        &self,
        leaves: Vec<(String, Expr)>,
        outer: &DFSchema,
        mut total: impl FnMut(&Expr, &[Expr]) -> Result<Expr>,
    ) -> Result<Folded> {
        let mut folded = Folded { columns: leaves, ..Folded::default() };
        for step in &self.steps {
            let known: HashMap<String, Expr> = folded.columns.iter().cloned().collect();
            match step {
                Step::Items(items) => {
                    let items = items.iter().map(|item| {
                        Ok((output_name(item), substituted(item.clone(), &known, outer)?))
                    });
                    folded.columns = items.collect::<Result<_>>()?;
                }
                Step::Where(condition) => {
                    let condition = substituted(condition.clone(), &known, outer)?;
                    folded.conditions.push(condition);
                }
                Step::Totals(aggregates) => {
                    let totals = aggregates.iter().map(|aggregate| {
                        let over = substituted(aggregate.clone(), &known, outer)?;
                        Ok((output_name(aggregate), total(&over, &folded.conditions)?))
                    });
                    folded.columns = totals.collect::<Result<_>>()?;
                    folded.conditions.clear();
                    (folded.total, folded.sorted) = (true, false);
                }
                // Whoever asks whether a value is there does not mind that it is there twice.
                Step::Distinct => {}
                Step::Sorted => folded.sorted = true,
                Step::First => folded.first = true,
            }
        }
        Ok(folded)
    }

    /// Returns how many lambdas stand in the chain's expressions.
    pub(super) fn lambdas(&self) -> usize {
        let steps = self.steps.iter().flat_map(Step::expressions);
        self.arguments.iter().chain(steps).map(lambdas).sum()
    }

    /// Returns whether the chain has one row for every row of the outer query.
    pub(super) fn has_total(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Totals(_)))
    }

    /// Returns whether the chain only gives names to what is unnested and to fields of it.
    pub(super) fn only_names(&self) -> bool {
        self.steps.iter().all(|step| match step {
            Step::Items(items) => items.iter().all(is_name),
            Step::Sorted => true,
            _ => false,
        })
    }

    /// Returns whether the chain only names and picks what is unnested, and leaves rows out.
    pub(super) fn is_plain(&self) -> bool {
        let plain = |step: &Step| matches!(step, Step::Items(_) | Step::Where(_) | Step::Sorted);
        self.steps.iter().all(plain)
    }
}

/// Returns whether the item is a column or a field of one.
fn is_name(item: &Expr) -> bool {
    match item {
        Expr::Column(_) => true,
        Expr::Alias(alias) => is_name(&alias.expr),
        Expr::ScalarFunction(call) => call.func.name() == "get_field" && is_name(&call.args[0]),
        _ => false,
    }
}

fn lambdas(expr: &Expr) -> usize {
    let mut count = 0;
    let walked = expr.apply(|expr| {
        count += usize::from(matches!(expr, Expr::Lambda(_)));
        Ok(TreeNodeRecursion::Continue)
    });
    walked.map_or(0, |_| count)
}

fn is_one(fetch: &Expr) -> bool {
    matches!(fetch, Expr::Literal(value, _) if value.to_string() == "1")
}

fn output_name(item: &Expr) -> String {
    match item {
        Expr::Column(column) => column.name.clone(),
        Expr::Alias(alias) => alias.name.clone(),
        other => other.schema_name().to_string(),
    }
}

/// Replaces columns by what they stand for, and references to `outer` by its columns.
fn substituted(expr: Expr, known: &HashMap<String, Expr>, outer: &DFSchema) -> Result<Expr> {
    let expr = expr.unalias_nested().data.transform_up(|expr| {
        Ok(match &expr {
            Expr::Column(column) => match known.get(&column.name) {
                Some(known) => Transformed::yes(known.clone()),
                None => Transformed::no(expr),
            },
            _ => Transformed::no(expr),
        })
    })?;
    decorrelated(expr.data, outer)
}

/// Turns references to columns that `outer` has into plain columns.
pub(super) fn decorrelated(expr: Expr, outer: &DFSchema) -> Result<Expr> {
    let plain = expr.transform(|expr| {
        Ok(match expr {
            Expr::OuterReferenceColumn(_, column) if outer.has_column(&column) => {
                Transformed::yes(Expr::Column(Column::new(column.relation, column.name)))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(plain.data)
}
