//! `from_unixtime_nanos(x)`, `from_iso8601_timestamp_nanos(text)`: timestamps of nanoseconds.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, TimestampNanosecondArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, FieldRef, TimeUnit};
use datafusion::common::{Result, exec_datafusion_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs};

use super::from_iso8601;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, invalid, returns};
use crate::type_names::trino_type;

pub(super) fn functions() -> Vec<Function> {
    let function =
        |syntax, doc, udf| Function { family: "time", syntax, doc, url: super::URL, udf };
    vec![
        function(
            "from_unixtime_nanos(nanoseconds)",
            "The timestamp(9) with time zone of a bigint or decimal of nanoseconds since 1970, half \
             away from zero; from 1677 to 2262.",
            Scalar::new("from_unixtime_nanos", &[Takes::Any], of_number, of_nanos).udf(),
        ),
        function(
            "from_iso8601_timestamp_nanos(text)",
            "The timestamp(9) with time zone that ISO 8601 text spells; without a zone it is UTC.",
            Scalar::new("from_iso8601_timestamp_nanos", &[Takes::Text], nanoseconds, of_text).udf(),
        ),
    ]
}

fn nanoseconds(_args: &ReturnFieldArgs) -> Result<FieldRef> {
    returns(DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())))
}

fn of_number(args: &ReturnFieldArgs) -> Result<FieldRef> {
    match args.arg_fields[0].data_type() {
        data_type if data_type.is_integer() || data_type.is_null() => nanoseconds(args),
        DataType::Decimal128(..) => nanoseconds(args),
        _ => plan_err!(
            "`from_unixtime_nanos` takes a bigint or a decimal, not {}",
            trino_type(&args.arg_fields[0])
        ),
    }
}

fn out_of_range() -> datafusion::common::DataFusionError {
    exec_datafusion_err!("timestamp out of range of nanoseconds")
}

fn finish(rows: &Rows, values: impl Iterator<Item = Result<Option<i64>>>) -> Result<ColumnarValue> {
    let values: TimestampNanosecondArray = values.collect::<Result<_>>()?;
    rows.finish(Arc::new(values.with_timezone("UTC")))
}

fn of_nanos(rows: &Rows) -> Result<ColumnarValue> {
    let whole = match rows.field(0).data_type() {
        DataType::Decimal128(..) => rows.full_array(0)?,
        _ => cast(&rows.full_array(0)?, &DataType::Decimal128(38, 0))?,
    };
    let whole = whole.as_primitive::<Decimal128Type>();
    let unit = 10_i128.pow(u32::try_from(whole.scale()).unwrap_or(0));
    let values = (0..rows.count()).map(|row| {
        if whole.is_null(row) {
            return Ok(None);
        }
        let value = whole.value(row);
        let rounded = (value + value.signum() * (unit / 2)) / unit;
        i64::try_from(rounded).map(Some).map_err(|_| out_of_range())
    });
    finish(rows, values)
}

fn of_text(rows: &Rows) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    let values = (0..rows.count()).map(|row| {
        let Some(text) = texts.get(row)? else { return Ok(None) };
        let Some(micros) = from_iso8601::moment(text) else {
            return invalid(format!("invalid format: `{text}` is not ISO 8601"));
        };
        let nanos = micros.checked_mul(1000).ok_or_else(out_of_range)?;
        Ok(Some(nanos + below_micros(text)))
    });
    finish(rows, values)
}

/// Returns the seventh to ninth digit of the second's fraction.
fn below_micros(text: &str) -> i64 {
    let digits = text.split_once('.').map_or("", |(_, after)| after);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    format!("{:0<9}", &digits[..end])[6..9].parse().unwrap_or(0)
}
