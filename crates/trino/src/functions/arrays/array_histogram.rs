//! `array_histogram(array)`.

use datafusion::logical_expr::ScalarUDF;

use crate::functions::Function;
use crate::functions::maps::entries;
use crate::functions::support::{Scalar, Takes};

pub(super) fn function() -> Function {
    Function {
        family: "arrays",
        syntax: "array_histogram(array)",
        doc: "A map of the distinct elements to how often each occurs; NULL elements are ignored.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("array_histogram", &[Takes::Array], entries::counted, entries::count).udf()
}
