//! JSON: one array of objects, or one object a line.
//!
//! Maps and rows are objects, lists are arrays, integers and decimals are numbers with all their
//! digits, timestamps are text as in every other format. Of columns with one name, the second is
//! called `name_2`, so that no reader drops a value.

use std::collections::HashSet;
use std::io::Write as _;

use arrow::array::{Array, AsArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};

use super::escape::visible_json;
use super::text::push_value;
use super::{Encoder, Result, Sink, Style};

/// Writes JSON.
pub struct Json {
    /// The names of the columns as JSON text with a colon.
    keys: Vec<String>,
    lines: bool,
    escape: bool,
    rows: u64,
    sink: Sink,
}

impl Json {
    /// Returns a writer of one JSON array.
    pub fn array(schema: &SchemaRef, style: &Style, sink: Sink) -> Json {
        Json::new(schema, style, sink, false)
    }

    /// Returns a writer of one JSON object a line.
    pub fn lines(schema: &SchemaRef, style: &Style, sink: Sink) -> Json {
        Json::new(schema, style, sink, true)
    }

    fn new(schema: &SchemaRef, style: &Style, sink: Sink, lines: bool) -> Json {
        let keys = distinct_names(schema.fields().iter().map(|field| field.name().as_str()));
        let keys = keys
            .into_iter()
            .map(|name| {
                let mut key = String::new();
                push_string(&name, &mut key);
                key + ":"
            })
            .collect();
        Json { keys, lines, escape: style.escape, rows: 0, sink }
    }
}

impl Encoder for Json {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut line = String::new();
        for row in 0..batch.num_rows() {
            line.clear();
            if !self.lines {
                line.push_str(if self.rows == 0 { "[\n" } else { ",\n" });
            }
            line.push('{');
            for (i, (key, column)) in self.keys.iter().zip(batch.columns()).enumerate() {
                line.push_str(if i > 0 { "," } else { "" });
                line.push_str(key);
                push_json(column, row, &mut line)?;
            }
            line.push('}');
            if self.lines {
                line.push('\n');
            }
            let shown = if self.escape { visible_json(&line) } else { line.as_str().into() };
            self.sink.write_all(shown.as_bytes())?;
            self.rows += 1;
        }
        self.sink.flush()?;
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<String>> {
        if !self.lines {
            self.sink.write_all(if self.rows == 0 { b"[]\n" } else { b"\n]\n" })?;
        }
        self.sink.flush()?;
        Ok(Vec::new())
    }
}

/// Returns the names with every later one of a kind told apart by a number: `arn`, `arn_2`.
pub fn distinct_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut distinct = Vec::new();
    for name in names {
        let mut candidate = name.to_owned();
        let mut number = 2;
        while !taken.insert(candidate.clone()) {
            candidate = format!("{name}_{number}");
            number += 1;
        }
        distinct.push(candidate);
    }
    distinct
}

/// Appends the value at `row` as JSON.
fn push_json(array: &dyn Array, row: usize, out: &mut String) -> Result<()> {
    if array.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    match array.data_type() {
        DataType::Null => out.push_str("null"),
        DataType::Utf8 => push_string(array.as_string::<i32>().value(row), out),
        DataType::LargeUtf8 => push_string(array.as_string::<i64>().value(row), out),
        DataType::Utf8View => push_string(array.as_string_view().value(row), out),
        DataType::Boolean => {
            out.push_str(if array.as_boolean().value(row) { "true" } else { "false" });
        }
        DataType::Float64 => push_number(array.as_primitive::<Float64Type>().value(row), out),
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            match value.is_finite() {
                true => out.push_str(&serde_json::to_string(&value)?),
                false => push_number(f64::from(value), out),
            }
        }
        DataType::List(_) => push_array(&array.as_list::<i32>().value(row), out)?,
        DataType::LargeList(_) => push_array(&array.as_list::<i64>().value(row), out)?,
        DataType::Map(..) => push_map(&array.as_map().value(row), out)?,
        DataType::Struct(_) => push_object(array.as_struct(), row, out)?,
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            push_json(dictionary.values(), dictionary.normalized_keys()[row], out)?;
        }
        data_type if data_type.is_numeric() => push_value(array, row, out)?,
        _ => {
            let mut text = String::new();
            push_value(array, row, &mut text)?;
            push_string(&text, out);
        }
    }
    Ok(())
}

/// Appends a double with the shortest digits that read back; JSON has no name for the others.
fn push_number(value: f64, out: &mut String) {
    match value.is_finite() {
        true => out.push_str(
            &serde_json::Number::from_f64(value).map_or(String::new(), |n| n.to_string()),
        ),
        false => {
            out.push('"');
            super::text::push_double(value, out);
            out.push('"');
        }
    }
}

fn push_array(values: &dyn Array, out: &mut String) -> Result<()> {
    out.push('[');
    for row in 0..values.len() {
        out.push_str(if row > 0 { "," } else { "" });
        push_json(values, row, out)?;
    }
    out.push(']');
    Ok(())
}

fn push_map(entries: &StructArray, out: &mut String) -> Result<()> {
    out.push('{');
    for row in 0..entries.len() {
        out.push_str(if row > 0 { "," } else { "" });
        let mut key = String::new();
        push_value(entries.column(0), row, &mut key)?;
        push_string(&key, out);
        out.push(':');
        push_json(entries.column(1), row, out)?;
    }
    out.push('}');
    Ok(())
}

fn push_object(array: &StructArray, row: usize, out: &mut String) -> Result<()> {
    out.push('{');
    for (i, (field, column)) in array.fields().iter().zip(array.columns()).enumerate() {
        out.push_str(if i > 0 { "," } else { "" });
        push_string(field.name(), out);
        out.push(':');
        push_json(column, row, out)?;
    }
    out.push('}');
    Ok(())
}

/// Appends a JSON string: only what must be escaped is.
fn push_string(text: &str, out: &mut String) {
    // Writing a text to memory as JSON cannot fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}
