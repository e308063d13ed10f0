//! `to_base64(binary)`, `from_base64(text)` and their URL-safe forms.

use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ColumnarValue;

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varbinary, varchar};

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(super) fn functions() -> Vec<Function> {
    let function =
        |syntax, doc, udf| Function { family: "binary", syntax, doc, url: super::URL, udf };
    vec![
        function(
            "to_base64(binary)",
            "Base64 text.",
            Scalar::new("to_base64", &[Takes::Binary], varchar, |rows| encode(rows, STANDARD))
                .udf(),
        ),
        function(
            "to_base64url(binary)",
            "Base64 text of the URL-safe alphabet.",
            Scalar::new("to_base64url", &[Takes::Binary], varchar, |rows| encode(rows, URL_SAFE))
                .udf(),
        ),
        function(
            "from_base64(text)",
            "The bytes of base64 text; other text is an error.",
            Scalar::new("from_base64", &[Takes::Text], varbinary, |rows| decode(rows, STANDARD))
                .udf(),
        ),
        function(
            "from_base64url(text)",
            "The bytes of URL-safe base64 text; other text is an error.",
            Scalar::new("from_base64url", &[Takes::Text], varbinary, |rows| decode(rows, URL_SAFE))
                .udf(),
        ),
    ]
}

fn encode(rows: &Rows, alphabet: &[u8; 64]) -> Result<ColumnarValue> {
    let bytes = rows.binary(0)?;
    rows.texts(|row| {
        Ok(bytes.get(row).map(|bytes| {
            let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
            for chunk in bytes.chunks(3) {
                let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
                    << (8 * (3 - chunk.len()));
                for at in 0..4 {
                    let digit = (word >> (18 - 6 * at)) & 63;
                    let padding = at > chunk.len();
                    out.push(if padding { '=' } else { char::from(alphabet[digit as usize]) });
                }
            }
            out
        }))
    })
}

fn decode(rows: &Rows, alphabet: &[u8; 64]) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    rows.binaries(|row| {
        let Some(text) = texts.get(row)? else { return Ok(None) };
        let digits = text.trim_end_matches('=').bytes();
        let digits = digits.map(|digit| alphabet.iter().position(|known| *known == digit));
        let Some(digits) = digits.collect::<Option<Vec<usize>>>().filter(|d| d.len() % 4 != 1)
        else {
            return exec_err!("`{text}` is not base64");
        };
        let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
        for chunk in digits.chunks(4) {
            let word = chunk.iter().fold(0_u32, |word, digit| word << 6 | *digit as u32)
                << (6 * (4 - chunk.len()));
            bytes.extend((0..chunk.len() - 1).map(|at| (word >> (16 - 8 * at)) as u8));
        }
        Ok(Some(bytes))
    })
}
