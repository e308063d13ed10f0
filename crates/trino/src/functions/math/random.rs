//! `random()`, `random(n)`, `random(m, n)`.

use std::hash::{BuildHasher, RandomState};

use datafusion::arrow::datatypes::{FieldRef, Float64Type, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint, double};

pub(super) fn function() -> Function {
    Function {
        family: "math",
        syntax: "random(), random(n), random(m, n)",
        doc: "A pseudo-random double from 0 to below 1, or bigint from `m` (else 0) to below `n`; \
              bounds without a number between them are an error.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("random", &[], result, invoke)
        .optional(&[Takes::Integer, Takes::Integer])
        .aliases(&["rand"])
        .volatile()
        .udf()
}

fn result(args: &ReturnFieldArgs) -> Result<FieldRef> {
    if args.arg_fields.is_empty() { double(args) } else { bigint(args) }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    // The standard library's keys of hash maps are random.
    let keys = RandomState::new();
    let random = |row: usize| keys.hash_one(row);
    if rows.width() == 0 {
        return rows.primitives::<Float64Type>(|row| {
            Ok(Some((random(row) >> 11) as f64 / (1_u64 << 53) as f64))
        });
    }
    let bounds = (0..rows.width()).map(|at| rows.integer(at)).collect::<Result<Vec<_>>>()?;
    rows.primitives::<Int64Type>(|row| {
        let (low, high) = match bounds.as_slice() {
            [high] => (Some(0), high.get(row)),
            [low, high, ..] => (low.get(row), high.get(row)),
            [] => (None, None),
        };
        let (Some(low), Some(high)) = (low, high) else { return Ok(None) };
        if rows.width() == 1 && high <= 0 {
            return exec_err!("bound must be positive");
        }
        if low >= high {
            return exec_err!("start value must be less than stop value");
        }
        let span = (i128::from(high) - i128::from(low)) as u128;
        let value = i128::from(low) + (u128::from(random(row)) % span) as i128;
        Ok(Some(value as i64))
    })
}
