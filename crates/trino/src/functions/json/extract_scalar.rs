//! `json_extract_scalar(json, path)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::Paths;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};
use crate::json;

pub(super) fn function() -> Function {
    Function {
        family: "json",
        syntax: "json_extract_scalar(json, path)",
        doc: "The string, number or boolean at a path, as varchar; NULL for null, arrays, objects, \
              and where there is nothing.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("json_extract_scalar", &[Takes::Text, Takes::Text], varchar, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, paths) = (rows.text(0)?, rows.text(1)?);
    let paths = Paths::of(&paths)?;
    rows.texts(|row| {
        let (Some(text), Some(path)) = (texts.get(row)?, paths.get(row)?) else { return Ok(None) };
        let Some(value) = path.walk(text) else { return Ok(None) };
        if value.starts_with(['{', '[']) {
            return Ok(None);
        }
        Ok(json::text(&value).map(|text| text.into_owned()))
    })
}
