//! `EXPLAIN` in our words: what is read of which table, what is done with it, and with `ANALYZE`
//! what was really read.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::DateTime;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::logical_expr::{
    BinaryExpr, Distinct, Expr, FetchType, JoinType, LogicalPlan, Operator, SkipType,
};
use traillake_trino::functions;

use crate::answer::Statistics;
use crate::mentions;
use crate::scan::Scan;

/// The header Trino gives the one column of EXPLAIN.
const HEADER: &str = "Query Plan";
/// Elements up to which an array is shown.
const LISTED_MAX: i32 = 8;

/// What is explained.
pub(crate) struct Explained<'a> {
    pub(crate) plan: &'a LogicalPlan,
    /// The scans, as they were planned.
    pub(crate) scans: &'a [Scan],
    /// Whether any file will be opened: what the log knows needs none.
    pub(crate) opens_files: bool,
    /// With ANALYZE, what came of it.
    pub(crate) outcome: Option<Outcome>,
}

/// What a query that was run for EXPLAIN ANALYZE came to.
pub(crate) struct Outcome {
    /// Rows of the answer.
    pub(crate) rows: u64,
    /// What it read.
    pub(crate) statistics: Statistics,
}

/// Returns the lines of EXPLAIN, one a row.
///
/// # Errors
/// When the lines do not fit a batch.
pub(crate) fn lines(explained: &Explained<'_>) -> Result<RecordBatch> {
    let Explained { plan, scans, opens_files, outcome } = explained;
    let mut text = String::new();
    if let Some(outcome) = outcome {
        total(&mut text, outcome, scans);
    }
    for scan in *scans {
        table(&mut text, scan, outcome.is_some());
    }
    if scans.is_empty() {
        text.push_str("reads no table of the lake\n");
    } else if !opens_files {
        text.push_str("answered from the log alone: no file is opened\n");
    }
    text.push_str("steps, last first:\n");
    steps(&mut text, plan, 1);
    let schema = Arc::new(Schema::new(vec![Field::new(HEADER, DataType::Utf8, false)]));
    let lines: ArrayRef = Arc::new(text.lines().map(Some).collect::<StringArray>());
    Ok(RecordBatch::try_new(schema, vec![lines])?)
}

/// Returns the one row of EXPLAIN (TYPE VALIDATE) about a query that can be run, as Trino has it.
///
/// # Errors
/// When the row does not fit a batch.
pub(crate) fn valid() -> Result<RecordBatch> {
    let schema = Arc::new(Schema::new(vec![Field::new("Valid", DataType::Boolean, false)]));
    let row: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
    Ok(RecordBatch::try_new(schema, vec![row])?)
}

// Writing into a String cannot fail, so the results of `write!` are dropped below.

fn total(text: &mut String, outcome: &Outcome, scans: &[Scan]) {
    let read = &outcome.statistics;
    let _ = writeln!(
        text,
        "{} rows; read {} of {} files, {} bytes in {} requests",
        outcome.rows, read.files_read, read.files_total, read.bytes_read, read.requests
    );
    if read.opening_requests > 0 {
        let _ = writeln!(text, "  {} requests more to open the lake", read.opening_requests);
    }
    let data: u64 = scans.iter().map(|scan| scan.reading().bytes).sum();
    let footers = read.bytes_read.saturating_sub(data);
    let _ = writeln!(
        text,
        "  {data} bytes of columns and bloom filters, {footers} of footers and page indexes"
    );
}

fn table(text: &mut String, scan: &Scan, analyzed: bool) {
    let _ = writeln!(
        text,
        "table {}: {} of {} files may hold wanted rows ({} rows, {} bytes), {} of {} columns",
        scan.table,
        scan.files_kept,
        scan.files,
        scan.rows_kept,
        scan.bytes_kept,
        scan.columns,
        scan.columns_total
    );
    for filter in &scan.filters {
        let how = if filter.prunes { "pushed down" } else { "pushed down, tells rows only" };
        let _ = writeln!(text, "  {how}: {}", shown(&filter.condition));
    }
    if analyzed {
        let read = scan.reading();
        let _ = writeln!(
            text,
            "  read: {} files, {} row groups ({} skipped), {} pages skipped, {} bytes of columns",
            read.files, read.row_groups, read.row_groups_skipped, read.pages_skipped, read.bytes
        );
        let looked_at = read.rows + read.rows_unmatched;
        let _ = writeln!(text, "  rows: {looked_at} looked at, {} matched", read.rows);
    }
}

fn steps(text: &mut String, plan: &LogicalPlan, depth: usize) {
    if let Some(step) = step(plan) {
        let _ = writeln!(text, "{:indent$}{step}", "", indent = 2 * depth);
        plan.inputs().into_iter().for_each(|input| steps(text, input, depth + 1));
    } else {
        plan.inputs().into_iter().for_each(|input| steps(text, input, depth));
    }
}

