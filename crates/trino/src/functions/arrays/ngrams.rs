//! `ngrams(array, n)`.

use datafusion::arrow::array::Array;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::lists::{self, Nested};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes};

/// Elements of all n-grams of one array: they take the square of the array's length.
const ELEMENTS_MAX: usize = 1_000_000;

pub(super) fn function() -> Function {
    Function {
        family: "arrays",
        syntax: "ngrams(array, n)",
        doc: "The runs of `n` neighbouring elements, an array of arrays; the whole array when it is \
              shorter. More than 1,000,000 elements in all is an error.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Array, Takes::Integer];
    Scalar::new("ngrams", &takes, lists::array_of_arrays, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let list = lists::list(rows, 0)?;
    let sizes = rows.integer(1)?;
    let mut nested = Nested::default();
    for row in 0..list.len() {
        let (Some(size), true) = (sizes.get(row), list.is_valid(row)) else {
            nested.push_null();
            continue;
        };
        if size < 1 {
            return exec_err!("N must be positive");
        }
        let range = lists::range(&list, row);
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(range.len());
        let count = range.len() - size + 1;
        if count.saturating_mul(size) > ELEMENTS_MAX {
            return exec_err!("`ngrams` makes at most {ELEMENTS_MAX} elements");
        }
        nested.push((0..count as u32).map(|at| {
            let first = range.start + at;
            (first..first + size as u32).collect::<Vec<_>>()
        }))?;
    }
    nested.finish(rows, list.values())
}
