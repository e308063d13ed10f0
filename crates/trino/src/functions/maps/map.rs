//! `map(keys, values)`, `map()`, written `$make_map` by the rewrite: DataFusion's planner has its own
//! meaning for a function named `map`.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, UInt32Array};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::build;
use crate::functions::Function;
use crate::functions::arrays::lists;
use crate::functions::support::{Rows, Scalar, Takes};
use crate::functions::text::as_text;

pub(super) fn function() -> Function {
    Function {
        family: "maps",
        syntax: "map(keys, values), map()",
        doc: "The map of an array of keys and an array of as many values; NULL when an array is \
              NULL. A key twice, a NULL key and arrays of different lengths are errors.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("$make_map", &[], result, invoke).optional(&[Takes::Array, Takes::Array]).udf()
}

fn result(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let element = |at: usize| match args.arg_fields[at].data_type() {
        DataType::List(element) => element.as_ref().clone(),
        _ => Field::new("", DataType::Null, true),
    };
    let made = match args.arg_fields.len() {
        0 => build::type_of(
            Field::new("", DataType::Null, true),
            Field::new("", DataType::Null, true),
        ),
        2 => build::type_of(element(0), element(1)),
        _ => return plan_err!("`map` takes (keys, values)"),
    };
    Ok(Arc::new(Field::new("", made, true)))
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let to = rows.args.return_field.data_type();
    if rows.width() == 0 {
        let (key, value) = build::fields(to)?;
        let none = |field: &FieldRef| datafusion::arrow::array::new_empty_array(field.data_type());
        let lengths = std::iter::repeat_n(0, rows.count());
        return rows.finish(build::made(to, lengths, none(key), none(value), None)?);
    }
    let (keys, values) = (lists::list(rows, 0)?, lists::list(rows, 1)?);
    let encoded = build::encoded(keys.values())?;
    let (mut of_keys, mut of_values) = (Vec::new(), Vec::new());
    let (mut lengths, mut valid) = (Vec::new(), Vec::new());
    for row in 0..rows.count() {
        let present = keys.is_valid(row) && values.is_valid(row);
        valid.push(present);
        if !present {
            lengths.push(0);
            continue;
        }
        let (in_keys, in_values) = (lists::range(&keys, row), lists::range(&values, row));
        if in_keys.len() != in_values.len() {
            return exec_err!("Key and value arrays must be the same length");
        }
        let mut seen = HashSet::new();
        for place in in_keys.clone() {
            if keys.values().is_valid(place as usize) && !seen.insert(encoded.row(place as usize)) {
                return duplicate(keys.values(), place as usize);
            }
        }
        lengths.push(in_keys.len());
        of_keys.extend(in_keys);
        of_values.extend(in_values);
    }
    let of_keys = take(keys.values(), &UInt32Array::from(of_keys), None)?;
    let of_values = take(values.values(), &UInt32Array::from(of_values), None)?;
    let nulls = Some(NullBuffer::from(valid));
    rows.finish(build::made(to, lengths, of_keys, of_values, nulls)?)
}

/// Returns the error about a key that a map would have twice.
pub(crate) fn duplicate<T>(keys: &datafusion::arrow::array::ArrayRef, at: usize) -> Result<T> {
    let field = Field::new("", keys.data_type().clone(), true);
    let key = as_text::value(keys, &field, at).ok().flatten().unwrap_or_default();
    exec_err!("Duplicate map keys ({key}) are not allowed")
}
