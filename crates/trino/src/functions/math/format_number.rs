//! `format_number(x)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn function() -> Function {
    Function {
        family: "math",
        syntax: "format_number(x)",
        doc: "The number with three digits and a unit: `123K`, `1.24M`, `12.3B`; units are K, M, B, \
              T and Q, thousands to 10^15.",
        url: "https://trino.io/docs/current/functions/conversion.html",
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("format_number", &[Takes::Number], varchar, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let values = rows.number(0)?;
    rows.texts(|row| Ok(values.get(row).map(shortened)))
}

fn shortened(value: f64) -> String {
    let mut size = value.abs();
    let mut unit = "";
    for next in ["K", "M", "B", "T", "Q"] {
        if size < 1000.0 {
            break;
        }
        (size, unit) = (size / 1000.0, next);
    }
    let places = match size {
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{size:.places$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    let sign = if value < 0.0 && text != "0" { "-" } else { "" };
    format!("{sign}{text}{unit}")
}
