//! `strpos(text, part[, instance])`.

use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint};

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "strpos(text, part), strpos(text, part, instance), position(part IN text)",
        doc: "The place, in characters from 1, of the first (or nth; negative: from the end) \
              `part`; 0 when there is none.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Text, Takes::Text];
    Scalar::new("strpos", &takes, bigint, invoke).optional(&[Takes::Integer]).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, parts) = (rows.text(0)?, rows.text(1)?);
    let instances = (rows.width() > 2).then(|| rows.integer(2)).transpose()?;
    rows.primitives::<Int64Type>(|row| {
        let (Some(text), Some(part)) = (texts.get(row)?, parts.get(row)?) else { return Ok(None) };
        let instance = match &instances {
            None => 1,
            Some(column) => match column.get(row) {
                Some(0) => return exec_err!("'instance' must be a positive or negative number."),
                Some(instance) => instance,
                None => return Ok(None),
            },
        };
        let nth = usize::try_from(instance.unsigned_abs() - 1).unwrap_or(usize::MAX);
        let found = match (part.is_empty(), instance > 0) {
            (true, _) => return Ok(Some(1)),
            (_, true) => text.match_indices(part).nth(nth).map(|(at, _)| at),
            (_, false) => text.rmatch_indices(part).nth(nth).map(|(at, _)| at),
        };
        Ok(Some(found.map_or(0, |at| text[..at].chars().count() as i64 + 1)))
    })
}
