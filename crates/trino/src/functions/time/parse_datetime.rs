//! `parse_datetime(text, pattern)`.

use datafusion::arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::clock::{self, Zone};
use super::joda_pattern::Pattern;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, timestamp_utc};

pub(super) fn function() -> Function {
    Function {
        family: "time",
        syntax: "parse_datetime(text, pattern)",
        doc: "The timestamp(3) with time zone that the text spells by a pattern of Joda's \
              (`yyyy-MM-dd HH:mm:ss Z`); UTC unless the text names a zone, and shown in UTC. Parts \
              that the pattern does not name are those of 1970-01-01 00:00 (of the year 2000 when \
              it names a month or day but no year); two digits are a year of 1970 to 2069. Text \
              that does not fit is an error.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("parse_datetime", &[Takes::Text, Takes::Text], timestamp_utc, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, patterns) = (rows.text(0)?, rows.text(1)?);
    let parse = |text: &str| Pattern::parse(text).map_err(|fault| exec_datafusion_err!("{fault}"));
    let constant = patterns.constant().map(parse).transpose()?;
    rows.primitives::<TimestampMicrosecondType>(|row| {
        let (Some(text), Some(pattern)) = (texts.get(row)?, patterns.get(row)?) else {
            return Ok(None);
        };
        let read = match &constant {
            Some(pattern) => pattern.read(text),
            None => parse(pattern)?.read(text),
        };
        let (at, zone) = read.map_err(|fault| exec_datafusion_err!("{fault}"))?;
        let local = clock::micros(at);
        match zone {
            Some(name) => Zone::named(&name)?.utc(local).map(Some),
            None => Ok(Some(local)),
        }
    })
}
