//! What statements see: AWS's tables over the physical columns. The only module that names fields
//! of CloudTrail's.
//!
//! A view is a projection that the planner inlines, so that `userIdentity.arn = 'x'` ends as a
//! filter on a physical column. Columns that a statement can select and `SELECT *` does not show
//! are part of the projection only when the statement mentions them.

pub(crate) mod absence;
mod aggregated;
mod athena;
mod calendar_day;
pub(crate) mod day_spelling;
mod digests;
mod event_context;
mod event_data;
pub(crate) mod flag_text;
mod insight_context;
mod insights;
mod lake;
mod record_time;
mod renamed_fields;
pub(crate) mod time_text;
mod whole_event;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use datafusion::common::{Column, JoinType, Result, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use crate::Rebuild;
use crate::late::{LateKind, late_column};
use crate::mentions;

pub(crate) use whole_event::WHOLE_EVENT;

/// The column every record table is ordered and filtered by.
pub(crate) const TIME: &str = "eventTime";

/// Athena's table of events.
pub(crate) const ATHENA: &str = "cloudtrail_logs";

/// The physical table that a view is made of.
pub(crate) fn stored_as(view: &str) -> &str {
    if view == ATHENA { "events" } else { view }
}

/// The columns of a view's physical table that hold JSON objects which statements see as maps.
pub(crate) fn map_columns(view: &str) -> &'static [&'static str] {
    match view {
        "events" => lake::MAPS,
        ATHENA => athena::MAPS,
        "insights" => insights::MAPS,
        _ => &[],
    }
}

/// The time column of a physical table, none when it has no month as its partition.
pub(crate) fn time_column(table: &str) -> Option<&'static str> {
    match table {
        "events" | "insights" | "aggregated" => Some(TIME),
        "digests" => Some("digestEndTime"),
        "objects" => Some("delivered_at"),
        _ => None,
    }
}

/// Whether the table holds records, with an identity, provenance and original bytes.
pub(crate) fn is_record_table(table: &str) -> bool {
    matches!(stored_as(table), "events" | "insights" | "aggregated")
}

/// Columns of every record table that `SELECT *` does not show.
const HIDDEN: &[&str] =
    &["eventJson", "eventJsonChecksum", "_object", "_index", "$path", "_delivered", "calendarday"];

/// The columns of `table` that `SELECT *` does not show.
pub(crate) fn hidden_columns(table: &str) -> Vec<&'static str> {
    match table {
        ATHENA => athena::HIDDEN.iter().chain(HIDDEN).copied().collect(),
        "events" => HIDDEN.iter().chain(lake::HIDDEN).copied().collect(),
        table if is_record_table(table) => HIDDEN.to_vec(),
        _ => Vec::new(),
    }
}

/// The columns of `table` that a statement can make the view have beside the visible ones.
pub(crate) fn on_demand(table: &str) -> Vec<&'static str> {
    let event = is_record_table(table).then_some(WHOLE_EVENT);
    hidden_columns(table).into_iter().chain(event).collect()
}

/// The hidden columns of any table that `sql` mentions. A word in a string literal counts too: a
/// column too many in a view costs nothing.
pub(crate) fn mentioned(sql: &str) -> Vec<&'static str> {
    let event = mentions::may_search(sql).then_some(WHOLE_EVENT);
    let sql = sql.to_lowercase();
    // `additionalEventData` mentions no `eventData`.
    let begins = |at: usize| !sql[..at].ends_with(char::is_alphanumeric);
    let is_mentioned =
        |name: &str| sql.match_indices(&name.to_lowercase()).any(|(at, _)| begins(at));
    let all = HIDDEN.iter().chain(lake::HIDDEN).chain(athena::HIDDEN).copied();
    all.filter(|name| is_mentioned(name)).chain(event).collect()
}

/// The columns of `table` as they are shown to people, marks kept: Athena's are lower case.
pub(crate) fn shown(table: &str, columns: &SchemaRef) -> SchemaRef {
    match table {
        ATHENA => Arc::new(Schema::new(lower_case(columns.fields()))),
        _ => Arc::clone(columns),
    }
}

fn lower_case(fields: &Fields) -> Fields {
    let lower = |field: &FieldRef| {
        let data_type = match field.data_type() {
            DataType::Struct(fields) => DataType::Struct(lower_case(fields)),
            DataType::List(element) => {
                let element = lower_case(&Fields::from(vec![Arc::clone(element)]));
                DataType::List(Arc::clone(&element[0]))
            }
            other => other.clone(),
        };
        let name = field.name().to_lowercase();
        Arc::new(field.as_ref().clone().with_name(name).with_data_type(data_type))
    };
    fields.iter().map(lower).collect()
}

/// A physical table, to build a view on.
pub(crate) struct Source<'a> {
    /// Its scan, narrowed by the session's `--since` and `--until`.
    pub(crate) plan: LogicalPlan,
    /// Its columns as they are stored.
    pub(crate) stored: &'a SchemaRef,
    /// How original bytes come back from a row.
    pub(crate) rebuild: &'a Arc<dyn Rebuild>,
    /// The scan of the ledger (`object_id`, `object_key`, `delivered_at`), for what it tells of an
    /// event's object.
    pub(crate) objects: Option<LogicalPlan>,
}

