//! `json_size(json, path)`.

use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::Paths;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint};
use crate::json;

pub(super) fn function() -> Function {
    Function {
        family: "json",
        syntax: "json_size(json, path)",
        doc: "The number of members or elements at a path, 0 for a scalar, NULL where there is \
              nothing.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("json_size", &[Takes::Text, Takes::Text], bigint, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, paths) = (rows.text(0)?, rows.text(1)?);
    let paths = Paths::of(&paths)?;
    rows.primitives::<Int64Type>(|row| {
        let (Some(text), Some(path)) = (texts.get(row)?, paths.get(row)?) else { return Ok(None) };
        Ok(path.walk(text).map(|value| {
            let members = json::members(&value).map(Iterator::count);
            members.or_else(|| json::elements(&value).map(Iterator::count)).unwrap_or(0) as i64
        }))
    })
}
