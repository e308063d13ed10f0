//! `OVERLAY(text PLACING replacement FROM start [FOR length])`.

use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "overlay(text PLACING replacement FROM start), overlay(… FOR length)",
        doc: "The text with `length` characters from `start` on, counted from 1, replaced; without \
              `length` as many as the replacement has. A `start` below 1 is an error.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Text, Takes::Text, Takes::Integer];
    Scalar::new("overlay", &takes, varchar, invoke).optional(&[Takes::Integer]).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, replacements, starts) = (rows.text(0)?, rows.text(1)?, rows.integer(2)?);
    let lengths = (rows.width() > 3).then(|| rows.integer(3)).transpose()?;
    rows.texts(|row| {
        let (Some(text), Some(replacement), Some(start)) =
            (texts.get(row)?, replacements.get(row)?, starts.get(row))
        else {
            return Ok(None);
        };
        let length = match &lengths {
            Some(lengths) => lengths.get(row),
            None => i64::try_from(replacement.chars().count()).ok(),
        };
        let Some(length) = length else { return Ok(None) };
        let Some(before) = start.checked_sub(1).and_then(|before| usize::try_from(before).ok())
        else {
            return exec_err!("`overlay` starts at a character from 1 on, not {start}");
        };
        let after = before.saturating_add(usize::try_from(length).unwrap_or(0));
        let kept = text.chars().take(before).chain(replacement.chars());
        Ok(Some(kept.chain(text.chars().skip(after)).collect::<String>()))
    })
}
