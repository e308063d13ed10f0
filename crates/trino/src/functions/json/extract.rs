//! `json_extract(json, path)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::Paths;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes};
use crate::json;

pub(super) fn function() -> Function {
    Function {
        family: "json",
        syntax: "json_extract(json, path)",
        doc: "The value at a path such as `$.a.b[0]['k']`, as json; NULL when there is none or the \
              text is not JSON. Paths with `..` or `*` are errors.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("json_extract", &[Takes::Text, Takes::Text], super::json, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, paths) = (rows.text(0)?, rows.text(1)?);
    let paths = Paths::of(&paths)?;
    rows.texts(|row| {
        let (Some(text), Some(path)) = (texts.get(row)?, paths.get(row)?) else { return Ok(None) };
        Ok(path.walk(text).map(|value| json::compact(&value).into_owned()))
    })
}
