//! `array_join(array, delimiter[, null_replacement])`.

use std::sync::Arc;

use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::lists;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};
use crate::functions::text::as_text;
use crate::type_names::trino_type;

pub(super) fn function() -> Function {
    Function {
        family: "arrays",
        syntax: "array_join(array, delimiter), array_join(array, delimiter, null_replacement)",
        doc: "The elements, cast to varchar, with the delimiter between them; NULLs are skipped, or \
              replaced.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Array, Takes::Text];
    Scalar::new("array_join", &takes, joined, invoke).optional(&[Takes::Text]).udf()
}

fn joined(args: &ReturnFieldArgs) -> Result<FieldRef> {
    match args.arg_fields[0].data_type() {
        DataType::List(element)
            if matches!(
                element.data_type(),
                DataType::List(_) | DataType::Struct(_) | DataType::Map(..)
            ) =>
        {
            plan_err!("`array_join` takes no array of {}", trino_type(element))
        }
        _ => varchar(args),
    }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let list = lists::list(rows, 0)?;
    let delimiters = rows.text(1)?;
    let replacements = (rows.width() > 2).then(|| rows.text(2)).transpose()?;
    let element: FieldRef = match rows.field(0).data_type() {
        DataType::List(element) => Arc::clone(element),
        _ => return rows.texts(|_| Ok(None::<&str>)),
    };
    rows.texts(|row| {
        let Some(delimiter) = delimiters.get(row)?.filter(|_| list.is_valid(row)) else {
            return Ok(None);
        };
        let replacement = match &replacements {
            None => None,
            Some(column) => match column.get(row)? {
                None => return Ok(None),
                Some(text) => Some(text.to_owned()),
            },
        };
        let mut parts = Vec::new();
        for place in lists::range(&list, row) {
            let text = as_text::value(list.values(), &element, place as usize)?;
            parts.extend(text.or_else(|| replacement.clone()));
        }
        Ok(Some(parts.join(delimiter)))
    })
}
