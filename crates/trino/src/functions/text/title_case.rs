//! `title_case(text)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::case::{lower, upper};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "title_case(text)",
        doc: "The text with the first character of every word, which white space parts, in upper \
              case and the rest in lower case.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("title_case", &[Takes::Text], varchar, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    rows.texts(|row| {
        let Some(text) = texts.get(row)? else { return Ok(None) };
        let mut inside = false;
        let titled = text.chars().map(|c| {
            let first = !std::mem::replace(&mut inside, !c.is_whitespace());
            if first { upper(c) } else { lower(c) }
        });
        Ok(Some(titled.collect::<String>()))
    })
}
