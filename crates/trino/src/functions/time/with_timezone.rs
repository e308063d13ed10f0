//! `with_timezone(timestamp, zone)`, `timezone(timestamp)`.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs};

use super::clock::{Zone, zone_name};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, constant_text, varchar};
use crate::type_names::trino_type;

pub(super) fn functions() -> Vec<Function> {
    let function =
        |syntax, doc, udf| Function { family: "time", syntax, doc, url: super::URL, udf };
    vec![
        function(
            "with_timezone(timestamp, zone)",
            "The moment at which the clock of the zone, which must be a literal, shows the \
             timestamp; a timestamp that has a zone is an error.",
            Scalar::new("with_timezone", &[Takes::Time, Takes::Text], result, invoke).udf(),
        ),
        function(
            "timezone(timestamp with time zone)",
            "The name of the timestamp's zone: `UTC`, `Asia/Tokyo`, `+01:00`.",
            Scalar::new("timezone", &[Takes::Any], name, names).udf(),
        ),
    ]
}

fn result(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let Some(name) = constant_text(args, 1) else {
        return plan_err!("the zone of `with_timezone` must be a literal");
    };
    Zone::named(name)?;
    let unit = match args.arg_fields[0].data_type() {
        DataType::Timestamp(_, Some(_)) => {
            return plan_err!(
                "`with_timezone` takes a timestamp without time zone; `at_timezone` shows the \
                 same moment in another zone"
            );
        }
        DataType::Timestamp(unit, _) => *unit,
        _ => TimeUnit::Millisecond,
    };
    Ok(Arc::new(Field::new("", DataType::Timestamp(unit, Some(zone_name(name))), true)))
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let DataType::Timestamp(_, Some(zone)) = rows.args.return_field.data_type() else {
        return plan_err!("`with_timezone` returns a timestamp with time zone");
    };
    let zone = Zone::named(zone)?;
    let times = rows.micros(0)?;
    rows.primitives::<TimestampMicrosecondType>(|row| {
        times.get(row).map(|local| zone.utc(local)).transpose()
    })
}

fn name(args: &ReturnFieldArgs) -> Result<FieldRef> {
    match args.arg_fields[0].data_type() {
        DataType::Timestamp(_, Some(_)) | DataType::Null => varchar(args),
        _ => plan_err!(
            "`timezone` takes a timestamp with time zone, not {}",
            trino_type(&args.arg_fields[0])
        ),
    }
}

fn names(rows: &Rows) -> Result<ColumnarValue> {
    let DataType::Timestamp(_, zone) = rows.field(0).data_type() else {
        return rows.texts(|_| Ok(None::<&str>));
    };
    let times = rows.micros(0)?;
    rows.texts(|row| Ok(times.get(row).and(zone.as_deref())))
}
