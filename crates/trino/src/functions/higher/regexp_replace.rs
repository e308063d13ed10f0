//! `regexp_replace(text, pattern, groups -> replacement)`, written `$regexp_replace` by the
//! rewrite: the lambda is evaluated once for all matches of all rows.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ListBuilder, StringBuilder, UInt32Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};

use super::support::{Call, Fields, Higher, Part};
use crate::functions::regex::matches::matches;
use crate::functions::regex::pattern::compile;
use crate::functions::support::{Texts, is_text};

pub(super) fn function() -> Higher {
    Higher {
        name: "$regexp_replace",
        takes: "(text, pattern, groups -> replacement)",
        shape: &[Part::Value, Part::Value, Part::Lambda],
        parameters,
        returns: |_values, bodies| match bodies[0].data_type() {
            data_type if is_text(data_type) || data_type.is_null() => {
                Ok(Arc::new(Field::new("", DataType::Utf8, true)))
            }
            _ => plan_err!("the lambda of `regexp_replace` must give a varchar"),
        },
        invoke,
    }
}

fn parameters(fields: &Fields) -> Result<Vec<Option<Vec<FieldRef>>>> {
    if fields.values.iter().any(|field| !is_text(field.data_type()) && !field.data_type().is_null())
    {
        return plan_err!("`regexp_replace` takes a varchar and a pattern");
    }
    let groups = DataType::new_list(DataType::Utf8, true);
    Ok(vec![Some(vec![Arc::new(Field::new("groups", groups, true))])])
}

fn invoke(call: &Call) -> Result<ArrayRef> {
    let (texts, patterns) =
        (cast(&call.values[0], &DataType::Utf8)?, cast(&call.values[1], &DataType::Utf8)?);
    let (texts, patterns) = (Texts::of(&texts)?, Texts::of(&patterns)?);
    let mut groups = ListBuilder::new(StringBuilder::new());
    let mut found: Vec<Vec<std::ops::Range<usize>>> = Vec::with_capacity(call.rows);
    let mut row_of = Vec::new();
    let mut compiled: Option<(&str, regex::Regex)> = None;
    for row in 0..call.rows {
        let mut ranges = Vec::new();
        if let (Some(text), Some(pattern)) = (texts.get(row), patterns.get(row)) {
            if compiled.as_ref().is_none_or(|(known, _)| *known != pattern) {
                compiled = Some((pattern, compile(pattern)?));
            }
            let mut all = compiled.as_ref().map(|(_, regex)| matches(regex, text));
            while let Some(captures) = all.as_mut().and_then(|all| all.next_captures()) {
                ranges.extend(captures.get(0).map(|whole| whole.range()));
                let parts = captures.iter().skip(1);
                parts
                    .for_each(|part| groups.values().append_option(part.map(|part| part.as_str())));
                groups.append(true);
                row_of.push(row as u32);
            }
        }
        found.push(ranges);
    }
    let groups: ArrayRef = Arc::new(groups.finish());
    let replacements = call.evaluate(0, &[groups], &UInt32Array::from(row_of))?;
    let replacements = cast(&replacements, &DataType::Utf8)?;
    let replacements = Texts::of(&replacements)?;
    let mut out = StringBuilder::new();
    let mut next = 0;
    for (row, ranges) in found.iter().enumerate() {
        let first = next;
        next += ranges.len();
        let (Some(text), true) = (texts.get(row), patterns.get(row).is_some()) else {
            out.append_null();
            continue;
        };
        let mut replaced = String::with_capacity(text.len());
        let mut copied = 0;
        let complete = ranges.iter().zip(first..).all(|(range, at)| {
            let Some(with) = replacements.get(at) else { return false };
            replaced.push_str(&text[copied..range.start]);
            replaced.push_str(with);
            copied = range.end;
            true
        });
        replaced.push_str(&text[copied..]);
        out.append_option(complete.then_some(replaced));
    }
    Ok(Arc::new(out.finish()))
}