/// Returns the view of the record table or of `digests` named `table`.
///
/// # Errors
/// When the physical columns do not fit, which would be a fault of this module.
pub(crate) fn view(table: &str, source: Source<'_>, hidden: &[&str]) -> Result<LogicalPlan> {
    match table {
        "events" => build(source, false, lake::columns, hidden),
        ATHENA => build(source, true, athena::columns, hidden),
        "insights" => build(source, false, insights::columns, hidden),
        "aggregated" => build(source, false, aggregated::columns, hidden),
        _ => build(source, false, digests::columns, &[]),
    }
}

fn build(
    source: Source<'_>,
    lower_case: bool,
    columns: impl Fn(&Physical<'_>) -> Result<Vec<Expr>>,
    hidden: &[&str],
) -> Result<LogicalPlan> {
    let physical = Physical { stored: source.stored, lower_case };
    let mut exprs = columns(&physical)?;
    for name in hidden {
        exprs.push(hidden_column(name, &physical, &source)?);
    }
    let mut plan = LogicalPlanBuilder::from(source.plan);
    if let (true, Some(objects)) = (needs_objects(hidden), source.objects) {
        let on = (vec![Column::from_name("_object")], vec![Column::from_name("object_id")]);
        plan = plan.join(objects, JoinType::Left, on, None)?;
    }
    plan.project(exprs)?.build()
}

/// Whether the ledger must be read for one of the columns `hidden`.
pub(crate) fn needs_objects(hidden: &[&str]) -> bool {
    hidden.iter().any(|name| matches!(*name, "$path" | "_delivered"))
}

fn hidden_column(name: &str, physical: &Physical<'_>, source: &Source<'_>) -> Result<Expr> {
    if let Some(column) = athena::hidden_column(name, physical)? {
        return Ok(column);
    }
    let late = |kind| {
        let inputs = source.rebuild.columns();
        let inputs = inputs
            .iter()
            .filter_map(|name| source.plan.schema().field_with_unqualified_name(name).ok());
        let inputs: Vec<Field> = inputs.map(|field| field.as_ref().clone()).collect();
        late_column(kind, &inputs, source.stored, source.rebuild).alias(name)
    };
    Ok(match name {
        "eventJson" => late(LateKind::Text),
        "eventJsonChecksum" => late(LateKind::Checksum),
        "$path" => match source.objects {
            Some(_) => Expr::from(Column::from_name("object_key")).alias("$path"),
            None => null(DataType::Utf8View, "$path")?,
        },
        "eventData" => {
            event_data::event_data(&physical.column("_unknown_fields")?).alias("eventData")
        }
        "_delivered" => match source.objects {
            Some(_) => Expr::from(Column::from_name("delivered_at")).alias("_delivered"),
            None => null(DataType::Timestamp(TimeUnit::Microsecond, None), "_delivered")?,
        },
        WHOLE_EVENT => whole_event::whole_event(physical)?,
        "calendarday" => calendar_day::calendar_day(physical.column(TIME)?).alias("calendarday"),
        name => physical.column(name)?,
    })
}

/// The physical columns a view is made of. A column that an older lake does not have is NULL.
pub(crate) struct Physical<'a> {
    stored: &'a SchemaRef,
    /// Whether the names of fields are in lower case.
    lower_case: bool,
}

impl Physical<'_> {
    fn has(&self, name: &str) -> bool {
        self.stored.field_with_name(name).is_ok()
    }

    /// The column `name`.
    fn column(&self, name: &str) -> Result<Expr> {
        match self.has(name) {
            true => Ok(Expr::from(Column::from_name(name))),
            false => null(DataType::Utf8View, name),
        }
    }

    /// The columns `names`.
    fn columns(&self, names: &[&str]) -> Result<Vec<Expr>> {
        names.iter().map(|name| self.column(name)).collect()
    }

    /// A row of text columns: the field `name` is the physical column `prefix_name`.
    fn row(&self, prefix: &str, names: &[&str]) -> Result<Row> {
        let mut row = Row::empty();
        for name in names {
            row = self.with_field(row, name, &format!("{prefix}_{name}"))?;
        }
        Ok(row)
    }

    /// Adds the field `name`, which is the physical column `column`.
    fn with_field(&self, row: Row, name: &str, column: &str) -> Result<Row> {
        let value = self.column(column)?;
        let name = if self.lower_case { name.to_lowercase() } else { name.to_string() };
        let present = if self.has(column) { value.clone().is_not_null() } else { lit(false) };
        Ok(row.with(&name, value, present))
    }
}

/// A row that is NULL when none of its fields holds a value.
struct Row {
    present: Expr,
    fields: Vec<(String, Expr)>,
}

impl Row {
    /// A row without fields, never present.
    fn empty() -> Row {
        Row { present: lit(false), fields: Vec::new() }
    }

    /// Adds a field that counts for the row's presence.
    fn with(mut self, name: &str, value: Expr, present: Expr) -> Row {
        self.present = self.present.or(present);
        self.fields.push((name.to_string(), value));
        self
    }

    /// Adds a row as a field.
    fn with_row(self, name: &str, row: Row) -> Row {
        let present = row.present.clone();
        self.with(name, row.build(), present)
    }

    fn build(self) -> Expr {
        traillake_trino::row_if::row_if(self.present, self.fields)
    }
}

fn null(data_type: DataType, name: &str) -> Result<Expr> {
    Ok(Expr::Literal(ScalarValue::try_from(&data_type)?, None).alias(name))
}
