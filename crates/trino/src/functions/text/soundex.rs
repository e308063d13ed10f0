//! `soundex(text)`.

use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

/// The digits of American Soundex for A to Z; 0 stands for the vowels.
const DIGITS: &[u8; 26] = b"01230120022455012623010202";

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "soundex(text)",
        doc: "How the text sounds in American English: a letter and three digits; what is no letter \
              is skipped, a letter beyond A to Z is an error.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("soundex", &[Takes::Text], varchar, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    rows.texts(|row| texts.get(row)?.map(code).transpose())
}

fn code(text: &str) -> Result<String> {
    let letters: Vec<char> =
        text.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_uppercase).collect();
    let digit = |letter: char| match letter {
        'A'..='Z' => Ok(DIGITS[letter as usize - 'A' as usize]),
        _ => exec_err!("The character is not mapped: {letter} (index={})", u32::from(letter)),
    };
    let Some(first) = letters.first() else { return Ok(String::new()) };
    let mut last = digit(*first)?;
    let mut out = String::from(*first);
    for letter in &letters[1..] {
        if out.len() == 4 {
            break;
        }
        let digit = digit(*letter)?;
        // H and W do not part two letters of one sound; vowels do.
        if matches!(letter, 'H' | 'W') {
            continue;
        }
        if digit != b'0' && digit != last {
            out.push(char::from(digit));
        }
        last = digit;
    }
    Ok(format!("{out:0<4}"))
}
