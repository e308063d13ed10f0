//! `from_hex(text)`.

use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varbinary};

pub(super) fn function() -> Function {
    Function {
        family: "binary",
        syntax: "from_hex(text)",
        doc: "The bytes of hexadecimal text; other text is an error.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("from_hex", &[Takes::Text], varbinary, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    rows.binaries(|row| {
        let Some(text) = texts.get(row)? else { return Ok(None) };
        let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
        match digits.filter(|digits| digits.len() % 2 == 0) {
            Some(digits) => {
                Ok(Some(digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()))
            }
            None => exec_err!("`{text}` is not hexadecimal"),
        }
    })
}
