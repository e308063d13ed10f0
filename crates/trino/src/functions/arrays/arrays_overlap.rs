//! `arrays_overlap(array1, array2)`.

use std::collections::HashSet;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::compute::cast;
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::lists;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, boolean};

pub(super) fn function() -> Function {
    Function {
        family: "arrays",
        syntax: "arrays_overlap(array1, array2)",
        doc: "Whether the arrays have an element in common that is not NULL; NULL when they have \
              none and either has a NULL.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("arrays_overlap", &[Takes::Array, Takes::Array], boolean, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (left, right) = (lists::list(rows, 0)?, lists::list(rows, 1)?);
    let element = lists::common_type(&left.value_type(), &right.value_type())?;
    let converter = RowConverter::new(vec![SortField::new(element.clone())])?;
    let convert = |values: &ArrayRef| -> Result<_> {
        Ok(converter.convert_columns(&[cast(values, &element)?])?)
    };
    let (of_left, of_right) = (convert(left.values())?, convert(right.values())?);
    let present =
        |values: &ArrayRef, at: u32| !values.data_type().is_null() && values.is_valid(at as usize);
    rows.booleans(|row| {
        if left.is_null(row) || right.is_null(row) {
            return Ok(None);
        }
        let (in_left, in_right) = (lists::range(&left, row), lists::range(&right, row));
        let known: HashSet<_> = in_left
            .clone()
            .filter(|at| present(left.values(), *at))
            .map(|at| of_left.row(at as usize))
            .collect();
        let mut others = in_right.clone().filter(|at| present(right.values(), *at));
        if others.any(|at| known.contains(&of_right.row(at as usize))) {
            return Ok(Some(true));
        }
        let is_null = |values: &ArrayRef, at: u32| !present(values, at);
        let nulls = in_left.clone().any(|at| is_null(left.values(), at))
            || in_right.clone().any(|at| is_null(right.values(), at));
        Ok(if nulls { None } else { Some(false) })
    })
}
