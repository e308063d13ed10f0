//! `element_at(map, key)`, `element_at(array, index)`.

use datafusion::logical_expr::ScalarUDF;

use super::lookup::{self, Missing};
use crate::functions::Function;
use crate::functions::support::{Scalar, Takes};

pub(super) fn function() -> Function {
    Function {
        family: "maps",
        syntax: "element_at(map, key), element_at(array, index)",
        doc: "The value of a key, or the element at an index counted from 1 (from the end when \
              negative); NULL when there is none. Index 0 is an error.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("element_at", &[Takes::Any, Takes::Any], lookup::result, |rows| {
        lookup::invoke(rows, Missing::IsNull)
    })
    .udf()
}
