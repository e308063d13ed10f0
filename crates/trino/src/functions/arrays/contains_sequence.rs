//! `contains_sequence(array, sequence)`.

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::lists;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, boolean};

pub(super) fn function() -> Function {
    Function {
        family: "arrays",
        syntax: "contains_sequence(array, sequence)",
        doc: "Whether the elements of `sequence` stand side by side in the array, in that order; \
              NULL equals NULL, and every array contains the empty one.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("contains_sequence", &[Takes::Array, Takes::Array], boolean, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (list, sequence) = (lists::list(rows, 0)?, lists::list(rows, 1)?);
    let element = match list.value_type() {
        DataType::Null => sequence.value_type(),
        other => other,
    };
    let converter = RowConverter::new(vec![SortField::new(element.clone())])?;
    let convert = |values: &ArrayRef| -> Result<_> {
        Ok(converter.convert_columns(&[cast(values, &element)?])?)
    };
    let (elements, wanted) = (convert(list.values())?, convert(sequence.values())?);
    rows.booleans(|row| {
        if list.is_null(row) || sequence.is_null(row) {
            return Ok(None);
        }
        let (inside, sought) = (lists::range(&list, row), lists::range(&sequence, row));
        let starts_at = |start: u32| {
            sought
                .clone()
                .zip(start..)
                .all(|(wanted_at, at)| wanted.row(wanted_at as usize) == elements.row(at as usize))
        };
        let last = inside.end.checked_sub(sought.len() as u32).filter(|last| *last >= inside.start);
        Ok(Some(last.is_some_and(|last| (inside.start..=last).any(starts_at))))
    })
}
