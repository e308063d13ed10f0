//! `$subscript(value, index)`: what `value[index]` means, by the type of `value`.
//!
//! Arrays count from 1, and an index outside them is an error, as is a missing key of a map that
//! the query made: Trino's rules (<https://trino.io/docs/current/language/types.html#array>,
//! <https://trino.io/docs/current/functions/map.html#subscript-operator>).
//!
//! The fields of a row are read by their place, from 1.
//!
//! A missing key of a stored map (`requestParameters['k']`) is NULL instead. Trino evaluates the
//! conditions of a WHERE in order, so `eventName = 'X' AND requestParameters['k'] = 'y'` runs
//! there; DataFusion evaluates them in any order and would fail on events that the first condition
//! excludes. In values taken out of a map, arrays count from 0, as in JSON.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use crate::functions::maps::lookup::{self, Missing};
use crate::functions::support::{Rows, Scalar, Takes};
use crate::rewrite::internal::SUBSCRIPT;
use crate::type_names::trino_type;

pub(super) fn udf() -> ScalarUDF {
    Scalar::new(SUBSCRIPT, &[Takes::Any, Takes::Any], returns, invoke).udf()
}

fn returns(args: &ReturnFieldArgs) -> Result<FieldRef> {
    match args.arg_fields[0].data_type() {
        DataType::Struct(fields) => match args.scalar_arguments.get(1).copied().flatten() {
            Some(ScalarValue::Int64(Some(place))) if position(fields, *place).is_some() => {
                let at = position(fields, *place).unwrap_or_default();
                Ok(Arc::new(fields[at].as_ref().clone().with_name("").with_nullable(true)))
            }
            _ => plan_err!(
                "{} has no such field; write `.name`, or a place from 1 to {}",
                trino_type(&args.arg_fields[0]),
                fields.len()
            ),
        },
        DataType::Null => Ok(Arc::new(Field::new("", DataType::Null, true))),
        _ => lookup::result(args),
    }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    lookup::invoke(rows, Missing::Fails)
}

/// Returns the place of a row's field; the first is 1.
pub(crate) fn position(fields: &Fields, place: i64) -> Option<usize> {
    let at = usize::try_from(place).ok()?.checked_sub(1)?;
    (at < fields.len()).then_some(at)
}
