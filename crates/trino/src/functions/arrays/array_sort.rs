//! `array_sort(array)`.

use datafusion::arrow::array::make_comparator;
use datafusion::arrow::compute::SortOptions;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::lists;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, same_as};

pub(super) fn function() -> Function {
    Function {
        family: "arrays",
        syntax: "array_sort(array)",
        doc: "The elements in ascending order, NULLs last.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("array_sort", &[Takes::Array], |args| Ok(same_as(args, 0)), invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let list = lists::list(rows, 0)?;
    let options = SortOptions { descending: false, nulls_first: false };
    let compare = make_comparator(list.values(), list.values(), options)?;
    lists::rearranged(rows, |_, range| {
        let mut places: Vec<u32> = range.collect();
        places.sort_by(|a, b| compare(*a as usize, *b as usize));
        Some(places)
    })
}
