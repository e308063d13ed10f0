//! `parse_data_size(text)`.

use std::sync::Arc;

use datafusion::arrow::array::Decimal128Array;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, returns};

pub(super) fn function() -> Function {
    Function {
        family: "math",
        syntax: "parse_data_size(text)",
        doc: "The bytes of text such as `2.3MB`, a fraction cut off, as decimal(38, 0); units are B, \
              kB, MB, GB, TB, PB, EB, ZB and YB, by 1,024. Other text is an error.",
        url: "https://trino.io/docs/current/functions/conversion.html",
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let decimal = |_args: &ReturnFieldArgs| returns(DataType::Decimal128(38, 0));
    Scalar::new("parse_data_size", &[Takes::Text], decimal, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    let values = (0..rows.count()).map(|row| texts.get(row)?.map(bytes).transpose());
    let values: Decimal128Array = values.collect::<Result<_>>()?;
    rows.finish(Arc::new(values.with_precision_and_scale(38, 0)?))
}

fn bytes(text: &str) -> Result<i128> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
    let power = units.iter().position(|known| *known == unit);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let sound = !whole.is_empty() && !number.ends_with('.') && !fraction.contains('.');
    let (Some(power), true) = (power, sound) else {
        return exec_err!("Invalid data size: '{text}'");
    };
    let unit = 1_i128 << (10 * power);
    let scale = u32::try_from(fraction.len()).ok().and_then(|places| 10_i128.checked_pow(places));
    let size = digits.parse::<i128>().ok().and_then(|digits| digits.checked_mul(unit));
    match (size, scale) {
        (Some(size), Some(scale)) if size / scale < 10_i128.pow(38) => Ok(size / scale),
        _ => exec_err!("Value out of range: '{text}'"),
    }
}
