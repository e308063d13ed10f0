//! `date(x)`.

use datafusion::arrow::datatypes::{DataType, FieldRef, TimestampMicrosecondType};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::clock::{self, Zone};
use super::read;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, date, invalid, is_text};
use crate::type_names::trino_type;

pub(super) fn function() -> Function {
    Function {
        family: "time",
        syntax: "date(timestamp), date(text)",
        doc: "The day of a timestamp, or the date that text such as `2023-01-31` spells; other \
              text is an error. The same as `CAST(x AS date)`.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("date", &[Takes::Any], day, invoke).udf()
}

fn day(args: &ReturnFieldArgs) -> Result<FieldRef> {
    match args.arg_fields[0].data_type() {
        DataType::Date32 | DataType::Timestamp(..) | DataType::Null => date(args),
        data_type if is_text(data_type) => date(args),
        _ => plan_err!(
            "`date` takes a timestamp or a varchar, not {}",
            trino_type(&args.arg_fields[0])
        ),
    }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    if is_text(rows.field(0).data_type()) {
        let texts = rows.text(0)?;
        return rows.primitives::<TimestampMicrosecondType>(|row| {
            let Some(text) = texts.get(row)? else { return Ok(None) };
            match read::timestamp(text) {
                Some(read) => Ok(Some(read.micros)),
                None => invalid(format!("Value cannot be cast to date: {text}")),
            }
        });
    }
    let zone = Zone::of(rows.field(0))?;
    let times = rows.micros(0)?;
    rows.primitives::<TimestampMicrosecondType>(|row| {
        let Some(time) = times.get(row) else { return Ok(None) };
        let day = clock::moment(zone.local(time)?)?.date();
        Ok(Some(clock::micros(day.and_time(chrono::NaiveTime::MIN))))
    })
}
