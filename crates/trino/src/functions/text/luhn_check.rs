//! `luhn_check(text)`.

use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, boolean};

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "luhn_check(text)",
        doc: "Whether the last digit is the check digit of the others (Luhn's algorithm); false for \
              empty text. Anything but digits is an error.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("luhn_check", &[Takes::Text], boolean, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    rows.booleans(|row| {
        let Some(text) = texts.get(row)? else { return Ok(None) };
        let Some(digits) = text.chars().map(|c| c.to_digit(10)).collect::<Option<Vec<u32>>>()
        else {
            return exec_err!("Input contains non-digit characters");
        };
        let sum: u64 = digits
            .iter()
            .rev()
            .enumerate()
            .map(|(at, digit)| match digit * 2 {
                _ if at % 2 == 0 => u64::from(*digit),
                doubled if doubled > 9 => u64::from(doubled - 9),
                doubled => u64::from(doubled),
            })
            .sum();
        Ok(Some(!digits.is_empty() && sum.is_multiple_of(10)))
    })
}
