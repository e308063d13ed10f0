//! `slice(array, start, length)`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, ListArray, UInt32Array};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, same_as};

pub(super) fn function() -> Function {
    Function {
        family: "arrays",
        syntax: "slice(array, start, length)",
        doc: "At most `length` elements from `start`, counted from 1, or from the end when \
              negative; empty when `start` lies outside. Start 0 and a negative length are errors.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Array, Takes::Integer, Takes::Integer];
    Scalar::new("slice", &takes, |args| Ok(same_as(args, 0)), invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let value = rows.full_array(0)?;
    let DataType::List(element) = value.data_type() else { return rows.finish(value) };
    let list: &ListArray = value.as_list();
    let (starts, lengths) = (rows.integer(1)?, rows.integer(2)?);
    let mut places = Vec::new();
    let mut taken = Vec::with_capacity(list.len());
    let mut valid = Vec::with_capacity(list.len());
    for row in 0..list.len() {
        let arguments = starts.get(row).zip(lengths.get(row)).filter(|_| list.is_valid(row));
        valid.push(arguments.is_some());
        let Some((start, length)) = arguments else {
            taken.push(0);
            continue;
        };
        if start == 0 {
            return exec_err!("SQL array indices start at 1");
        }
        if length < 0 {
            return exec_err!("length must be greater than or equal to 0");
        }
        let count = i64::from(list.value_length(row));
        let from = if start > 0 { start - 1 } else { count + start };
        let end = from.saturating_add(length).min(count);
        let outside = from < 0 || from >= count;
        let range = if outside { 0..0 } else { from..end };
        taken.push(usize::try_from(range.end - range.start).unwrap_or(0));
        let first = i64::from(list.value_offsets()[row]);
        places.extend(range.map(|at| (first + at) as u32));
    }
    let values = take(list.values(), &UInt32Array::from(places), None)?;
    let offsets = OffsetBuffer::from_lengths(taken);
    let nulls = Some(NullBuffer::from(valid));
    rows.finish(Arc::new(ListArray::try_new(Arc::clone(element), offsets, values, nulls)?))
}
