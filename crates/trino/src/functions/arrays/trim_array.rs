//! `trim_array(array, n)`.

use datafusion::arrow::array::Array;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::lists;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, same_as};

pub(super) fn function() -> Function {
    Function {
        family: "arrays",
        syntax: "trim_array(array, n)",
        doc: "The array without its last `n` elements; more than there are is an error.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("trim_array", &[Takes::Array, Takes::Integer], |args| Ok(same_as(args, 0)), invoke)
        .udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let list = lists::list(rows, 0)?;
    let counts = rows.integer(1)?;
    for row in (0..list.len()).filter(|row| list.is_valid(*row)) {
        let count = counts.get(row).unwrap_or(0);
        if count < 0 || count > i64::from(list.value_length(row)) {
            return exec_err!(
                "size must not exceed array cardinality {}: {count}",
                list.value_length(row)
            );
        }
    }
    lists::rearranged(rows, |row, range| {
        let keep = range.len().saturating_sub(counts.get(row)?.unsigned_abs() as usize);
        Some(range.take(keep).collect())
    })
}