/// A step in a few words; none for what only renames.
fn step(plan: &LogicalPlan) -> Option<String> {
    Some(match plan {
        LogicalPlan::SubqueryAlias(_) | LogicalPlan::Subquery(_) => return None,
        LogicalPlan::Projection(projection) => {
            if projection.expr.iter().all(|expr| matches!(expr, Expr::Column(_))) {
                return None;
            }
            format!("compute {}", list(&projection.expr))
        }
        LogicalPlan::Filter(filter) => {
            format!("keep rows where {}", shown(&filter.predicate))
        }
        LogicalPlan::Window(window) => format!("window {}", list(&window.window_expr)),
        LogicalPlan::Aggregate(aggregate) => match aggregate.group_expr.is_empty() {
            true => format!("aggregate {}", list(&aggregate.aggr_expr)),
            false => {
                format!("group by {}: {}", list(&aggregate.group_expr), list(&aggregate.aggr_expr))
            }
        },
        LogicalPlan::Sort(sort) => {
            let keys = sort.expr.iter().map(|key| {
                format!("{}{}", shown(&key.expr), if key.asc { "" } else { " descending" })
            });
            let keys = keys.collect::<Vec<_>>().join(", ");
            match sort.fetch {
                Some(fetch) => format!("first {fetch} ordered by {keys}"),
                None => format!("order by {keys}"),
            }
        }
        LogicalPlan::Join(join) => {
            let on =
                join.on.iter().map(|(left, right)| format!("{} = {}", shown(left), shown(right)));
            let on = on.chain(join.filter.iter().map(shown));
            let on = on.collect::<Vec<_>>().join(" and ");
            format!("{} join on {on}", join_word(join.join_type))
        }
        LogicalPlan::Union(_) => "all rows of".to_string(),
        LogicalPlan::Limit(limit) => match (limit.get_skip_type(), limit.get_fetch_type()) {
            (Ok(SkipType::Literal(0)), Ok(FetchType::Literal(Some(fetch)))) => {
                format!("first {fetch} rows")
            }
            (Ok(SkipType::Literal(skip)), Ok(FetchType::Literal(Some(fetch)))) => {
                format!("skip {skip} rows, then first {fetch}")
            }
            (Ok(SkipType::Literal(skip)), _) => format!("skip {skip} rows"),
            _ => "some rows".to_string(),
        },
        LogicalPlan::Distinct(Distinct::All(_) | Distinct::On(_)) => "distinct rows".to_string(),
        LogicalPlan::Unnest(unnest) => {
            let columns = unnest.exec_columns.iter().map(|column| column.name.as_str());
            format!("unnest {}", columns.collect::<Vec<_>>().join(", "))
        }
        LogicalPlan::TableScan(scan) => format!("scan {}", scan.table_name.table()),
        LogicalPlan::EmptyRelation(_) => "no table".to_string(),
        LogicalPlan::Values(values) => format!("{} given rows", values.values.len()),
        LogicalPlan::RecursiveQuery(query) => format!("repeat {} until nothing new", query.name),
        other => other.display().to_string().to_lowercase(),
    })
}

fn join_word(kind: JoinType) -> &'static str {
    match kind {
        JoinType::Inner => "inner",
        JoinType::Left => "left",
        JoinType::Right => "right",
        JoinType::Full => "full",
        JoinType::LeftSemi | JoinType::RightSemi => "semi",
        JoinType::LeftAnti | JoinType::RightAnti => "anti",
        JoinType::LeftMark | JoinType::RightMark => "mark",
    }
}

fn list(exprs: &[Expr]) -> String {
    let listed = exprs.iter().filter(|expr| !matches!(expr, Expr::Column(_)) || exprs.len() < 8);
    listed.map(shown).collect::<Vec<_>>().join(", ")
}

/// An expression as somebody would type it: columns without their tables, times as times.
fn shown(expr: &Expr) -> String {
    let plain = expr.clone().transform_up(|expr| {
        let text = match &expr {
            Expr::Column(column) => column.name.clone(),
            Expr::Literal(ScalarValue::TimestampMicrosecond(Some(micros), _), _) => {
                match DateTime::from_timestamp_micros(*micros) {
                    Some(time) => format!("timestamp '{}'", time.format("%Y-%m-%d %H:%M:%S%.f")),
                    None => return Ok(Transformed::no(expr)),
                }
            }
            Expr::ScalarFunction(call) if mentions::is_search(call.name()) => {
                let terms = call.args.last().map(|terms| terms.human_display().to_string());
                format!("{}({})", call.name(), terms.unwrap_or_default())
            }
            Expr::Literal(ScalarValue::List(list), _) if list.value_length(0) > LISTED_MAX => {
                format!("an array of {}", list.value_length(0))
            }
            Expr::Literal(value, _) => match value.try_as_str() {
                Some(Some(text)) => format!("'{}'", text.replace('\'', "''")),
                _ => return Ok(Transformed::no(expr)),
            },
            _ => return Ok(Transformed::no(parenthesized(functions::as_operator(expr)))),
        };
        Ok(Transformed::yes(Expr::Column(Column::new_unqualified(text))))
    });
    match plain {
        Ok(plain) => plain.data.human_display().to_string(),
        Err(_) => expr.human_display().to_string(),
    }
}

/// An operator with parentheses around the operands that bind less than it does.
fn parenthesized(expr: Expr) -> Expr {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else { return expr };
    let inside = |operand: Box<Expr>, least: u8| match operand.as_ref() {
        Expr::BinaryExpr(inner) if inner.op.precedence() < least => {
            let text = format!("({})", operand.human_display());
            Box::new(Expr::Column(Column::new_unqualified(text)))
        }
        _ => operand,
    };
    let from_the_left = matches!(op, Operator::Minus | Operator::Divide | Operator::Modulo);
    let least = op.precedence();
    let (left, right) = (inside(left, least), inside(right, least + u8::from(from_the_left)));
    Expr::BinaryExpr(BinaryExpr { left, op, right })
}
