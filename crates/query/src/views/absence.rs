//! No silent "no": why an answer may be empty.
//!
//! CloudTrail records object-level calls of S3, Lambda and DynamoDB (data events) only where a trail
//! selects them (CloudTrail User Guide, "Logging data events"), so "nobody read the bucket" and
//! "nobody looked" give the same empty answer. What the statement asked for is read from the
//! conditions its scans were handed, and compared with what the lake has ever held.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, LogicalPlanBuilder, Operator, lit};
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::{ExecutionPlan, collect};

use super::TIME;
use crate::notes::{Note, NoteKind};
use crate::pins::Pins;
use crate::prune::time_range;
use crate::scan::{Scan, scans};

/// Values that a statement names, looked up at most so many.
const VALUES_MAX: usize = 8;

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

/// Returns what may explain that nothing was found.
pub(crate) async fn notes(state: &SessionState, pins: &Pins) -> Vec<Note> {
    let Some(asked) = scans(&pins.scans).iter().find(|scan| is_events(scan)).map(Asked::of) else {
        return Vec::new();
    };
    let probe = Probe { state, pins: pins.unlogged(), store: asked.store.clone() };
    // A note is a courtesy: when a look-up fails, the answer still stands.
    let found = probe.explain(&asked).await.unwrap_or_default();
    found.into_iter().map(|text| Note::new(NoteKind::Absence, text)).collect()
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

/// Small look-ups in the same snapshot.
struct Probe<'a> {
    state: &'a SessionState,
    pins: Pins,
    store: String,
}

impl Probe<'_> {
    async fn explain(&self, asked: &Asked) -> Result<Vec<String>> {
        let files = self.pins.files_of(&self.store, "events").await?;
        if files.iter().all(|file| file.rows == 0) {
            return Ok(vec![format!("the store `{}` holds no events yet", self.store)]);
        }
        let mut texts = Vec::new();
        let range = time_range(&files, TIME);
        texts.extend(range.and_then(|range| outside(range, asked)));
        let out_of_range = !texts.is_empty();
        for (column, what, values) in [
            ("recipientAccountId", "account", &asked.accounts),
            ("awsRegion", "region", &asked.regions),
        ] {
            for value in values.iter().take(VALUES_MAX) {
                if !self.any(column_of(column).eq(lit(value.as_str()))).await? {
                    texts.push(format!(
                        "no event of {what} `{value}` was ever recorded in this lake"
                    ));
                }
            }
        }
        if asked.data_events || asked.everything {
            texts.extend(self.data_events(asked, out_of_range).await?);
        }
        Ok(texts)
    }

    /// What to say of data events. That none fell into a time of which the lake has nothing at all
    /// goes without saying.
    async fn data_events(&self, asked: &Asked, out_of_range: bool) -> Result<Option<String>> {
        let data = column_of("eventCategory").eq(lit("Data"));
        let unlabelled = column_of("eventCategory").is_null();
        let older = unlabelled.and(column_of("managementEvent").eq(lit(false)));
        let data = data.or(older);
        let selects = "CloudTrail records calls on S3 objects, Lambda functions and DynamoDB items \
                       (data events) only where a trail selects them";
        if !self.any(data.clone()).await? {
            return Ok(Some(format!("data events were never recorded in this lake: {selects}")));
        }
        let Some(range) = time_condition(asked).filter(|_| !out_of_range) else {
            return Ok(None);
        };
        let recorded = self.any(data.and(range)).await?;
        Ok((!recorded).then(|| format!("no data events were recorded in that time: {selects}")))
    }

    /// Whether any event meets `condition`.
    async fn any(&self, condition: Expr) -> Result<bool> {
        let scan = self.pins.scan(&self.store, "events").await?;
        let plan = LogicalPlanBuilder::from(scan)
            .filter(condition)?
            .project(vec![column_of(TIME)])?
            .limit(0, Some(1))?
            .build()?;
        let plan = self.state.create_physical_plan(&plan).await?;
        let rows = collect(plan, self.state.task_ctx()).await?;
        Ok(rows.iter().any(|batch| batch.num_rows() > 0))
    }
}

fn column_of(name: &str) -> Expr {
    Expr::Column(Column::from_name(name))
}

fn time_condition(asked: &Asked) -> Option<Expr> {
    let time = |micros| lit(ScalarValue::TimestampMicrosecond(Some(micros), None));
    let since = asked.since.map(|since| column_of(TIME).gt_eq(time(since)));
    let until = asked.until.map(|until| column_of(TIME).lt_eq(time(until)));
    [since, until].into_iter().flatten().reduce(Expr::and)
}

/// Says so when the time asked for and the time the lake knows do not meet.
fn outside((first, last): (DateTime<Utc>, DateTime<Utc>), asked: &Asked) -> Option<String> {
    let after = asked.since.is_some_and(|since| since > last.timestamp_micros());
    let before = asked.until.is_some_and(|until| until < first.timestamp_micros());
    if !after && !before {
        return None;
    }
    let show = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M:%S").to_string();
    let edge = |micros: Option<i64>| micros.and_then(DateTime::from_timestamp_micros).map(show);
    let asked = match (edge(asked.since), edge(asked.until)) {
        (Some(since), Some(until)) => format!("from {since} to {until}"),
        (Some(since), None) => format!("from {since} on"),
        (None, until) => format!("until {}", until.unwrap_or_default()),
    };
    let (first, last) = (show(first), show(last));
    Some(format!(
        "this lake holds events from {first} to {last}; the statement asks for events {asked}"
    ))
}
