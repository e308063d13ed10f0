//! `ngrams(array, n)`.

use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::lists;
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
    lists::grouped(rows, |length, size| {
        if size < 1 {
            return exec_err!("N must be positive");
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(length);
        let count = length - size + 1;
        if count.saturating_mul(size) > ELEMENTS_MAX {
            return exec_err!("`ngrams` makes at most {ELEMENTS_MAX} elements");
        }
        Ok((0..count).map(|first| (first..first + size).collect()).collect())
    })
}
