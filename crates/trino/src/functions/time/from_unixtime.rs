//! `from_unixtime(seconds[, zone])`.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::clock::{Zone, zone_name};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, constant_text, invalid, timestamp_utc};

pub(super) fn function() -> Function {
    Function {
        family: "time",
        syntax: "from_unixtime(seconds), from_unixtime(seconds, zone)",
        doc: "The timestamp(3) with time zone of seconds since 1970, a fraction rounded to \
              milliseconds; UTC unless a zone is given.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("from_unixtime", &[Takes::Number], result, invoke).optional(&[Takes::Text]).udf()
}

fn result(args: &ReturnFieldArgs) -> Result<FieldRef> {
    if args.arg_fields.len() == 1 {
        return timestamp_utc(args);
    }
    let Some(name) = constant_text(args, 1) else {
        return plan_err!("the zone of `from_unixtime` must be a literal");
    };
    Zone::named(name)?;
    let data_type = DataType::Timestamp(TimeUnit::Millisecond, Some(zone_name(name)));
    Ok(Arc::new(Field::new("", data_type, true)))
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let seconds = rows.number(0)?;
    rows.primitives::<TimestampMicrosecondType>(|row| {
        let Some(seconds) = seconds.get(row) else { return Ok(None) };
        let millis = (seconds * 1000.0).round();
        if !millis.is_finite() || millis.abs() > 9.0e15 {
            return invalid(format!("timestamp out of range: {seconds} seconds"));
        }
        Ok(Some(millis as i64 * 1000))
    })
}
