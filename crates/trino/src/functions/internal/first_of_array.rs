//! `$first_of_array(array, n)`: the first `n` elements, for `max_by(x, y, n)` and `max(x, n)`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, ListArray, UInt32Array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::support::{Rows, Scalar, Takes, same_as};

/// Trino's own bound on `n`.
const COUNT_MAX: i64 = 10_000;

pub(super) fn udf() -> ScalarUDF {
    let takes = [Takes::Array, Takes::Integer];
    Scalar::new("$first_of_array", &takes, |args| Ok(same_as(args, 0)), invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let value = rows.full_array(0)?;
    let DataType::List(element) = value.data_type() else { return rows.finish(value) };
    let list: &ListArray = value.as_list();
    let counts = rows.integer(1)?;
    let mut places = Vec::new();
    let mut lengths = Vec::with_capacity(list.len());
    for row in 0..list.len() {
        let count = counts.get(row).unwrap_or(0);
        if !(1..=COUNT_MAX).contains(&count) {
            return exec_err!("the third argument must be between 1 and {COUNT_MAX}, not {count}");
        }
        let start = list.value_offsets()[row] as u32;
        let length = (count as usize).min(list.value_length(row) as usize);
        places.extend(start..start + length as u32);
        lengths.push(length);
    }
    let values = take(list.values(), &UInt32Array::from(places), None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let nulls = list.nulls().cloned();
    rows.finish(Arc::new(ListArray::try_new(Arc::clone(element), offsets, values, nulls)?))
}
