//! No silent "no": why an answer may be empty.
//!
//! CloudTrail records object-level calls of S3, Lambda and DynamoDB (data events) only where a trail
//! selects them (CloudTrail User Guide, "Logging data events"), so "nobody read the bucket" and
//! "nobody looked" give the same empty answer. What the statement asked for is read from the
//! conditions its scans were handed, and compared with what the lake holds.

mod probe;

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::{Column, ScalarValue};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;

use super::TIME;
use crate::notes::{Note, NoteKind};
use crate::pins::Pins;
use crate::scan::{Scan, scans};

use probe::Probe;

/// Tables of what CloudTrail delivers: where one of them is empty, nobody has looked.
const DELIVERED: [&str; 4] = ["events", "insights", "aggregated", "digests"];

/// Words in a condition that make it one about objects, functions or items: what data events record.
const DATA_WORDS: &[&str] = &[
    "s3",
    "bucket",
    "object",
    "lambda",
    "invoke",
    "dynamodb",
    "getitem",
    "putitem",
    "data",
    "resources",
];

/// Whether an answer of `rows` rows came from no record at all: it is empty, or an aggregate over
/// nothing.
pub(crate) fn is_about_nothing(
    rows: u64,
    physical: &Arc<dyn ExecutionPlan>,
    scans: &[Scan],
) -> bool {
    let reads_events = scans.iter().any(is_events);
    let nothing_left =
        || scans.iter().filter(|scan| is_events(scan)).all(|scan| scan.rows_kept == 0);
    reads_events && (rows == 0 || nothing_left() || aggregates_nothing(physical))
}

fn is_events(scan: &Scan) -> bool {
    scan.table.ends_with(".events")
}

/// Whether the plan holds an aggregate without groups that no row reached.
fn aggregates_nothing(plan: &Arc<dyn ExecutionPlan>) -> bool {
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>()
        && aggregate.group_expr().is_empty()
        && !aggregate.input().is::<AggregateExec>()
    {
        let reached = aggregate.input().metrics().and_then(|metrics| metrics.output_rows());
        if reached == Some(0) {
            return true;
        }
    }
    plan.children().into_iter().any(aggregates_nothing)
}

/// Returns that tables the statement reads are empty; and where it is `about_nothing`, what may
/// explain that nothing was found.
pub(crate) async fn notes(state: &SessionState, pins: &Pins, about_nothing: bool) -> Vec<Note> {
    let scans = scans(&pins.scans);
    let tables = scans.iter().filter(|scan| scan.files == 0);
    let empty: BTreeSet<_> = tables.filter_map(|scan| delivered(&scan.table)).collect();
    // A note is a courtesy: when a look-up fails, the answer still stands.
    let mut notes = Vec::new();
    for (store, table) in empty {
        let kind = if table == "events" { NoteKind::Absence } else { NoteKind::Empty };
        let text = Probe::new(state, pins, store).empty(table).await;
        notes.extend(text.ok().map(|text| Note::new(kind, text)));
    }
    let asked = scans.iter().find(|scan| is_events(scan) && scan.files > 0).map(Asked::of);
    if let Some(asked) = asked.filter(|_| about_nothing) {
        let probe = Probe::new(state, pins, &asked.store);
        let why = probe.explain(&asked).await.unwrap_or_default();
        notes.extend(why.into_iter().map(|text| Note::new(NoteKind::Absence, text)));
    }
    notes
}

/// The store and the table of a scan of what CloudTrail delivers.
fn delivered(table: &str) -> Option<(&str, &str)> {
    table.rsplit_once('.').filter(|(_, table)| DELIVERED.contains(table))
}

/// What the conditions of a scan ask for.
#[derive(Debug, Default)]
struct Asked {
    store: String,
    since: Option<i64>,
    /// Inclusive.
    until: Option<i64>,
    accounts: BTreeSet<String>,
    regions: BTreeSet<String>,
    data_events: bool,
    /// No condition at all.
    everything: bool,
}

impl Asked {
    fn of(scan: &Scan) -> Asked {
        let store = scan.table.trim_end_matches(".events").to_string();
        let mut asked = Asked { store, everything: scan.filters.is_empty(), ..Asked::default() };
        let conditions = scan.filters.iter().map(|filter| &filter.condition);
        for filter in conditions.flat_map(split_conjunction) {
            asked.add(filter);
            let text = filter.to_string().to_lowercase();
            asked.data_events |= DATA_WORDS.iter().any(|word| text.contains(word));
        }
        asked
    }

    fn add(&mut self, condition: &Expr) {
        match condition {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                // Either side may hold, so neither narrows the time; names still count.
                let times = (self.since, self.until);
                self.add(left);
                self.add(right);
                (self.since, self.until) = times;
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                match (left.as_ref(), right.as_ref()) {
                    (Expr::Column(column), Expr::Literal(value, _)) => {
                        self.compare(column, *op, value)
                    }
                    (Expr::Literal(value, _), Expr::Column(column)) => {
                        if let Some(op) = op.swap() {
                            self.compare(column, op, value);
                        }
                    }
                    _ => {}
                }
            }
            Expr::InList(list) if !list.negated => {
                let Expr::Column(column) = list.expr.as_ref() else { return };
                for value in &list.list {
                    if let Expr::Literal(value, _) = value {
                        self.compare(column, Operator::Eq, value);
                    }
                }
            }
            Expr::Between(Between { expr, negated: false, low, high }) => {
                if let (Expr::Column(column), Expr::Literal(low, _), Expr::Literal(high, _)) =
                    (expr.as_ref(), low.as_ref(), high.as_ref())
                {
                    self.compare(column, Operator::GtEq, low);
                    self.compare(column, Operator::LtEq, high);
                }
            }
            _ => {}
        }
    }

    fn compare(&mut self, column: &Column, op: Operator, value: &ScalarValue) {
        if column.name == TIME
            && let ScalarValue::TimestampMicrosecond(Some(micros), _) = value
        {
            if matches!(op, Operator::Gt | Operator::GtEq | Operator::Eq) {
                self.since = self.since.max(Some(*micros));
            }
            if matches!(op, Operator::Lt | Operator::LtEq | Operator::Eq) {
                self.until = Some(self.until.map_or(*micros, |until| until.min(*micros)));
            }
        }
        let Some(Some(text)) = value.try_as_str() else { return };
        match column.name.as_str() {
            "recipientAccountId" if op == Operator::Eq => self.accounts.insert(text.to_string()),
            "awsRegion" if op == Operator::Eq => self.regions.insert(text.to_string()),
            _ => false,
        };
    }
}
