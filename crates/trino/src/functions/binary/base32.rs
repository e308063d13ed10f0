//! `to_base32(binary)`, `from_base32(text)`: RFC 4648.

use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ColumnarValue;

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varbinary, varchar};

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

pub(super) fn functions() -> Vec<Function> {
    let function =
        |syntax, doc, udf| Function { family: "binary", syntax, doc, url: super::URL, udf };
    vec![
        function(
            "to_base32(binary)",
            "Base32 text.",
            Scalar::new("to_base32", &[Takes::Binary], varchar, encode).udf(),
        ),
        function(
            "from_base32(text)",
            "The bytes of base32 text; other text is an error.",
            Scalar::new("from_base32", &[Takes::Text], varbinary, decode).udf(),
        ),
    ]
}

fn encode(rows: &Rows) -> Result<ColumnarValue> {
    let bytes = rows.binary(0)?;
    rows.texts(|row| {
        Ok(bytes.get(row).map(|bytes| {
            let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
            for chunk in bytes.chunks(5) {
                let word = chunk.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte))
                    << (8 * (5 - chunk.len()));
                let digits = (chunk.len() * 8).div_ceil(5);
                for at in 0..8 {
                    let digit = (word >> (35 - 5 * at)) & 31;
                    out.push(if at < digits { char::from(ALPHABET[digit as usize]) } else { '=' });
                }
            }
            out
        }))
    })
}

fn decode(rows: &Rows) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    rows.binaries(|row| {
        let Some(text) = texts.get(row)? else { return Ok(None) };
        let digits = text.trim_end_matches('=').bytes();
        let digits = digits.map(|digit| ALPHABET.iter().position(|known| *known == digit));
        let whole = |digits: &Vec<usize>| matches!(digits.len() % 8, 0 | 2 | 4 | 5 | 7);
        let Some(digits) = digits.collect::<Option<Vec<usize>>>().filter(whole) else {
            return exec_err!("`{text}` is not base32");
        };
        let mut bytes = Vec::with_capacity(digits.len() * 5 / 8);
        for chunk in digits.chunks(8) {
            let word = chunk.iter().fold(0_u64, |word, digit| word << 5 | *digit as u64)
                << (5 * (8 - chunk.len()));
            let count = chunk.len() * 5 / 8;
            bytes.extend((0..count).map(|at| (word >> (32 - 8 * at)) as u8));
        }
        Ok(Some(bytes))
    })
}
