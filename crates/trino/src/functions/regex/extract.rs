//! `regexp_extract(text, pattern), regexp_extract(text, pattern, group)`.

use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::pattern::Patterns;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn function() -> Function {
    Function {
        family: "regex",
        syntax: "regexp_extract(text, pattern), regexp_extract(text, pattern, group)",
        doc: "The first match, or a group of it; NULL when nothing matches or the group took no part. A group that the pattern does not have is an error.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Text, Takes::Text];
    Scalar::new("regexp_extract", &takes, varchar, invoke).optional(&[Takes::Integer]).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, patterns) = (rows.text(0)?, rows.text(1)?);
    let groups = (rows.width() > 2).then(|| rows.integer(2)).transpose()?;
    let mut patterns = Patterns::of(&patterns);
    rows.texts(|row| {
        let group = groups.as_ref().map_or(Some(0), |groups| groups.get(row));
        let (Some(text), Some(group)) = (texts.get(row)?, group) else { return Ok(None) };
        let Some(regex) = patterns.get(row)? else { return Ok(None) };
        let Some(group) = usize::try_from(group).ok().filter(|at| *at < regex.captures_len())
        else {
            return exec_err!(
                "Pattern has {} groups. Cannot access group {group}",
                regex.captures_len() - 1
            );
        };
        let captures = regex.captures(text);
        Ok(captures.and_then(|captures| captures.get(group)).map(|found| found.as_str()))
    })
}
