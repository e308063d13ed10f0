//! `repeat(element, count)`.

use std::sync::Arc;

use datafusion::arrow::array::UInt32Array;
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::lists;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes};

/// Trino's own bound on the elements of one array made by `repeat` and `sequence`.
const COUNT_MAX: i64 = 10_000;

pub(super) fn function() -> Function {
    Function {
        family: "arrays",
        syntax: "repeat(element, count)",
        doc: "An array of `count` equal elements, at most 10,000.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("repeat", &[Takes::Any, Takes::Integer], list, invoke).udf()
}

fn list(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let element = args.arg_fields[0].as_ref().clone().with_name("item").with_nullable(true);
    Ok(Arc::new(Field::new("", DataType::List(Arc::new(element)), true)))
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (elements, counts) = (rows.full_array(0)?, rows.integer(1)?);
    let mut taken: Vec<u32> = Vec::new();
    let mut lengths = Vec::new();
    let mut valid = Vec::new();
    for row in 0..rows.count() {
        let count = counts.get(row);
        valid.push(count.is_some());
        let count = count.unwrap_or(0).max(0);
        if count > COUNT_MAX {
            return exec_err!(
                "count argument of repeat function must be less than or equal to {COUNT_MAX}"
            );
        }
        taken.extend(std::iter::repeat_n(row as u32, count as usize));
        lengths.push(count as usize);
        lists::check_total(taken.len())?;
    }
    let values = take(&elements, &UInt32Array::from(taken), None)?;
    rows.finish(lists::made(rows, lengths, values, Some(NullBuffer::from(valid)))?)
}
