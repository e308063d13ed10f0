//! `system.coverage`: what was collected, by account, region, day, event category and type of
//! resource; days without an event: `empty` where somebody listed what was delivered and nothing was
//! there, `not collected` where nobody did; and beside either `missing`, of days of which digests name
//! log files that never came. An event on resources of several types counts once for each of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Date32Builder, ListBuilder, StringBuilder};
use arrow::datatypes::{DataType, Date32Type, Field};
use datafusion::common::{DataFusionError, JoinType, Result, ScalarValue};
use datafusion::functions::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::{count, count_distinct, max, min};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility, cast, lit, when,
};

use super::column;

/// What names a day; and how the same are called on the side of what was listed.
const DAY: [&str; 3] = ["account", "region", "day"];
const LISTED_DAY: [&str; 3] = ["listed_account", "listed_region", "listed_day"];
/// What events of a day are told apart by.
const KINDS: [&str; 2] = ["eventCategory", "resource_type"];
const FIGURES: [&str; 4] = ["objects", "events", "first_event_at", "last_event_at"];

/// The view over scans of the physical `events`, of `system.listed`, where anything was, and of
/// `system.missing`, where there are digests.
///
/// # Errors
/// When the columns do not fit, which would be a fault of this module.
pub(crate) fn view(
    events: LogicalPlan,
    listed: Option<LogicalPlan>,
    missing: Option<LogicalPlan>,
) -> Result<LogicalPlan> {
    let found = with_state(found(events.clone())?, "collected")?;
    let kinds = found.clone();
    let mut all = LogicalPlanBuilder::from(found);
    if let Some(missing) = missing {
        all = all.union(with_state(days_with_missing(&kinds, missing)?, "missing")?)?;
    }
    let shown = [&DAY[..], &KINDS, &FIGURES, &["state"]].concat();
    let shown = || shown.iter().map(|name| column(name));
    let Some(listed) = listed else {
        return all.project(shown().chain([lit(false).alias("listed")]))?.build();
    };
    let days = days(listed)?;
    let was_listed = coalesce(vec![column("was_listed"), lit(false)]).alias("listed");
    let gaps = without_events(&kinds, days.clone(), events)?;
    all.join(days, JoinType::Left, (DAY.to_vec(), LISTED_DAY.to_vec()), None)?
        .project(shown().chain([was_listed]))?
        .union(gaps)?
        .build()
}

fn with_state(days: LogicalPlan, state: &str) -> Result<LogicalPlan> {
    let shown = [&DAY[..], &KINDS, &FIGURES].concat();
    let shown = shown.iter().map(|name| column(name)).chain([lit(state).alias("state")]);
    LogicalPlanBuilder::from(days).project(shown)?.build()
}

/// A NULL of the type that a column of the view has.
fn null(of: &LogicalPlan, name: &str) -> Result<Expr> {
    let kind = column(name).get_type(of.schema())?;
    Ok(lit(ScalarValue::try_from(&kind)?).alias(name))
}

/// How many log files never came, by the day of their first event.
fn days_with_missing(like: &LogicalPlan, missing: LogicalPlan) -> Result<LogicalPlan> {
    let figures = vec![
        count(lit(1)).alias(FIGURES[0]),
        min(column(FIGURES[2])).alias(FIGURES[2]),
        max(column(FIGURES[3])).alias(FIGURES[3]),
    ];
    let typed = |name: &str| {
        let kind = column(name).get_type(like.schema())?;
        Ok::<_, DataFusionError>(cast(column(name), kind).alias(name))
    };
    LogicalPlanBuilder::from(missing)
        .aggregate(DAY.map(column), figures)?
        .project(vec![
            typed(DAY[0])?,
            typed(DAY[1])?,
            typed(DAY[2])?,
            null(like, KINDS[0])?,
            null(like, KINDS[1])?,
            column(FIGURES[0]),
            lit(0_i64).alias(FIGURES[1]),
            typed(FIGURES[2])?,
            typed(FIGURES[3])?,
        ])?
        .build()
}

