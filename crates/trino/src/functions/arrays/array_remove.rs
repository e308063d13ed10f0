//! `array_remove(array, element)`.

use datafusion::arrow::array::Array;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::lists;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, same_as};

pub(super) fn function() -> Function {
    Function {
        family: "arrays",
        syntax: "array_remove(array, element)",
        doc: "The array without any such element; NULL when the element is NULL.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("array_remove", &[Takes::Array, Takes::Any], |args| Ok(same_as(args, 0)), invoke)
        .udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let list = lists::list(rows, 0)?;
    let (equal, unwanted) = (lists::equal_to(rows, &list, 1)?, rows.full_array(1)?.logical_nulls());
    lists::rearranged(rows, |row, range| {
        let known = !unwanted.as_ref().is_some_and(|nulls| nulls.is_null(row));
        known.then(|| range.filter(|place| !equal.value(*place as usize)).collect())
    })
}
