//! `zip(array1, array2, …)`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, StructArray, UInt32Array};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::lists;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes};

pub(super) fn function() -> Function {
    Function {
        family: "arrays",
        syntax: "zip(array1, array2, …)",
        doc: "An array of rows: the nth row holds the nth element of every array, NULL where an \
              array is shorter. NULL when an array is NULL.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Array, Takes::Array];
    Scalar::new("zip", &takes, array_of_rows, invoke).variadic(Takes::Array).udf()
}

fn array_of_rows(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let fields = args.arg_fields.iter().enumerate().map(|(at, field)| {
        let element = match field.data_type() {
            DataType::List(element) => element.as_ref().clone(),
            _ => Field::new("", DataType::Null, true),
        };
        element.with_name(format!("c{at}")).with_nullable(true)
    });
    let row = DataType::Struct(fields.collect::<Fields>());
    Ok(Arc::new(Field::new("", DataType::new_list(row, true), true)))
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let DataType::List(element) = rows.args.return_field.data_type() else {
        return exec_err!("`zip` makes an array");
    };
    let DataType::Struct(fields) = element.data_type() else {
        return exec_err!("`zip` makes an array of rows");
    };
    let all = (0..rows.width()).map(|at| lists::list(rows, at)).collect::<Result<Vec<_>>>()?;
    let valid: Vec<bool> =
        (0..rows.count()).map(|row| all.iter().all(|list| list.is_valid(row))).collect();
    let lengths: Vec<usize> = (0..rows.count())
        .map(|row| {
            let lengths = all.iter().map(|list| list.value_length(row) as usize);
            lengths.max().filter(|_| valid[row]).unwrap_or(0)
        })
        .collect();
    let columns = all.iter().map(|list| {
        let places: UInt32Array = (0..list.len())
            .flat_map(|row| {
                let range = lists::range(list, row);
                (range.start..).take(lengths[row]).map(move |at| (at < range.end).then_some(at))
            })
            .collect();
        Ok(take(list.values(), &places, None)?)
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
    let values = Arc::new(StructArray::try_new(fields.clone(), columns, None)?);
    rows.finish(lists::made(rows, lengths, values, Some(NullBuffer::from(valid)))?)
}
