//! `date_trunc(unit, timestamp)`.

use datafusion::arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::clock::Zone;
use super::unit::Unit;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, same_as};

pub(super) fn function() -> Function {
    Function {
        family: "time",
        syntax: "date_trunc(unit, timestamp)",
        doc: "The start of the unit (millisecond to year; weeks start on Monday) that the value \
              lies in, on the clock of its zone; a date stays a date.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Text, Takes::Time];
    Scalar::new("date_trunc", &takes, |args| Ok(same_as(args, 1)), invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (units, times) = (rows.text(0)?, rows.micros(1)?);
    let zone = Zone::of(rows.field(1))?;
    let is_date = *rows.field(1).data_type() == DataType::Date32;
    let constant = units.constant().map(Unit::parse).transpose()?;
    rows.primitives::<TimestampMicrosecondType>(|row| {
        let (Some(name), Some(time)) = (units.get(row)?, times.get(row)) else { return Ok(None) };
        let unit = constant.map_or_else(|| Unit::parse(name), Ok)?;
        if is_date && !unit.fits_date() {
            return exec_err!("`{name}` is shorter than a day; a date has none");
        }
        zone.utc(unit.truncate(zone.local(time)?)?).map(Some)
    })
}
