//! `to_hex(binary)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn function() -> Function {
    Function {
        family: "binary",
        syntax: "to_hex(binary)",
        doc: "Upper-case hexadecimal text.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("to_hex", &[Takes::Binary], varchar, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let bytes = rows.binary(0)?;
    rows.texts(|row| {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
        Ok(bytes.get(row).map(hex))
    })
}
