//! `date_format(timestamp, pattern)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::clock::{Zone, moment};
use super::mysql_pattern;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, invalid, varchar};

pub(super) fn function() -> Function {
    Function {
        family: "time",
        syntax: "date_format(timestamp, pattern)",
        doc: "The timestamp written by a MySQL pattern: `%Y-%m-%d %H:%i:%s`. `%D %U %u %V %w %X` \
              are errors, as in Trino.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("date_format", &[Takes::Time, Takes::Text], varchar, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (times, patterns) = (rows.micros(0)?, rows.text(1)?);
    let zone = Zone::of(rows.field(0))?;
    rows.texts(|row| {
        let (Some(time), Some(pattern)) = (times.get(row), patterns.get(row)?) else {
            return Ok(None);
        };
        let written = mysql_pattern::format(pattern, moment(zone.local(time)?)?);
        written.map(Some).or_else(invalid)
    })
}
