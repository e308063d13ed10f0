//! `lpad(text, size, padding)`, `rpad(text, size, padding)`, of texts and of binaries.

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, is_binary, returns};

/// Characters or bytes of one result. Trino's own bound is 2,147,483,647.
const SIZE_MAX: i64 = 1 << 20;

pub(super) fn functions() -> Vec<Function> {
    let function = |name, syntax, doc, invoke: fn(&Rows) -> Result<ColumnarValue>| Function {
        family: "text",
        syntax,
        doc,
        url: super::URL,
        udf: Scalar::new(name, &[Takes::Any, Takes::Integer, Takes::Any], padded, invoke).udf(),
    };
    vec![
        function(
            "lpad",
            "lpad(text, size, padding), lpad(binary, size, padding)",
            "The text brought to `size` characters: cut off at the end, or with the padding, over \
             and over, before it. `size` is at most 1,048,576; an empty padding is an error.",
            |rows| pad(rows, true),
        ),
        function(
            "rpad",
            "rpad(text, size, padding), rpad(binary, size, padding)",
            "The text brought to `size` characters: cut off at the end, or with the padding, over \
             and over, after it. `size` is at most 1,048,576; an empty padding is an error.",
            |rows| pad(rows, false),
        ),
    ]
}

fn padded(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let binary = args.arg_fields.iter().any(|field| is_binary(field.data_type()));
    returns(if binary { DataType::Binary } else { DataType::Utf8 })
}

fn pad(rows: &Rows, left: bool) -> Result<ColumnarValue> {
    let sizes = rows.integer(1)?;
    if *rows.args.return_field.data_type() == DataType::Binary {
        let (bytes, paddings) = (rows.binary(0)?, rows.binary(2)?);
        return rows.binaries(|row| {
            let (Some(bytes), Some(size), Some(padding)) =
                (bytes.get(row), sizes.get(row), paddings.get(row))
            else {
                return Ok(None);
            };
            let size = checked(size, padding.is_empty())?;
            let padding = padding.iter().cycle().take(size.saturating_sub(bytes.len())).copied();
            let bytes = bytes.iter().take(size).copied();
            Ok(Some(if left {
                padding.chain(bytes).collect()
            } else {
                bytes.chain(padding).collect()
            }))
        });
    }
    let (texts, paddings) = (rows.text(0)?, rows.text(2)?);
    rows.texts(|row| {
        let (Some(text), Some(size), Some(padding)) =
            (texts.get(row)?, sizes.get(row), paddings.get(row)?)
        else {
            return Ok(None);
        };
        let size = checked(size, padding.is_empty())?;
        let padding = padding.chars().cycle().take(size.saturating_sub(text.chars().count()));
        let text = text.chars().take(size);
        let padded: String =
            if left { padding.chain(text).collect() } else { text.chain(padding).collect() };
        Ok(Some(padded))
    })
}

fn checked(size: i64, no_padding: bool) -> Result<usize> {
    if !(0..=SIZE_MAX).contains(&size) {
        return exec_err!("Target length must be in the range [0..{SIZE_MAX}]");
    }
    if no_padding {
        return exec_err!("Padding string must not be empty");
    }
    Ok(size as usize)
}
