//! `format_datetime(timestamp, pattern)`.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::clock::{Zone, moment};
use super::joda_pattern::{Pattern, ZoneText};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn function() -> Function {
    Function {
        family: "time",
        syntax: "format_datetime(timestamp, pattern)",
        doc: "The timestamp written by a pattern of Joda's: `yyyy-MM-dd HH:mm:ss.SSS`, `EEE`, \
              `MMMM`, `ZZ`. Of a timestamp without zone, `z` and `Z` are errors.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("format_datetime", &[Takes::Time, Takes::Text], varchar, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (times, patterns) = (rows.micros(0)?, rows.text(1)?);
    let zone = Zone::of(rows.field(0))?;
    let id = match rows.field(0).data_type() {
        DataType::Timestamp(_, Some(id)) => Some(id.to_string()),
        _ => None,
    };
    let parse = |text: &str| -> Result<Pattern> {
        let pattern = Pattern::parse(text).map_err(|fault| exec_datafusion_err!("{fault}"))?;
        match (id.is_none(), pattern.has_zone()) {
            (true, true) => {
                exec_err!("format_datetime of a timestamp without time zone cannot use `z` or `Z`")
            }
            _ => Ok(pattern),
        }
    };
    let constant = patterns.constant().map(parse).transpose()?;
    rows.texts(|row| {
        let (Some(time), Some(text)) = (times.get(row), patterns.get(row)?) else {
            return Ok(None);
        };
        let at = moment(zone.local(time)?)?;
        let named = ZoneText {
            id: id.clone().unwrap_or_default(),
            short: zone.abbreviation(time)?,
            offset: zone.offset_minutes(time)?,
        };
        match &constant {
            Some(pattern) => Ok(Some(pattern.format(at, &named))),
            None => Ok(Some(parse(text)?.format(at, &named))),
        }
    })
}
