//! `$subscript(value, index)`: what `value[index]` means, by the type of `value`.
//!
//! Arrays count from 1, and an index outside them is an error, as is a missing key of a map that
//! the query made: Trino's rules (<https://trino.io/docs/current/language/types.html#array>,
//! <https://trino.io/docs/current/functions/map.html#subscript-operator>).
//!
//! A missing key of a stored map (`requestParameters['k']`) is NULL instead. Trino evaluates the
//! conditions of a WHERE in order, so `eventName = 'X' AND requestParameters['k'] = 'y'` runs
//! there; DataFusion evaluates them in any order and would fail on events that the first condition
//! excludes. In values taken out of a map, arrays count from 0, as in JSON.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};
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
        DataType::Struct(_) => plan_err!(
            "{} has no subscript; write `.name` or `element_at`",
            trino_type(&args.arg_fields[0])
        ),
        DataType::Null => Ok(Arc::new(Field::new("", DataType::Null, true))),
        _ => lookup::result(args),
    }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    lookup::invoke(rows, Missing::Fails)
}
