//! `json_parse(text)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, invalid};
use crate::json;

pub(super) fn function() -> Function {
    Function {
        family: "json",
        syntax: "json_parse(text)",
        doc: "The text as json, without white space; text that is not JSON (or nested more than \
              200 deep) is an error. Unlike Trino, keys keep their order.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("json_parse", &[Takes::Text], super::json, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    rows.texts(|row| {
        let Some(text) = texts.get(row)? else { return Ok(None) };
        if !json::is_valid(text) {
            let shown: String = text.chars().take(100).collect();
            return invalid(format!("Cannot convert value to JSON: '{shown}'"));
        }
        Ok(Some(json::compact(text).into_owned()))
    })
}
