//! Conditions on what a view writes become conditions on what is stored.
//!
//! Athena's tables hold times and booleans as text, so people compare text: `eventtime >=
//! '2026-03-11'`, `year = '2026' AND month = '03'`, `date(from_iso8601_timestamp(eventtime)) =
//! current_date`. Taken literally none of that prunes, and all of it writes text for every row. But
//! a condition on the time alone changes its truth at few moments, known from its constants, and
//! where it looks at the day only, at midnights. So the engine is asked at each of them; the
//! stretches in which it holds are the ranges of the stored time that replace the condition, exactly.

mod breaks;
mod evaluate;
mod moments;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{BinaryExpr, Expr, Filter, LogicalPlan, Operator, lit};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use crate::store_table::StoreTable;
use crate::views::flag_text;
use breaks::Breaks;

/// Returns `plan` with every expression that reads a written time back replaced by the time.
///
/// # Errors
/// When a rewritten node no longer fits, which would be a fault of this module.
pub(crate) fn read_times(plan: LogicalPlan) -> Result<LogicalPlan> {
    let read = plan.transform_up_with_subqueries(|plan| {
        let names = NamePreserver::new(&plan);
        let read = plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let bare = moments::bare(expr.clone());
            Ok(match bare == expr {
                true => Transformed::no(expr),
                false => Transformed::yes(name.restore(bare)),
            })
        })?;
        read.transform_data(|plan| plan.recompute_schema().map(Transformed::yes))
    })?;
    Ok(read.data)
}

/// Ranges up to which they replace a condition; beyond it only the first and the last moment count.
const RANGES_MAX: usize = 32;

/// Where the days of a condition that no day of the table meets are looked for, so that an empty
/// answer can say which time it was about: 2000 to 2099.
const CENTURY: (i64, i64) = (946_684_800_000_000, 4_102_444_800_000_000);

/// 0000-01-01, before every event.
const NEVER: i64 = -62_167_219_200_000_000;

/// Finds the stored ranges of conditions on a table, once they have been pushed down to its scan.
#[derive(Debug)]
pub(crate) struct StoredRanges;

impl OptimizerRule for StoredRanges {
    fn name(&self) -> &str {
        "stored_ranges"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(filter) = &plan else { return Ok(Transformed::no(plan)) };
        let LogicalPlan::TableScan(scan) = filter.input.as_ref() else {
            return Ok(Transformed::no(plan));
        };
        let Ok(provider) = source_as_provider(&scan.source) else {
            return Ok(Transformed::no(plan));
        };
        let Some(table) = provider.downcast_ref::<StoreTable>() else {
            return Ok(Transformed::no(plan));
        };
        let stored = Stored::of(table);
        let before = split_conjunction_owned(filter.predicate.clone());
        let predicate = stored.conditions(before.clone());
        let mut scan = scan.clone();
        let filters = stored.conditions(scan.filters.clone());
        if predicate == before && filters == scan.filters {
            return Ok(Transformed::no(plan));
        }
        scan.filters = filters;
        let scan = LogicalPlan::TableScan(scan);
        Ok(Transformed::yes(match conjunction(predicate) {
            Some(predicate) => LogicalPlan::Filter(Filter::try_new(predicate, scan.into())?),
            None => scan,
        }))
    }
}

/// What a table stores.
struct Stored {
    /// The name of its time column.
    time: Option<String>,
    /// The months it has rows of, as microseconds: the first moment, and that of the next month.
    months: Vec<(i64, i64)>,
}

impl Stored {
    fn of(table: &StoreTable) -> Stored {
        Stored { time: table.time_column().map(str::to_string), months: table.months() }
    }

    /// Returns conditions that hold together for the same rows as `conditions` do.
    fn conditions(&self, conditions: Vec<Expr>) -> Vec<Expr> {
        let (timed, others): (Vec<Expr>, Vec<Expr>) =
            conditions.into_iter().map(moments::bare).partition(|each| self.is_about_time(each));
        let mut all = match self.ranges(&timed) {
            Some(ranges) => ranges,
            // One that is beyond this must not keep the others from pruning.
            None => timed
                .into_iter()
                .flat_map(|each| {
                    self.ranges(std::slice::from_ref(&each)).unwrap_or_else(|| vec![each])
                })
                .collect(),
        };
        for condition in others {
            let condition = self.inside(condition);
            if !all.contains(&condition) {
                all.push(condition);
            }
        }
        all
    }

    /// The same for one condition that looks at more than the time.
    fn inside(&self, condition: Expr) -> Expr {
        match condition {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                let [left, right] = [*left, *right].map(|side| {
                    let side = self.conditions(split_conjunction_owned(side));
                    conjunction(side).unwrap_or_else(|| lit(true))
                });
                left.or(right)
            }
            other => stored_flag(&other).unwrap_or(other),
        }
    }

    /// Whether the condition looks at the time alone.
    fn is_about_time(&self, condition: &Expr) -> bool {
        only_column(condition).is_some_and(|column| Some(&column.name) == self.time.as_ref())
    }

    /// Returns the ranges of time in which all `conditions` hold; none where that cannot be told or
    /// would say nothing new.
    fn ranges(&self, conditions: &[Expr]) -> Option<Vec<Expr>> {
        let time = only_column(conditions.first()?)?.clone();
        let mut breaks = Breaks::new(&time);
        if !conditions.iter().all(|condition| breaks.add(condition)) || breaks.is_plain() {
            return None;
        }
        let mut ranges = breaks.ranges(conditions, &self.months)?;
        if ranges.is_empty() {
            ranges = breaks.ranges(conditions, &[CENTURY])?;
        }
        let column = Expr::Column(time);
        let Some((first, last)) = ranges.first().zip(ranges.last()) else {
            return Some(vec![column.lt(moment(NEVER))]);
        };
        let mut all = within(&column, (first.0, last.1));
        if ranges.len() > RANGES_MAX {
            all.extend_from_slice(conditions);
        } else if ranges.len() > 1 {
            let each = ranges.iter().map(|range| conjunction(within(&column, *range)));
            all.extend(each.flatten().reduce(Expr::or));
        } else if all.is_empty() {
            all.push(column.is_not_null());
        }
        Some(all)
    }
}

/// A range of time: from the first moment on, up to and without the second.
type Range = (Option<i64>, Option<i64>);

fn within(column: &Expr, (from, until): Range) -> Vec<Expr> {
    let from = from.map(|from| column.clone().gt_eq(moment(from)));
    let until = until.map(|until| column.clone().lt(moment(until)));
    from.into_iter().chain(until).collect()
}

fn moment(micros: i64) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(Some(micros), None))
}

/// The one column that a condition looks at.
fn only_column(condition: &Expr) -> Option<&Column> {
    let columns = condition.column_refs();
    match columns.len() {
        1 => columns.into_iter().next(),
        _ => None,
    }
}

/// Returns the condition on a boolean that one on its text comes to.
fn stored_flag(condition: &Expr) -> Option<Expr> {
    let column = only_column(condition)?;
    evaluate::mentions(condition, |expr| flag_text::written(expr).is_some()).then_some(())?;
    let values = vec![Some(true), Some(false), None];
    let values = std::sync::Arc::new(arrow::array::BooleanArray::from(values));
    let flag = Expr::Column(column.clone());
    Some(match evaluate::truth(condition, column, values)?.as_slice() {
        [true, false, false] => flag,
        [false, true, false] => flag.is_false(),
        [true, true, false] => flag.is_not_null(),
        _ => return None,
    })
}
