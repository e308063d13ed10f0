//! `array_position(array, element)`.

use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::lists;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint};

pub(super) fn function() -> Function {
    Function {
        family: "arrays",
        syntax: "array_position(array, element)",
        doc: "The place of the first such element, from 1; 0 when there is none; NULL when the array or the element is.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("array_position", &[Takes::Array, Takes::Any], bigint, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let list = lists::list(rows, 0)?;
    let (equal, wanted) = (lists::equal_to(rows, &list, 1)?, rows.full_array(1)?.logical_nulls());
    rows.primitives::<Int64Type>(|row| {
        if list.is_null(row) || wanted.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(None);
        }
        let found = lists::range(&list, row).position(|place| equal.value(place as usize));
        Ok(Some(found.map_or(0, |at| at as i64 + 1)))
    })
}
