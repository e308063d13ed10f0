//! `regexp_split(text, pattern)`.

use std::sync::Arc;

use datafusion::arrow::array::{ListBuilder, StringBuilder};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::matches::matches;
use super::pattern::Patterns;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchars};

pub(super) fn function() -> Function {
    Function {
        family: "regex",
        syntax: "regexp_split(text, pattern)",
        doc: "The parts between matches, empty ones at the end included.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("regexp_split", &[Takes::Text, Takes::Text], varchars, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, patterns) = (rows.text(0)?, rows.text(1)?);
    let mut patterns = Patterns::of(&patterns);
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..rows.count() {
        match (texts.get(row)?, patterns.get(row)?) {
            (Some(text), Some(regex)) => {
                let mut from = 0;
                for found in matches(regex, text) {
                    lists.values().append_value(&text[from..found.start]);
                    from = found.end;
                }
                lists.values().append_value(&text[from..]);
                lists.append(true);
            }
            _ => lists.append_null(),
        }
    }
    rows.finish(Arc::new(lists.finish()))
}
