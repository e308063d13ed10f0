//! `regexp_count(text, pattern)`.

use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::matches::matches;
use super::pattern::Patterns;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint};

pub(super) fn function() -> Function {
    Function {
        family: "regex",
        syntax: "regexp_count(text, pattern)",
        doc: "The number of matches.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("regexp_count", &[Takes::Text, Takes::Text], bigint, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, patterns) = (rows.text(0)?, rows.text(1)?);
    let mut patterns = Patterns::of(&patterns);
    rows.primitives::<Int64Type>(|row| {
        let Some(regex) = patterns.get(row)? else { return Ok(None) };
        Ok(texts.get(row)?.map(|text| matches(regex, text).count() as i64))
    })
}
