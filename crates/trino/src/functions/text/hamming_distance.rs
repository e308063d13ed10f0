//! `hamming_distance(text1, text2)`.

use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint};

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "hamming_distance(text1, text2)",
        doc: "The places at which two texts differ; texts of different lengths are an error.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("hamming_distance", &[Takes::Text, Takes::Text], bigint, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (left, right) = (rows.text(0)?, rows.text(1)?);
    rows.primitives::<Int64Type>(|row| {
        let (Some(left), Some(right)) = (left.get(row)?, right.get(row)?) else { return Ok(None) };
        if left.chars().count() != right.chars().count() {
            return exec_err!(
                "The input strings to hamming_distance function must have the same length"
            );
        }
        Ok(Some(left.chars().zip(right.chars()).filter(|(a, b)| a != b).count() as i64))
    })
}
