//! EXISTS, IN and scalar subqueries over `UNNEST(t.array)`: lambdas over the array.
//!
//! `EXISTS (SELECT 1 FROM UNNEST(resources) AS r WHERE r.type = 'x')` becomes a filter of the array
//! and its length; `'x' IN (SELECT r.type FROM UNNEST(resources) AS r)` an `any_match`; `(SELECT
//! max(r.arn) FROM UNNEST(resources) AS r)` an aggregate of the array's elements. Nothing is joined,
//! so other conditions of the query still prune.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, not_impl_err};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery, lit, not, when};
use datafusion::optimizer::AnalyzerRule;

use super::chain::{Chain, Folded};
use super::elements::Elements;
use crate::planner::only;

/// Turns subqueries over UNNEST into expressions.
#[derive(Debug)]
pub(super) struct UnnestSubquery;

impl AnalyzerRule for UnnestSubquery {
    fn name(&self) -> &str {
        "unnest_subquery"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        super::rewrite_expressions(plan, &|expr, schema| {
            Ok(match rewritten(&expr, schema)? {
                Some(rewritten) => Transformed::yes(rewritten),
                None => Transformed::no(expr),
            })
        })
    }
}

fn rewritten(expr: &Expr, outer: &DFSchema) -> Result<Option<Expr>> {
    Ok(match expr {
        Expr::Exists(Exists { subquery, negated }) => {
            let Some(rows) = Rows::of(subquery, outer)? else { return Ok(None) };
            let exist = match &rows.elements {
                _ if rows.folded.total => lit(true),
                Some(elements) => elements.exist(&rows.folded.conditions),
                None => rows.condition().is_true(),
            };
            Some(if *negated { not(exist) } else { exist })
        }
        Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
            let Some(rows) = Rows::of(subquery, outer)? else { return Ok(None) };
            let within = rows.any(|item| (**expr).clone().eq(item))?;
            Some(if *negated { not(within) } else { within })
        }
        Expr::ScalarSubquery(subquery) => {
            let Some(rows) = Rows::of(subquery, outer)? else { return Ok(None) };
            Some(rows.single()?)
        }
        _ => None,
    })
}

/// The rows of a subquery, over the elements of the arrays.
struct Rows<'a> {
    /// None of a query without FROM.
    elements: Option<Elements<'a>>,
    folded: Folded,
}

impl<'a> Rows<'a> {
    fn of(subquery: &Subquery, outer: &'a DFSchema) -> Result<Option<Self>> {
        let Some(chain) = Chain::of(&subquery.subquery, outer)? else { return Ok(None) };
        if chain.unnest.is_none() {
            let nothing = |_: &Expr, _: &[Expr]| not_impl_err!("an aggregate without FROM");
            let folded = chain.fold(Vec::new(), outer, nothing)?;
            return Ok(Some(Self { elements: None, folded }));
        }
        let Some(elements) = Elements::of(&chain, outer)? else { return Ok(None) };
        let folded = elements.fold(&chain)?;
        if folded.total && !folded.conditions.is_empty() {
            return not_impl_err!("HAVING in a subquery over UNNEST is not supported");
        }
        Ok(Some(Self { elements: Some(elements), folded }))
    }

    fn item(&self) -> Result<Expr> {
        match self.folded.columns.as_slice() {
            [(_, item)] => Ok(item.clone()),
            _ => not_impl_err!("a subquery over UNNEST that is compared has one column"),
        }
    }

    /// Returns whether `condition` holds for any row.
    fn any(&self, condition: impl Fn(Expr) -> Expr) -> Result<Expr> {
        let condition = condition(self.item()?);
        if self.folded.total {
            return Ok(condition);
        }
        if self.folded.first {
            return not_impl_err!(
                "LIMIT in a subquery over UNNEST that is compared is not supported"
            );
        }
        Ok(match &self.elements {
            Some(elements) => elements.any(&self.folded.conditions, condition),
            None => self.condition().is_true().and(condition),
        })
    }

    /// Returns all conditions as one.
    fn condition(&self) -> Expr {
        self.folded.conditions.iter().cloned().reduce(Expr::and).unwrap_or_else(|| lit(true))
    }

    /// Returns the only row's value: NULL without a row.
    fn single(&self) -> Result<Expr> {
        let item = self.item()?;
        if self.folded.total {
            return Ok(item);
        }
        if self.folded.sorted {
            return not_impl_err!(
                "ORDER BY in a subquery over UNNEST is not supported; `max_by` or `min_by` takes the \
                 value of the last or first"
            );
        }
        match &self.elements {
            Some(elements) => {
                only(elements.values(&self.folded.conditions, item), self.folded.first)
            }
            None if self.folded.conditions.is_empty() => Ok(item),
            None => when(self.condition(), item).end(),
        }
    }
}
