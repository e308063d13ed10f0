//! `from_utf8(binary), from_utf8(binary, replacement)`.

use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn function() -> Function {
    Function {
        family: "binary",
        syntax: "from_utf8(binary), from_utf8(binary, replacement)",
        doc: "The text of UTF-8 bytes; what is not UTF-8 becomes U+FFFD, or the replacement: empty, \
              one character, or the code point of one.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("from_utf8", &[Takes::Binary], varchar, invoke).optional(&[Takes::Any]).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let bytes = rows.binary(0)?;
    if rows.width() == 1 {
        return rows.texts(|row| Ok(bytes.get(row).map(String::from_utf8_lossy)));
    }
    let replacement: Box<dyn Fn(usize) -> Result<Option<String>>> =
        match rows.field(1).data_type().is_integer() {
            true => {
                let codes = rows.integer(1)?;
                Box::new(move |row| codes.get(row).map(character).transpose())
            }
            false => {
                let texts = rows.text(1)?;
                Box::new(move |row| texts.get(row)?.map(short).transpose())
            }
        };
    rows.texts(|row| {
        let (Some(bytes), Some(with)) = (bytes.get(row), replacement(row)?) else {
            return Ok(None);
        };
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                text.push_str(&with);
            }
        }
        Ok(Some(text))
    })
}

fn character(code: i64) -> Result<String> {
    match u32::try_from(code).ok().and_then(char::from_u32) {
        Some(c) => Ok(c.to_string()),
        None => exec_err!("Invalid replacement character"),
    }
}

fn short(text: &str) -> Result<String> {
    match text.chars().nth(1) {
        None => Ok(text.to_owned()),
        Some(_) => exec_err!("Replacement character string must empty or a single character"),
    }
}
