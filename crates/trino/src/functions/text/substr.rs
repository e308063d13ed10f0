//! `substr(text, start[, length])`.

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, is_binary, is_text, returns};
use crate::type_names::trino_type;

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "substr(text, start), substr(text, start, length), substring(…)",
        doc: "The characters (of a varbinary the bytes) from `start`, counted from 1, or from the end when negative; `''` when \
              `start` is 0 or outside the text, or `length` is not positive.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Any, Takes::Integer];
    Scalar::new("substr", &takes, part, invoke).optional(&[Takes::Integer]).udf()
}

fn part(args: &ReturnFieldArgs) -> Result<FieldRef> {
    match args.arg_fields[0].data_type() {
        data_type if is_binary(data_type) => returns(DataType::Binary),
        data_type if is_text(data_type) || data_type.is_null() => returns(DataType::Utf8),
        _ => plan_err!(
            "argument 1 of `substr` is {}, but varchar is needed",
            trino_type(&args.arg_fields[0])
        ),
    }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let starts = rows.integer(1)?;
    let lengths = (rows.width() > 2).then(|| rows.integer(2)).transpose()?;
    let wanted = |row: usize| {
        let length = lengths.as_ref().map_or(Some(i64::MAX), |column| column.get(row));
        starts.get(row).zip(length)
    };
    if rows.field(0).data_type().is_null() {
        return rows.texts(|_| Ok(None::<&str>));
    }
    if is_binary(rows.field(0).data_type()) {
        let bytes = rows.binary(0)?;
        return rows.binaries(|row| {
            let (Some(bytes), Some((start, length))) = (bytes.get(row), wanted(row)) else {
                return Ok(None);
            };
            let count = bytes.len() as i64;
            let from = if start < 0 { count + start } else { start - 1 };
            if start == 0 || from < 0 || from >= count || length <= 0 {
                return Ok(Some(Vec::new()));
            }
            let end = from.saturating_add(length).min(count);
            Ok(Some(bytes[from as usize..end as usize].to_vec()))
        });
    }
    let texts = rows.text(0)?;
    rows.texts(|row| {
        let (Some(text), Some((start, length))) = (texts.get(row)?, wanted(row)) else {
            return Ok(None);
        };
        Ok(Some(slice(text, start, length)))
    })
}

fn slice(text: &str, start: i64, length: i64) -> &str {
    let count = if start < 0 { text.chars().count() as i64 } else { 0 };
    let skip = if start < 0 { count + start } else { start - 1 };
    if start == 0 || skip < 0 || length <= 0 {
        return "";
    }
    let byte = |chars: i64, from: usize| {
        let chars = usize::try_from(chars).unwrap_or(usize::MAX);
        text[from..].char_indices().nth(chars).map_or(text.len(), |(at, _)| from + at)
    };
    let from = byte(skip, 0);
    &text[from..byte(length, from)]
}
