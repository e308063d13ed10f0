//! `split(text, delimiter[, limit])`.

use std::sync::Arc;

use datafusion::arrow::array::{ListBuilder, StringBuilder};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchars};

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "split(text, delimiter), split(text, delimiter, limit)",
        doc: "The parts between delimiters; with a limit, at most so many, the last one holding \
              the rest. An empty delimiter and a limit below 1 are errors.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Text, Takes::Text];
    Scalar::new("split", &takes, varchars, invoke).optional(&[Takes::Integer]).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, delimiters) = (rows.text(0)?, rows.text(1)?);
    let limits = (rows.width() > 2).then(|| rows.integer(2)).transpose()?;
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..rows.count() {
        let limit = match &limits {
            None => Some(i64::MAX),
            Some(column) => column.get(row),
        };
        let (Some(text), Some(delimiter), Some(limit)) =
            (texts.get(row)?, delimiters.get(row)?, limit)
        else {
            lists.append_null();
            continue;
        };
        if delimiter.is_empty() {
            return exec_err!("The delimiter may not be the empty string");
        }
        if limit < 1 {
            return exec_err!("Limit must be positive");
        }
        if limits.is_some() && limit > i64::from(i32::MAX) {
            return exec_err!("Limit is too large");
        }
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        text.splitn(most, delimiter).for_each(|part| lists.values().append_value(part));
        lists.append(true);
    }
    rows.finish(Arc::new(lists.finish()))
}
