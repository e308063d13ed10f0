//! `$json_text_at(json, key)`: PostgreSQL's and DuckDB's `json ->> 'key'`, as text.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::logical_expr::{ReturnFieldArgs, ScalarUDF};

use crate::functions::support::{Scalar, Takes, is_text};
use crate::json_path::{JsonPath, Step};
use crate::{json, map};

pub(super) fn udf() -> ScalarUDF {
    let returns =
        |_args: &ReturnFieldArgs| Ok(Arc::new(map::payload(Field::new("", DataType::Utf8, true))));
    Scalar::new("$json_text_at", &[Takes::Text, Takes::Any], returns, |rows| {
        let text = rows.text(0)?;
        let step: Box<dyn Fn(usize) -> datafusion::common::Result<Option<JsonPath>>> =
            if is_text(rows.field(1).data_type()) {
                let keys = rows.text(1)?;
                Box::new(move |row| Ok(keys.get(row)?.map(path_of)))
            } else {
                let indices = rows.integer(1)?;
                Box::new(move |row| {
                    let step = indices.get(row).map(Step::Element);
                    Ok(step.map(|step| JsonPath { steps: vec![step] }))
                })
            };
        rows.texts(|row| {
            let (Some(json), Some(path)) = (text.get(row)?, step(row)?) else { return Ok(None) };
            let value = path.walk(json);
            Ok(value.and_then(|value| json::text(&value).map(|text| text.into_owned())))
        })
    })
    .udf()
}

/// DuckDB reads `'$.a.b'` as a path, PostgreSQL any text as a key.
fn path_of(key: &str) -> JsonPath {
    let path = key.starts_with('$').then(|| JsonPath::parse(key).ok()).flatten();
    path.unwrap_or_else(|| JsonPath { steps: vec![Step::Member(key.to_owned())] })
}
