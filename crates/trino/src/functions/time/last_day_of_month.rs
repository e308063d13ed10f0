//! `last_day_of_month(x)`.

use datafusion::arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::clock::Zone;
use super::unit::Unit;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, date};

pub(super) fn function() -> Function {
    Function {
        family: "time",
        syntax: "last_day_of_month(date | timestamp)",
        doc: "The date of the last day of the month.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("last_day_of_month", &[Takes::Time], date, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let times = rows.micros(0)?;
    let zone = Zone::of(rows.field(0))?;
    rows.primitives::<TimestampMicrosecondType>(|row| {
        let Some(micros) = times.get(row) else { return Ok(None) };
        let first = Unit::Month.truncate(zone.local(micros)?)?;
        Unit::Day.add(Unit::Month.add(first, 1)?, -1).map(Some)
    })
}
