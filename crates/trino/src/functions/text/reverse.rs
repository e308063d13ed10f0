//! `reverse(text), reverse(array)`.

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use crate::functions::Function;
use crate::functions::arrays::lists;
use crate::functions::support::{Rows, Scalar, Takes, is_binary, is_text, returns, same_as};

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "reverse(text), reverse(array), reverse(binary)",
        doc: "The characters, elements or bytes in reverse order.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("reverse", &[Takes::Any], reversed, invoke).udf()
}

fn reversed(args: &ReturnFieldArgs) -> Result<FieldRef> {
    match is_binary(args.arg_fields[0].data_type()) {
        true => returns(DataType::Binary),
        false => Ok(same_as(args, 0)),
    }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let data_type = rows.field(0).data_type();
    if is_text(data_type) {
        let texts = rows.text(0)?;
        let text =
            rows.texts(|row| Ok(texts.get(row)?.map(|t| t.chars().rev().collect::<String>())));
        return text?.cast_to(data_type, None);
    }
    if is_binary(data_type) {
        let bytes = rows.binary(0)?;
        return rows
            .binaries(|row| Ok(bytes.get(row).map(|bytes| bytes.iter().rev().copied().collect())));
    }
    lists::rearranged(rows, |_, range| Some(range.rev().collect()))
}
