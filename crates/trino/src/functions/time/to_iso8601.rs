//! `to_iso8601(x)`.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::clock::{Zone, moment};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn function() -> Function {
    Function {
        family: "time",
        syntax: "to_iso8601(date | timestamp)",
        doc: "ISO 8601 text: `2023-01-31`, `2023-01-31T10:00:00.000`, with `Z` or the offset when \
              the timestamp has a zone.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("to_iso8601", &[Takes::Time], varchar, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let times = rows.micros(0)?;
    let zone = Zone::of(rows.field(0))?;
    let (unit, zoned) = match rows.field(0).data_type() {
        DataType::Timestamp(unit, zone) => (*unit, zone.is_some()),
        _ => {
            return rows.texts(|row| {
                times
                    .get(row)
                    .map(|micros| Ok(moment(micros)?.format("%F").to_string()))
                    .transpose()
            });
        }
    };
    let pattern = match unit {
        TimeUnit::Second => "%FT%T",
        TimeUnit::Millisecond => "%FT%T%.3f",
        TimeUnit::Microsecond | TimeUnit::Nanosecond => "%FT%T%.6f",
    };
    rows.texts(|row| {
        let Some(micros) = times.get(row) else { return Ok(None) };
        let mut text = moment(zone.local(micros)?)?.format(pattern).to_string();
        if zoned {
            text.push_str(&offset(zone.offset_minutes(micros)?));
        }
        Ok(Some(text))
    })
}

fn offset(minutes: i64) -> String {
    if minutes == 0 {
        return "Z".to_owned();
    }
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}
