//! `bitwise_and(x, y)` and the other operations on the bits of bigints, two's complement.

use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ColumnarValue;

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint};

const URL: &str = "https://trino.io/docs/current/functions/bitwise.html";

pub(super) fn functions() -> Vec<Function> {
    let two = |name, syntax, doc, invoke: fn(&Rows) -> Result<ColumnarValue>| Function {
        family: "math",
        syntax,
        doc,
        url: URL,
        udf: Scalar::new(name, &[Takes::Integer, Takes::Integer], bigint, invoke).udf(),
    };
    vec![
        two("bitwise_and", "bitwise_and(x, y)", "The bits that both have.", |rows| {
            apply(rows, |x, y| Ok(x & y))
        }),
        two("bitwise_or", "bitwise_or(x, y)", "The bits that either has.", |rows| {
            apply(rows, |x, y| Ok(x | y))
        }),
        two("bitwise_xor", "bitwise_xor(x, y)", "The bits that one has.", |rows| {
            apply(rows, |x, y| Ok(x ^ y))
        }),
        two("bitwise_left_shift", "bitwise_left_shift(x, shift)", "The bits moved up.", |rows| {
            apply(rows, |x, by| {
                Ok(u32::try_from(by).ok().and_then(|by| x.checked_shl(by)).unwrap_or(0))
            })
        }),
        two(
            "bitwise_right_shift",
            "bitwise_right_shift(x, shift)",
            "The bits moved down, zeros in.",
            |rows| {
                apply(rows, |x, by| {
                    Ok(
                        u32::try_from(by)
                            .ok()
                            .and_then(|by| (x as u64).checked_shr(by))
                            .unwrap_or(0) as i64,
                    )
                })
            },
        ),
        two(
            "bitwise_right_shift_arithmetic",
            "bitwise_right_shift_arithmetic(x, shift)",
            "The bits moved down, copies of the sign bit in.",
            |rows| {
                apply(rows, |x, by| {
                    let by = u32::try_from(by).unwrap_or(u32::MAX).min(63);
                    Ok(x >> by)
                })
            },
        ),
        two(
            "bit_count",
            "bit_count(x, bits)",
            "The set bits of `x` as a number of so many bits (2 to 64); \
            a number that does not fit is an error.",
            |rows| apply(rows, bit_count),
        ),
        Function {
            family: "math",
            syntax: "bitwise_not(x)",
            doc: "The bits that it has not.",
            url: URL,
            udf: Scalar::new("bitwise_not", &[Takes::Integer], bigint, |rows| {
                let values = rows.integer(0)?;
                rows.primitives::<Int64Type>(|row| Ok(values.get(row).map(|value| !value)))
            })
            .udf(),
        },
    ]
}

fn apply(rows: &Rows, operation: fn(i64, i64) -> Result<i64>) -> Result<ColumnarValue> {
    let (left, right) = (rows.integer(0)?, rows.integer(1)?);
    rows.primitives::<Int64Type>(|row| match (left.get(row), right.get(row)) {
        (Some(left), Some(right)) => operation(left, right).map(Some),
        _ => Ok(None),
    })
}

fn bit_count(value: i64, bits: i64) -> Result<i64> {
    if !(2..=64).contains(&bits) {
        return exec_err!("Bits specified in bit_count must be between 2 and 64, got {bits}");
    }
    let limit = 1_i128 << (bits - 1);
    if !(-limit..limit).contains(&i128::from(value)) {
        return exec_err!(
            "Number must be representable with the bits specified. {value} cannot be \
            represented with {bits} bits"
        );
    }
    let mask = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
    Ok(i64::from((value as u64 & mask).count_ones()))
}
