//! `at_timezone(timestamp, zone)`, which `x AT TIME ZONE zone` becomes.

use std::sync::Arc;

use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::clock::{Zone, zone_name};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, constant_text};

pub(super) fn function() -> Function {
    Function {
        family: "time",
        syntax: "at_timezone(timestamp, zone), timestamp AT TIME ZONE zone",
        doc: "The same moment on the clock of a zone, which must be a literal. A timestamp without \
              zone is UTC.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("at_timezone", &[Takes::Time, Takes::Text], result, invoke).udf()
}

fn result(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let Some(name) = constant_text(args, 1) else {
        return plan_err!("the zone of `AT TIME ZONE` must be a literal");
    };
    Zone::named(name)?;
    let unit = match args.arg_fields[0].data_type() {
        DataType::Timestamp(unit, _) => *unit,
        _ => TimeUnit::Millisecond,
    };
    Ok(Arc::new(Field::new("", DataType::Timestamp(unit, Some(zone_name(name))), true)))
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let DataType::Timestamp(unit, _) = rows.args.return_field.data_type() else {
        return plan_err!("`at_timezone` returns a timestamp");
    };
    // Through UTC: Arrow reads a timestamp without zone as the target's wall clock.
    let array = rows.array(0)?;
    let utc = cast(&array, &DataType::Timestamp(*unit, Some("UTC".into())))?;
    rows.finish(cast(&utc, rows.args.return_field.data_type())?)
}
