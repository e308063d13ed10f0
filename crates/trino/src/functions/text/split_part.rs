//! `split_part(text, delimiter, index)`.

use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "split_part(text, delimiter, index)",
        doc: "The part at `index`, from 1; NULL when there are fewer parts. An index below 1 is an \
              error. With an empty delimiter the parts are the characters.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Text, Takes::Text, Takes::Integer];
    Scalar::new("split_part", &takes, varchar, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, delimiters, indices) = (rows.text(0)?, rows.text(1)?, rows.integer(2)?);
    rows.texts(|row| {
        let (Some(text), Some(delimiter), Some(index)) =
            (texts.get(row)?, delimiters.get(row)?, indices.get(row))
        else {
            return Ok(None);
        };
        if index < 1 {
            return exec_err!("Index must be greater than zero, not {index}");
        }
        let at = usize::try_from(index - 1).unwrap_or(usize::MAX);
        if delimiter.is_empty() {
            return Ok(text.chars().nth(at).map(String::from));
        }
        Ok(text.split(delimiter).nth(at).map(str::to_owned))
    })
}
