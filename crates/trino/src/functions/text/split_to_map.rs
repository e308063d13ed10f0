//! `split_to_map(text, entry, pair)`.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{MapBuilder, MapFieldNames, StringBuilder};
use datafusion::arrow::datatypes::{Field, FieldRef};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes};
use crate::map;

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "split_to_map(text, entry, pair)",
        doc: "A map of the entries between `entry` delimiters, key and value parted by `pair`; a key twice, or an entry without value, is an error.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("split_to_map", &[Takes::Text, Takes::Text, Takes::Text], map_of_text, invoke).udf()
}

fn map_of_text(_args: &ReturnFieldArgs) -> Result<FieldRef> {
    Ok(Arc::new(Field::new("", map::arrow_type(), true)))
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, entries, pairs) = (rows.text(0)?, rows.text(1)?, rows.text(2)?);
    let names = MapFieldNames {
        entry: "entries".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
    };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for row in 0..rows.count() {
        let (Some(text), Some(entry), Some(pair)) =
            (texts.get(row)?, entries.get(row)?, pairs.get(row)?)
        else {
            maps.append(false)?;
            continue;
        };
        if entry.is_empty() || pair.is_empty() || entry == pair {
            return exec_err!("the delimiters of `split_to_map` must differ and not be empty");
        }
        let mut seen = HashSet::new();
        for part in text.split(entry).filter(|part| !part.is_empty()) {
            let Some((key, value)) = part.split_once(pair) else {
                return exec_err!(
                    "Key-value delimiter must appear exactly once in each entry. Bad input: '{part}'"
                );
            };
            if !seen.insert(key) {
                return exec_err!("Duplicate keys ({key}) are not allowed");
            }
            maps.keys().append_value(key);
            maps.values().append_value(value);
        }
        maps.append(true)?;
    }
    rows.finish(Arc::new(maps.finish()))
}
