//! `array_max(array)`, `array_min(array)`: NULL when any element is NULL, where DataFusion's ignore
//! it.

use std::sync::Arc;

use datafusion::arrow::array::{Array, UInt32Array, make_comparator};
use datafusion::arrow::compute::{SortOptions, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs};

use super::lists;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes};

pub(super) fn functions() -> Vec<Function> {
    let function =
        |syntax, doc, udf| Function { family: "arrays", syntax, doc, url: super::URL, udf };
    vec![
        function(
            "array_max(array)",
            "The largest element; NULL when one is NULL or there is none.",
            Scalar::new("array_max", &[Takes::Array], element, |rows| pick(rows, true)).udf(),
        ),
        function(
            "array_min(array)",
            "The smallest element; NULL when one is NULL or there is none.",
            Scalar::new("array_min", &[Takes::Array], element, |rows| pick(rows, false)).udf(),
        ),
        function(
            "array_first(array)",
            "The first element; NULL when there is none.",
            Scalar::new("array_first", &[Takes::Array], element, |rows| at_end(rows, true)).udf(),
        ),
        function(
            "array_last(array)",
            "The last element; NULL when there is none.",
            Scalar::new("array_last", &[Takes::Array], element, |rows| at_end(rows, false)).udf(),
        ),
    ]
}

fn element(args: &ReturnFieldArgs) -> Result<FieldRef> {
    Ok(match args.arg_fields[0].data_type() {
        DataType::List(element) => {
            Arc::new(element.as_ref().clone().with_name("").with_nullable(true))
        }
        _ => Arc::new(Field::new("", DataType::Null, true)),
    })
}

fn pick(rows: &Rows, largest: bool) -> Result<ColumnarValue> {
    let list = lists::list(rows, 0)?;
    let compare = make_comparator(list.values(), list.values(), SortOptions::default())?;
    let places: UInt32Array = (0..list.len())
        .map(|row| {
            let mut range = lists::range(&list, row);
            if list.is_null(row) || range.clone().any(|at| list.values().is_null(at as usize)) {
                return None;
            }
            let first = range.next()?;
            Some(range.fold(first, |best, place| {
                let order = compare(place as usize, best as usize);
                if (largest && order.is_gt()) || (!largest && order.is_lt()) { place } else { best }
            }))
        })
        .collect();
    rows.finish(take(list.values(), &places, None)?)
}

fn at_end(rows: &Rows, first: bool) -> Result<ColumnarValue> {
    let list = lists::list(rows, 0)?;
    let places: UInt32Array = (0..list.len())
        .map(|row| {
            let mut range = lists::range(&list, row);
            let place = if first { range.next() } else { range.next_back() };
            place.filter(|_| list.is_valid(row))
        })
        .collect();
    rows.finish(take(list.values(), &places, None)?)
}
