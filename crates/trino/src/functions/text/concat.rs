//! `concat(x, …), x || y`.

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::as_text;
use crate::functions::Function;
use crate::functions::arrays::lists;
use crate::functions::support::{Rows, Scalar, Takes, is_binary, same_as, varbinary, varchar};

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "concat(x, …), x || y",
        doc: "The texts (or arrays, or binaries) one after another; NULL when any is NULL.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("concat", &[Takes::Any], joined, invoke).variadic(Takes::Any).udf()
}

fn joined(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let list =
        args.arg_fields.iter().position(|field| matches!(field.data_type(), DataType::List(_)));
    match list {
        Some(at) => Ok(same_as(args, at)),
        None if args.arg_fields.iter().any(|field| is_binary(field.data_type())) => varbinary(args),
        None => varchar(args),
    }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    if matches!(rows.args.return_field.data_type(), DataType::List(_)) {
        return lists::concatenated(rows);
    }
    if *rows.args.return_field.data_type() == DataType::Binary {
        let columns = (0..rows.width()).map(|at| rows.binary(at)).collect::<Result<Vec<_>>>()?;
        return rows.binaries(|row| {
            let parts: Option<Vec<&[u8]>> = columns.iter().map(|column| column.get(row)).collect();
            Ok(parts.map(|parts| parts.concat()))
        });
    }
    let columns = (0..rows.width())
        .map(|at| Ok((rows.full_array(at)?, rows.field(at))))
        .collect::<Result<Vec<_>>>()?;
    rows.texts(|row| {
        let mut joined = String::new();
        for (column, field) in &columns {
            match as_text::value(column, field, row)? {
                Some(text) => joined.push_str(&text),
                None => return Ok(None),
            }
        }
        Ok(Some(joined))
    })
}
