//! `split_to_map(text, entry, pair)`, `split_to_multimap(text, entry, pair)`.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayBuilder, ListBuilder, MapBuilder, MapFieldNames, StringBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs};

use crate::functions::Function;
use crate::functions::maps::build;
use crate::functions::support::{Rows, Scalar, Takes};
use crate::map;

pub(super) fn functions() -> Vec<Function> {
    let function =
        |syntax, doc, udf| Function { family: "text", syntax, doc, url: super::URL, udf };
    let takes = [Takes::Text, Takes::Text, Takes::Text];
    vec![
        function(
            "split_to_map(text, entry, pair)",
            "A map of the entries between `entry` delimiters, key and value parted by `pair`; a key \
             twice, or an entry without exactly one `pair`, is an error.",
            Scalar::new("split_to_map", &takes, map_of_text, single).udf(),
        ),
        function(
            "split_to_multimap(text, entry, pair)",
            "A map of the entries between `entry` delimiters, the values of a key in an array in \
             their order; an entry without exactly one `pair` is an error.",
            Scalar::new("split_to_multimap", &takes, map_of_texts, multiple).udf(),
        ),
    ]
}

fn map_of_text(_args: &ReturnFieldArgs) -> Result<FieldRef> {
    Ok(Arc::new(Field::new("", map::arrow_type(), true)))
}

fn map_of_texts(_args: &ReturnFieldArgs) -> Result<FieldRef> {
    let key = Field::new("key", DataType::Utf8, false);
    let value = Field::new("value", DataType::new_list(DataType::Utf8, true), true);
    Ok(Arc::new(Field::new("", build::type_of(key, value), true)))
}

fn single(rows: &Rows) -> Result<ColumnarValue> {
    split(rows, StringBuilder::new(), false, |values, of_key| {
        values.append_value(of_key.first().copied().unwrap_or_default());
    })
}

fn multiple(rows: &Rows) -> Result<ColumnarValue> {
    split(rows, ListBuilder::new(StringBuilder::new()), true, |values, of_key| {
        of_key.iter().for_each(|value| values.values().append_value(value));
        values.append(true);
    })
}

fn split<B: ArrayBuilder>(
    rows: &Rows,
    values: B,
    repeated: bool,
    append: impl Fn(&mut B, &[&str]),
) -> Result<ColumnarValue> {
    let (texts, entries, pairs) = (rows.text(0)?, rows.text(1)?, rows.text(2)?);
    let names = MapFieldNames {
        entry: "entries".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
    };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), values);
    for row in 0..rows.count() {
        let (Some(text), Some(entry), Some(pair)) =
            (texts.get(row)?, entries.get(row)?, pairs.get(row)?)
        else {
            maps.append(false)?;
            continue;
        };
        for (key, of_key) in parts(text, entry, pair)? {
            if !repeated && of_key.len() > 1 {
                return exec_err!("Duplicate keys ({key}) are not allowed");
            }
            maps.keys().append_value(key);
            append(maps.values(), &of_key);
        }
        maps.append(true)?;
    }
    rows.finish(Arc::new(maps.finish()))
}

/// Returns the keys in their order, each with its values.
fn parts<'a>(text: &'a str, entry: &str, pair: &str) -> Result<Vec<(&'a str, Vec<&'a str>)>> {
    if entry.is_empty() {
        return exec_err!("entryDelimiter is empty");
    }
    if pair.is_empty() {
        return exec_err!("keyValueDelimiter is empty");
    }
    if entry == pair {
        return exec_err!("entryDelimiter and keyValueDelimiter must not be the same");
    }
    let mut all: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut places = HashMap::new();
    // A delimiter at the end ends the last entry; it does not begin another.
    let within = text.strip_suffix(entry).unwrap_or(text);
    let entries = (!text.is_empty()).then(|| within.split(entry));
    for part in entries.into_iter().flatten() {
        let found = part.split_once(pair).filter(|(_, value)| !value.contains(pair));
        let Some((key, value)) = found else {
            return exec_err!(
                "Key-value delimiter must appear exactly once in each entry. Bad input: '{part}'"
            );
        };
        let place = *places.entry(key).or_insert(all.len());
        match all.get_mut(place) {
            Some((_, values)) => values.push(value),
            None => all.push((key, vec![value])),
        }
    }
    Ok(all)
}
