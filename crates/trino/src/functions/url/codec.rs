//! `url_encode(text)`, `url_decode(text)`.

use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ColumnarValue;

use super::parts::decode;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn functions() -> Vec<Function> {
    let function = |syntax, doc, udf| Function { family: "url", syntax, doc, url: super::URL, udf };
    vec![
        function(
            "url_encode(text)",
            "The text for a query parameter: letters, digits and `.-*_` stay, a space becomes `+`, \
             bytes of anything else `%XX`.",
            Scalar::new("url_encode", &[Takes::Text], varchar, encode).udf(),
        ),
        function(
            "url_decode(text)",
            "The text that `url_encode` makes this of; a `%` without two hexadecimal digits is an \
             error, bytes that are not UTF-8 become U+FFFD.",
            Scalar::new("url_decode", &[Takes::Text], varchar, decoded).udf(),
        ),
    ]
}

fn encode(rows: &Rows) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    rows.texts(|row| {
        Ok(texts.get(row)?.map(|text| {
            let mut out = String::with_capacity(text.len());
            for byte in text.bytes() {
                match byte {
                    b'.' | b'-' | b'*' | b'_' => out.push(char::from(byte)),
                    byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
                    b' ' => out.push('+'),
                    byte => out.push_str(&format!("%{byte:02X}")),
                }
            }
            out
        }))
    })
}

fn decoded(rows: &Rows) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    rows.texts(|row| {
        let Some(text) = texts.get(row)? else { return Ok(None) };
        let sound = text.split('%').skip(1).all(|after| {
            after.len() >= 2 && after.bytes().take(2).all(|digit| digit.is_ascii_hexdigit())
        });
        match sound {
            true => Ok(Some(decode(text, true))),
            false => exec_err!("`{text}` has a `%` without two hexadecimal digits"),
        }
    })
}
