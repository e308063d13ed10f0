//! `regexp_position(text, pattern), regexp_position(text, pattern, start), regexp_position(text, pattern, start, occurrence)`.

use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::matches::matches;
use super::pattern::Patterns;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint};

pub(super) fn function() -> Function {
    Function {
        family: "regex",
        syntax: "regexp_position(text, pattern), regexp_position(text, pattern, start), regexp_position(text, pattern, start, occurrence)",
        doc: "The place, in characters from 1, of a match at or after `start`; -1 when there is none.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Text, Takes::Text];
    Scalar::new("regexp_position", &takes, bigint, invoke)
        .optional(&[Takes::Integer, Takes::Integer])
        .udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, patterns) = (rows.text(0)?, rows.text(1)?);
    let starts = (rows.width() > 2).then(|| rows.integer(2)).transpose()?;
    let occurrences = (rows.width() > 3).then(|| rows.integer(3)).transpose()?;
    let mut patterns = Patterns::of(&patterns);
    rows.primitives::<Int64Type>(|row| {
        let start = starts.as_ref().map_or(Some(1), |starts| starts.get(row));
        let occurrence = occurrences.as_ref().map_or(Some(1), |column| column.get(row));
        let (Some(text), Some(start), Some(occurrence)) = (texts.get(row)?, start, occurrence)
        else {
            return Ok(None);
        };
        if start < 1 || occurrence < 1 {
            return exec_err!("start and occurrence of `regexp_position` must be positive");
        }
        let Some(regex) = patterns.get(row)? else { return Ok(None) };
        let chars = (start - 1) as usize;
        let from = text.char_indices().nth(chars).map(|(at, _)| at);
        let Some(from) = from.or((text.chars().count() == chars).then_some(text.len())) else {
            return Ok(Some(-1));
        };
        let found = matches(regex, text).starting_at(from).nth((occurrence - 1) as usize);
        Ok(Some(found.map_or(-1, |at| text[..at.start].chars().count() as i64 + 1)))
    })
}
