//! `concat_ws(separator, text, …)`, `concat_ws(separator, array)`.

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use crate::functions::Function;
use crate::functions::arrays::lists;
use crate::functions::support::{Rows, Scalar, Takes, Texts, is_text, varchar};
use crate::type_names::trino_type;

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "concat_ws(separator, text, …), concat_ws(separator, array)",
        doc: "The texts, or the elements of an array, with the separator between them; NULLs are \
              skipped. NULL when the separator or the array is NULL.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("concat_ws", &[Takes::Text, Takes::Any], joined, invoke).variadic(Takes::Any).udf()
}

fn joined(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let is_list = |field: &FieldRef| match field.data_type() {
        DataType::List(element) => is_text(element.data_type()) || element.data_type().is_null(),
        _ => false,
    };
    let parts = &args.arg_fields[1..];
    let texts = |field: &FieldRef| is_text(field.data_type()) || field.data_type().is_null();
    match parts {
        [only] if is_list(only) => varchar(args),
        parts => match parts.iter().find(|field| !texts(field)) {
            None => varchar(args),
            Some(field) => {
                plan_err!("`concat_ws` takes varchars or an array, not {}", trino_type(field))
            }
        },
    }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let separators = rows.text(0)?;
    if let DataType::List(_) = rows.field(1).data_type() {
        let list = lists::list(rows, 1)?;
        return rows.texts(|row| {
            let Some(separator) = separators.get(row)?.filter(|_| list.is_valid(row)) else {
                return Ok(None);
            };
            let elements: ArrayRef = list.value(row);
            if elements.data_type().is_null() {
                return Ok(Some(String::new()));
            }
            let texts = Texts::of(&elements)?;
            let parts: Vec<&str> = (0..elements.len()).filter_map(|at| texts.get(at)).collect();
            Ok(Some(parts.join(separator)))
        });
    }
    let columns = (1..rows.width()).map(|at| rows.text(at)).collect::<Result<Vec<_>>>()?;
    rows.texts(|row| {
        let Some(separator) = separators.get(row)? else { return Ok(None) };
        let mut parts = Vec::with_capacity(columns.len());
        for column in &columns {
            parts.extend(column.get(row)?);
        }
        Ok(Some(parts.join(separator)))
    })
}
