//! `crc32(binary)`.

use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint};

pub(super) fn function() -> Function {
    Function {
        family: "binary",
        syntax: "crc32(binary)",
        doc: "The CRC-32 checksum, as bigint.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("crc32", &[Takes::Binary], bigint, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let bytes = rows.binary(0)?;
    rows.primitives::<Int64Type>(|row| Ok(bytes.get(row).map(|bytes| i64::from(checksum(bytes)))))
}

fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            let polynomial = if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
            crc >> 1 ^ polynomial
        })
    })
}
