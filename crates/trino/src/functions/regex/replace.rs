//! `regexp_replace(text, pattern), regexp_replace(text, pattern, replacement)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};
use regex::Regex;

use super::matches::matches;
use super::pattern::Patterns;
use super::replacement::Replacement;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn function() -> Function {
    Function {
        family: "regex",
        syntax: "regexp_replace(text, pattern), regexp_replace(text, pattern, replacement), \
                 regexp_replace(text, pattern, groups -> replacement)",
        doc: "The text with every match removed or replaced; `$1` and `${name}` stand for groups, \
              `\\$` for a dollar, and a group that the pattern does not have is an error. A lambda \
              gets the groups as an array; where it gives NULL the result is NULL.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Text, Takes::Text];
    Scalar::new("regexp_replace", &takes, varchar, invoke).optional(&[Takes::Text]).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, patterns) = (rows.text(0)?, rows.text(1)?);
    let withs = (rows.width() > 2).then(|| rows.text(2)).transpose()?;
    let mut patterns = Patterns::of(&patterns);
    let mut read: Option<(String, String, Replacement)> = None;
    rows.texts(|row| {
        let with = match &withs {
            None => Some(""),
            Some(column) => column.get(row)?,
        };
        let (Some(text), Some(with)) = (texts.get(row)?, with) else { return Ok(None) };
        let Some(regex) = patterns.get(row)? else { return Ok(None) };
        let same =
            |(pattern, text, _): &(String, String, _)| pattern == regex.as_str() && text == with;
        if !read.as_ref().is_some_and(same) {
            let replacement = Replacement::parse(with, regex)?;
            read = Some((regex.as_str().to_owned(), with.to_owned(), replacement));
        }
        Ok(read.as_ref().map(|(_, _, replacement)| replaced(regex, text, replacement)))
    })
}

fn replaced(regex: &Regex, text: &str, replacement: &Replacement) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    let mut all = matches(regex, text);
    while let Some(captures) = all.next_captures() {
        let Some(whole) = captures.get(0) else { break };
        out.push_str(&text[copied..whole.start()]);
        replacement.write(&captures, &mut out);
        copied = whole.end();
    }
    out.push_str(&text[copied..]);
    out
}