/// Days that are known and have no event, with the columns of the view.
fn without_events(
    found: &LogicalPlan,
    days: LogicalPlan,
    events: LogicalPlan,
) -> Result<LogicalPlan> {
    let state = when(column("was_listed"), lit("empty")).otherwise(lit("not collected"))?;
    let named = LISTED_DAY.iter().zip(DAY).map(|(name, day)| column(name).alias(day));
    let shown = named.chain([
        null(found, KINDS[0])?,
        null(found, KINDS[1])?,
        lit(0_i64).alias(FIGURES[0]),
        lit(0_i64).alias(FIGURES[1]),
        null(found, FIGURES[2])?,
        null(found, FIGURES[3])?,
        state.alias("state"),
        column("was_listed").alias("listed"),
    ]);
    let some = LogicalPlanBuilder::from(events).project(day_of_event())?.distinct()?.build()?;
    LogicalPlanBuilder::from(days)
        .join(some, JoinType::LeftAnti, (LISTED_DAY.to_vec(), DAY.to_vec()), None)?
        .project(shown)?
        .build()
}

fn day_of_event() -> Vec<Expr> {
    vec![
        column("recipientAccountId").alias(DAY[0]),
        column("awsRegion").alias(DAY[1]),
        cast(column("eventTime"), DataType::Date32).alias(DAY[2]),
    ]
}

/// Days with events.
fn found(events: LogicalPlan) -> Result<LogicalPlan> {
    let signature = Signature::any(1, Volatility::Immutable);
    let types = ScalarUDF::from(ResourceTypes { signature }).call(vec![column("resources")]);
    let mut shown = day_of_event();
    shown.extend([column(KINDS[0]), types.alias(KINDS[1]), column("_object"), column("eventTime")]);
    let figures = vec![
        count_distinct(column("_object")).alias(FIGURES[0]),
        count(lit(1)).alias(FIGURES[1]),
        min(column("eventTime")).alias(FIGURES[2]),
        max(column("eventTime")).alias(FIGURES[3]),
    ];
    LogicalPlanBuilder::from(events)
        .project(shown)?
        .unnest_column(KINDS[1])?
        .aggregate(DAY.into_iter().chain(KINDS).map(column), figures)?
        .build()
}

/// Days that are known, one a row.
fn days(listed: LogicalPlan) -> Result<LogicalPlan> {
    let signature = Signature::any(2, Volatility::Immutable);
    let each = ScalarUDF::from(DaysBetween { signature });
    let each = each.call(vec![column("first_day"), column("last_day")]);
    let shown = vec![
        column("account").alias(LISTED_DAY[0]),
        column("region").alias(LISTED_DAY[1]),
        each.alias(LISTED_DAY[2]),
        column("listed").alias("was_listed"),
    ];
    LogicalPlanBuilder::from(listed).project(shown)?.unnest_column(LISTED_DAY[2])?.build()
}

/// The days from a first to a last one.
#[derive(Debug, PartialEq, Eq, Hash)]
struct DaysBetween {
    signature: Signature,
}

impl ScalarUDFImpl for DaysBetween {
    fn name(&self) -> &str {
        "days_between"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new("item", DataType::Date32, true))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ends = ColumnarValue::values_to_arrays(&args.args)?;
        let (first, last) =
            (ends[0].as_primitive::<Date32Type>(), ends[1].as_primitive::<Date32Type>());
        let mut days = ListBuilder::new(Date32Builder::new());
        for row in 0..args.number_rows {
            (first.value(row)..=last.value(row)).for_each(|day| days.values().append_value(day));
            days.append(true);
        }
        Ok(ColumnarValue::Array(Arc::new(days.finish())))
    }
}

/// The distinct types of an event's resources; one NULL where it has none.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ResourceTypes {
    signature: Signature,
}

impl ScalarUDFImpl for ResourceTypes {
    fn name(&self) -> &str {
        "resource_types"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let lists = ColumnarValue::values_to_arrays(&args.args)?;
        let mut types = ListBuilder::new(StringBuilder::new());
        let list = lists[0].as_list_opt::<i32>();
        for row in 0..args.number_rows {
            let resources = list.filter(|list| list.is_valid(row)).map(|list| list.value(row));
            let kinds =
                resources.as_ref().and_then(|rows| rows.as_struct_opt()?.column_by_name("type"));
            let kinds = kinds.map(|kinds| kinds.as_string::<i32>().iter().flatten().collect());
            let kinds: BTreeSet<&str> = kinds.unwrap_or_default();
            match kinds.is_empty() {
                true => types.values().append_null(),
                false => kinds.into_iter().for_each(|kind| types.values().append_value(kind)),
            }
            types.append(true);
        }
        Ok(ColumnarValue::Array(Arc::new(types.finish())))
    }
}
