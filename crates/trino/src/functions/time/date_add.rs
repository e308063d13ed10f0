//! `date_add(unit, count, timestamp)`.

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
        syntax: "date_add(unit, count, timestamp)",
        doc: "The timestamp moved by `count` units (millisecond to year), backwards when negative. \
              A day that a month does not have becomes its last one. Dates take days and longer.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Text, Takes::Integer, Takes::Time];
    Scalar::new("date_add", &takes, |args| Ok(same_as(args, 2)), invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (units, counts, times) = (rows.text(0)?, rows.integer(1)?, rows.micros(2)?);
    let zone = Zone::of(rows.field(2))?;
    let is_date = *rows.field(2).data_type() == DataType::Date32;
    rows.primitives::<TimestampMicrosecondType>(|row| {
        let (Some(unit), Some(count), Some(time)) =
            (units.get(row)?, counts.get(row), times.get(row))
        else {
            return Ok(None);
        };
        let unit = Unit::parse(unit)?;
        if is_date && !unit.fits_date() {
            return exec_err!("a date cannot move by parts of a day; cast it to a timestamp");
        }
        if unit.fits_date() {
            return zone.utc(unit.add(zone.local(time)?, count)?).map(Some);
        }
        unit.add(time, count).map(Some)
    })
}
