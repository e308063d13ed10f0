//! `from_utf8(binary), from_utf8(binary, replacement)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn function() -> Function {
    Function {
        family: "binary",
        syntax: "from_utf8(binary), from_utf8(binary, replacement)",
        doc: "The text of UTF-8 bytes; what is not UTF-8 becomes U+FFFD, or the replacement, which is empty or one character.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("from_utf8", &[Takes::Binary], varchar, invoke).optional(&[Takes::Text]).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let bytes = rows.binary(0)?;
    let replacements = (rows.width() > 1).then(|| rows.text(1)).transpose()?;
    rows.texts(|row| {
        let Some(bytes) = bytes.get(row) else { return Ok(None) };
        let text = String::from_utf8_lossy(bytes).into_owned();
        match &replacements {
            None => Ok(Some(text)),
            Some(column) => Ok(column.get(row)?.map(|with| text.replace('\u{fffd}', with))),
        }
    })
}
