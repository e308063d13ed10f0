//! A table that somebody else keeps, of which no more is read than the statement wants: its conditions
//! are handed on when it is planned. All of them hold for what comes back, because they are looked at
//! again here.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{MemTable, Session, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;

use crate::options::{SystemTable, Wanted};

/// Microseconds that are read more on either side, so that it does not matter what a cast rounds.
const MARGIN: i64 = 1_000_000;

/// The table.
#[derive(Debug)]
pub(crate) struct Narrowed(pub(crate) Arc<dyn SystemTable>);

#[async_trait]
impl TableProvider for Narrowed {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wanted = wanted(filters, limit);
        let rows = self.0.rows_of(&wanted).await.map_err(DataFusionError::Execution)?;
        let table = MemTable::try_new(rows.schema(), vec![vec![rows]])?;
        table.scan(state, projection, &[], limit).await
    }
}

/// Returns what the conditions say of single columns; what they say beyond that is left out.
fn wanted(filters: &[Expr], limit: Option<usize>) -> Wanted {
    // A limit counts rows for which all conditions hold.
    let limit = limit.filter(|_| filters.is_empty());
    let mut wanted = Wanted { limit, ..Wanted::default() };
    for filter in filters {
        let Some((name, op, value)) = compared(filter) else { continue };
        let name = || name.to_owned();
        match (op, value.try_as_str().flatten(), micros(value)) {
            (Operator::Eq, Some(text), _) => wanted.equal.push((name(), text.to_owned())),
            (Operator::Gt | Operator::GtEq, _, Some(time)) => {
                wanted.from.push((name(), time.saturating_sub(MARGIN)));
            }
            (Operator::Lt | Operator::LtEq, _, Some(time)) => {
                wanted.until.push((name(), time.saturating_add(MARGIN)));
            }
            _ => {}
        }
    }
    wanted
}

/// Returns the column, the operator and the value of a comparison of these.
fn compared(condition: &Expr) -> Option<(&str, Operator, &ScalarValue)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return None };
    match (column(left), value(right)) {
        (Some(name), Some(value)) => Some((name, *op, value)),
        _ => Some((column(right)?, op.swap()?, value(left)?)),
    }
}

/// Returns the name of a column, which may be cast to what it is compared with.
fn column(side: &Expr) -> Option<&str> {
    match side {
        Expr::Column(column) => Some(&column.name),
        Expr::Cast(cast) if is_kept_by(cast.field.data_type()) => column(&cast.expr),
        _ => None,
    }
}

/// Whether a text or a time is the same when it is cast to that type, but for parts of a second.
fn is_kept_by(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Timestamp(_, zone) => is_utc(zone.as_deref()),
        _ => false,
    }
}

/// In another zone the same moment is another time of day.
fn is_utc(zone: Option<&str>) -> bool {
    zone.is_none_or(|zone| matches!(zone, "UTC" | "+00:00"))
}

fn value(side: &Expr) -> Option<&ScalarValue> {
    match side {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

/// Returns a time in microseconds.
fn micros(value: &ScalarValue) -> Option<i64> {
    let (micros, zone) = match value {
        ScalarValue::TimestampSecond(Some(time), zone) => (time.checked_mul(1_000_000), zone),
        ScalarValue::TimestampMillisecond(Some(time), zone) => (time.checked_mul(1_000), zone),
        ScalarValue::TimestampMicrosecond(Some(time), zone) => (Some(*time), zone),
        ScalarValue::TimestampNanosecond(Some(time), zone) => (Some(time.div_euclid(1_000)), zone),
        _ => return None,
    };
    micros.filter(|_| is_utc(zone.as_deref()))
}
