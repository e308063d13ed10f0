//! Small look-ups in the snapshot of a query that found nothing.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use chrono::{DateTime, Utc};
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::execution::session_state::SessionState;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast, lit};
use datafusion::physical_plan::collect;
use traillake_store::At;

use super::{Asked, TIME};
use crate::pins::{Pin, Pins, external};
use crate::prune::time_range;

/// Values that a statement names, looked up at most so many.
const VALUES_MAX: usize = 8;

/// Why data events may be absent.
const SELECTS: &str = "CloudTrail records calls on S3 objects, Lambda functions and DynamoDB items \
                       (data events) only where a trail selects them";

/// Looks into one store.
pub(super) struct Probe<'a> {
    state: &'a SessionState,
    pins: Pins,
    store: &'a str,
}

impl<'a> Probe<'a> {
    pub(super) fn new(state: &'a SessionState, pins: &Pins, store: &'a str) -> Probe<'a> {
        Probe { state, pins: pins.unlogged(), store }
    }

    /// What to say of a table that holds nothing at all.
    pub(super) async fn empty(&self, table: &str) -> Result<String> {
        let store = self.store;
        let (what, usual) = match table {
            "insights" => (
                "Insights events",
                "CloudTrail writes them only where Insights is enabled, under `CloudTrail-Insight/`",
            ),
            "aggregated" => (
                "aggregated events",
                "CloudTrail writes them only where data events are aggregated, under \
                 `CloudTrail-Aggregated/`",
            ),
            "digests" => (
                "digests",
                "CloudTrail writes them only where log file validation is enabled, under \
                 `CloudTrail-Digest/`",
            ),
            _ => ("events", ""),
        };
        let mut reasons = self.lost(table).await?;
        if reasons.is_empty() && usual.is_empty() {
            return Ok(format!("the store `{store}` holds no events yet"));
        }
        if reasons.is_empty() {
            reasons.push(usual.to_string());
        }
        Ok(format!("the store `{store}` holds no {what}: {}", reasons.join("; ")))
    }

    /// Where rows that a table could hold went instead.
    async fn lost(&self, table: &str) -> Result<Vec<String>> {
        let mut reasons = Vec::new();
        let expired = self.expired(table).await?;
        if expired > 0 {
            reasons.push(format!("{expired} are past its retention and have left it"));
        }
        if table != "events" {
            return Ok(reasons);
        }
        let [objects, deselected] = self.not_stored().await.unwrap_or([0; 2]);
        if objects > 0 {
            reasons.push(format!(
                "{objects} object{} rejected, as a whole or in part; `system.rejects` says why",
                if objects == 1 { " was" } else { "s were" },
            ));
        }
        if deselected > 0 {
            reasons.push(format!("event selectors left out {deselected}"));
        }
        Ok(reasons)
    }

    /// How many objects of the ledger have rejects, and how many records were deselected.
    async fn not_stored(&self) -> Result<[i64; 2]> {
        let Some(pin) = self.pins.stores.get(self.store).filter(|pin| pin.snapshot.token > 0)
        else {
            return Ok([0; 2]);
        };
        // The query itself has no need of the ledger.
        let store = self.pins.lake.store_of(pin.info.clone());
        let ledger = store.pin(Some(At::Token(pin.snapshot.token))).await.map_err(external)?;
        let objects = BTreeSet::from(["objects".to_string()]);
        let snapshot = ledger.open(&objects).await.map_err(external)?;
        let pin = Pin { info: pin.info.clone(), snapshot };
        let stores = BTreeMap::from([(self.store.to_string(), pin)]);
        let scan = Pins { stores, ..self.pins.clone() }.scan(self.store, "objects").await?;
        let rejected = cast(column_of("rejects").gt(lit(0)), DataType::Int64);
        let sums = [rejected, column_of("deselected")];
        let sums = sums.map(|number| sum(cast(number, DataType::Int64)));
        let plan = LogicalPlanBuilder::from(scan).aggregate(Vec::<Expr>::new(), sums)?.build()?;
        let plan = self.state.create_physical_plan(&plan).await?;
        let rows = collect(plan, self.state.task_ctx()).await?;
        let of = |column: usize| {
            let batch = rows.iter().find(|batch| batch.num_rows() > 0);
            let sums = batch.and_then(|rows| rows.column(column).as_primitive_opt::<Int64Type>());
            sums.map_or(0, |sums| sums.value(0))
        };
        Ok([of(0), of(1)])
    }

    /// What may explain that nothing meets the conditions of a scan of `events`.
    pub(super) async fn explain(&self, asked: &Asked) -> Result<Vec<String>> {
        let files = self.pins.files_of(self.store, "events").await?;
        let here = self.here();
        let mut texts = Vec::new();
        let range = time_range(&files, TIME);
        texts.extend(range.and_then(|range| outside(&here, range, asked)));
        let out_of_range = !texts.is_empty();
        // What has left the store may have been recorded.
        let ever = self.expired("events").await? == 0;
        for (column, what, values) in [
            ("recipientAccountId", "account", &asked.accounts),
            ("awsRegion", "region", &asked.regions),
        ] {
            for value in values.iter().take(VALUES_MAX) {
                if !self.any(column_of(column).eq(lit(value.as_str()))).await? {
                    let verb = if ever { "was ever recorded" } else { "is left" };
                    texts.push(format!("no event of {what} `{value}` {verb} in {here}"));
                }
            }
        }
        if asked.data_events || asked.everything {
            texts.extend(self.data_events(asked, out_of_range, ever).await?);
        }
        Ok(texts)
    }

    /// What to say of data events. That none fell into a time of which the lake has nothing at all
    /// goes without saying.
    ///
    /// Events say what they are since eventVersion 1.06 (`managementEvent`) and 1.07
    /// (`eventCategory`; CloudTrail User Guide, "CloudTrail record contents"). Of older ones, which
    /// have neither, nothing is claimed.
    async fn data_events(
        &self,
        asked: &Asked,
        out_of_range: bool,
        ever: bool,
    ) -> Result<Option<String>> {
        let unlabelled = || column_of("eventCategory").is_null();
        let managed = || column_of("managementEvent");
        let data = column_of("eventCategory").eq(lit("Data"));
        let data = data.or(unlabelled().and(managed().eq(lit(false))));
        let unmarked = unlabelled().and(managed().is_null());
        let (any_data, any_unmarked) =
            (self.any(data.clone()).await?, self.any(unmarked.clone()).await?);
        if !any_data && !any_unmarked {
            let here = self.here();
            return Ok(Some(match ever {
                true => format!("data events were never recorded in {here}: {SELECTS}"),
                false => format!("no data events are left in {here}: {SELECTS}"),
            }));
        }
        let none_then = match ever {
            true => format!("no data events were recorded in that time: {SELECTS}"),
            false => format!("no data events are left of that time: {SELECTS}"),
        };
        let cannot_tell = |when: &str| {
            format!(
                "whether data events were recorded{when} cannot be told: events of versions before \
                 1.07 may not say what they are. {SELECTS}"
            )
        };
        let Some(range) = time_condition(asked).filter(|_| !out_of_range) else {
            return Ok((!any_data && !out_of_range).then(|| cannot_tell("")));
        };
        if any_data && self.any(data.and(range.clone())).await? {
            return Ok(None);
        }
        Ok(Some(match any_unmarked && self.any(unmarked.and(range)).await? {
            true => cannot_tell(" in that time"),
            false => none_then,
        }))
    }

    /// The lake, unless it has other stores too: they may hold what this one does not.
    fn here(&self) -> String {
        match self.pins.all_stores.len() {
            0 | 1 => "this lake".to_string(),
            _ => format!("the store `{}`", self.store),
        }
    }

    /// How many rows have left a table for being past retention.
    async fn expired(&self, table: &str) -> Result<u64> {
        let Some(pin) = self.pins.stores.get(self.store) else { return Ok(0) };
        match (pin.info.settings.number, pin.snapshot.table(table)) {
            // What never had a setting never lost a row.
            (0, _) | (_, None) => Ok(0),
            (_, Some(table)) => Ok(table.expired().await.map_err(external)?.rows),
        }
    }

    /// Whether any event meets `condition`.
    async fn any(&self, condition: Expr) -> Result<bool> {
        let scan = self.pins.scan(self.store, "events").await?;
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
fn outside(
    here: &str,
    (first, last): (DateTime<Utc>, DateTime<Utc>),
    asked: &Asked,
) -> Option<String> {
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
        "{here} holds events from {first} to {last}; the statement asks for events {asked}"
    ))
}
