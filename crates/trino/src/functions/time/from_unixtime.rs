//! `from_unixtime(seconds[, zone])`.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::clock::{Zone, offset_name, zone_name};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, constant_text, invalid, timestamp_utc};

pub(super) fn function() -> Function {
    Function {
        family: "time",
        syntax: "from_unixtime(seconds), from_unixtime(seconds, zone), \
                 from_unixtime(seconds, hours, minutes)",
        doc: "The timestamp(3) with time zone of seconds since 1970, a fraction rounded to \
              milliseconds; UTC unless a zone, or the hours and minutes of its offset, are given as \
              literals.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("from_unixtime", &[Takes::Number], result, invoke)
        .optional(&[Takes::Any, Takes::Integer])
        .udf()
}

fn result(args: &ReturnFieldArgs) -> Result<FieldRef> {
    if args.arg_fields.len() == 1 {
        return timestamp_utc(args);
    }
    let name = match args.arg_fields.len() {
        2 => constant_text(args, 1).map(str::to_owned),
        _ => match (constant_integer(args, 1), constant_integer(args, 2)) {
            (Some(hours), Some(minutes)) => {
                let offset = hours.checked_mul(60).and_then(|hours| hours.checked_add(minutes));
                let Some(name) = offset.and_then(offset_name) else {
                    return plan_err!(
                        "`from_unixtime` has no zone of {hours} hours {minutes} minutes"
                    );
                };
                Some(name)
            }
            _ => None,
        },
    };
    let Some(name) = name else {
        return plan_err!("the zone of `from_unixtime` must be a literal");
    };
    Zone::named(&name)?;
    let data_type = DataType::Timestamp(TimeUnit::Millisecond, Some(zone_name(&name)));
    Ok(Arc::new(Field::new("", data_type, true)))
}

fn constant_integer(args: &ReturnFieldArgs, at: usize) -> Option<i64> {
    let value = args.scalar_arguments.get(at).copied().flatten()?;
    match value.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(value)) => value,
        _ => None,
    }
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
