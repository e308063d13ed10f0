//! `regexp_extract_all(text, pattern), regexp_extract_all(text, pattern, group)`.

use std::sync::Arc;

use datafusion::arrow::array::{ListBuilder, StringBuilder};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::matches::matches;
use super::pattern::Patterns;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchars};

pub(super) fn function() -> Function {
    Function {
        family: "regex",
        syntax: "regexp_extract_all(text, pattern), regexp_extract_all(text, pattern, group)",
        doc: "All matches, or a group of each, as an array.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Text, Takes::Text];
    Scalar::new("regexp_extract_all", &takes, varchars, invoke).optional(&[Takes::Integer]).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, patterns) = (rows.text(0)?, rows.text(1)?);
    let groups = (rows.width() > 2).then(|| rows.integer(2)).transpose()?;
    let mut patterns = Patterns::of(&patterns);
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..rows.count() {
        let group = groups.as_ref().map_or(Some(0), |groups| groups.get(row));
        let (Some(text), Some(group), Some(regex)) = (texts.get(row)?, group, patterns.get(row)?)
        else {
            lists.append_null();
            continue;
        };
        let Some(group) = usize::try_from(group).ok().filter(|at| *at < regex.captures_len())
        else {
            return exec_err!(
                "Pattern has {} groups. Cannot access group {group}",
                regex.captures_len() - 1
            );
        };
        let mut all = matches(regex, text);
        while let Some(captures) = all.next_captures() {
            lists.values().append_option(captures.get(group).map(|found| found.as_str()));
        }
        lists.append(true);
    }
    rows.finish(Arc::new(lists.finish()))
}
