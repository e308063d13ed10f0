//! `levenshtein_distance(text1, text2)`.

use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint};
use crate::names::edit_distance;

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "levenshtein_distance(text1, text2)",
        doc: "The edits that turn one text into the other, in characters. Texts whose \
              lengths multiply to more than 1,000,000 are an error.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("levenshtein_distance", &[Takes::Text, Takes::Text], bigint, invoke).udf()
}

/// Trino's own bound on the product of the lengths, which is the time it takes.
const PRODUCT_MAX: usize = 1_000_000;

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (left, right) = (rows.text(0)?, rows.text(1)?);
    rows.primitives::<Int64Type>(|row| {
        let (Some(left), Some(right)) = (left.get(row)?, right.get(row)?) else { return Ok(None) };
        let left: Vec<char> = left.chars().collect();
        let right: Vec<char> = right.chars().collect();
        let product = left.len().saturating_mul(right.len().saturating_sub(1));
        if product > PRODUCT_MAX {
            return exec_err!("The combined inputs for Levenshtein distance are too large");
        }
        Ok(Some(edit_distance(&left, &right) as i64))
    })
}
