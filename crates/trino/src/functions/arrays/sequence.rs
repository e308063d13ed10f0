//! `sequence(start, stop[, step])` of bigints, and of dates by days.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::lists;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes};

/// Trino's own bound on the elements of one array made by `repeat` and `sequence`.
const COUNT_MAX: i64 = 10_000;

pub(super) fn function() -> Function {
    Function {
        family: "arrays",
        syntax: "sequence(start, stop), sequence(start, stop, step)",
        doc: "The bigints (or dates, by days) from `start` to `stop`, both included, at most 10,000; \
              downwards when `stop` is the smaller and no step is given.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Any, Takes::Any];
    Scalar::new("sequence", &takes, list, invoke).optional(&[Takes::Integer]).udf()
}

fn list(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let element = match args.arg_fields[0].data_type() {
        data_type if data_type.is_integer() || data_type.is_null() => DataType::Int64,
        DataType::Date32 => DataType::Date32,
        _ => return plan_err!("`sequence` takes bigints or dates"),
    };
    let element = Field::new("item", element, true);
    Ok(Arc::new(Field::new("", DataType::List(Arc::new(element)), true)))
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (starts, stops) = (rows.days_or_integer(0)?, rows.days_or_integer(1)?);
    let steps = (rows.width() > 2).then(|| rows.integer(2)).transpose()?;
    let mut values: Vec<i64> = Vec::new();
    let mut lengths = Vec::new();
    let mut valid = Vec::new();
    for row in 0..rows.count() {
        let (start, stop) = (starts.get(row), stops.get(row));
        let downwards = start > stop;
        let natural = if downwards { -1 } else { 1 };
        let step = steps.as_ref().map_or(Some(natural), |steps| steps.get(row));
        let (Some(start), Some(stop), Some(step)) = (start, stop, step) else {
            lengths.push(0);
            valid.push(false);
            continue;
        };
        if step == 0 || (step > 0 && downwards) || (step < 0 && start < stop) {
            return exec_err!(
                "sequence stop value should be greater than or equal to start value if \
                step is greater than zero otherwise stop should be less than or equal to start"
            );
        }
        let count = (i128::from(stop) - i128::from(start)) / i128::from(step) + 1;
        if count > i128::from(COUNT_MAX) {
            return exec_err!(
                "result of sequence function must not have more than {COUNT_MAX} entries"
            );
        }
        values.extend((0..count as i64).map(|at| start + at * step));
        lengths.push(count as usize);
        valid.push(true);
    }
    let values: ArrayRef = Arc::new(Int64Array::from(values));
    let values = match rows.args.return_field.data_type() {
        DataType::List(element) if *element.data_type() == DataType::Date32 => {
            cast(&cast(&values, &DataType::Int32)?, &DataType::Date32)?
        }
        _ => values,
    };
    rows.finish(lists::made(rows, lengths, values, Some(NullBuffer::from(valid)))?)
}
