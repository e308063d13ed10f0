//! `json_object(key : value, …)`, as `$json_object(on_null, unique, key, value, …)`, and
//! `json_array(value, …)`, as `$json_array(on_null, value, …)`.

use std::collections::HashSet;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::{Field, FieldRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs};

use super::by_path::word;
use super::write;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, Texts, is_text, varchar};
use crate::json;
use crate::type_names::trino_type;

pub(super) fn functions() -> Vec<Function> {
    let function =
        |syntax, doc, udf| Function { family: "json", syntax, doc, url: super::URL, udf };
    vec![
        function(
            "json_array(x, … [NULL | ABSENT ON NULL] [RETURNING type])",
            "JSON text of an array of the values; NULLs are left out unless the clause says \
             otherwise.",
            Scalar::new("$json_array", &[Takes::Text], varchar, array).variadic(Takes::Any).udf(),
        ),
        function(
            "json_object(key : x, … [NULL | ABSENT ON NULL] [WITH UNIQUE KEYS] [RETURNING type])",
            "JSON text of an object of the values; NULLs become null unless the clause says \
             otherwise. A NULL key is an error, and with the clause a key twice.",
            Scalar::new("$json_object", &[Takes::Text, Takes::Text], keyed, object)
                .variadic(Takes::Any)
                .udf(),
        ),
    ]
}

fn is_null(array: &ArrayRef, row: usize) -> bool {
    array.data_type().is_null() || array.is_null(row)
}

fn columns<'a>(rows: &'a Rows, first: usize) -> Result<Vec<(ArrayRef, &'a Field)>> {
    (first..rows.width()).map(|at| Ok((rows.full_array(at)?, rows.field(at)))).collect()
}

fn array(rows: &Rows) -> Result<ColumnarValue> {
    let absent = word(rows, 0)? == "absent";
    let values = columns(rows, 1)?;
    rows.texts(|row| {
        let mut out = String::from("[");
        for (array, field) in &values {
            if absent && is_null(array, row) {
                continue;
            }
            if out.len() > 1 {
                out.push(',');
            }
            write::value(array, field, row, &mut out)?;
        }
        out.push(']');
        Ok(Some(out))
    })
}

fn keyed(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let mut keys = args.arg_fields.iter().skip(2).step_by(2);
    match keys.find(|field| !is_text(field.data_type())) {
        Some(field) => plan_err!("a key of `json_object` is a varchar, not {}", trino_type(field)),
        None => varchar(args),
    }
}

fn object(rows: &Rows) -> Result<ColumnarValue> {
    let (absent, unique) = (word(rows, 0)? == "absent", word(rows, 1)? == "unique");
    let members = columns(rows, 2)?;
    rows.texts(|row| {
        let mut out = String::from("{");
        let mut seen = HashSet::new();
        for pair in members.chunks_exact(2) {
            let ((keys, _), (values, field)) = (&pair[0], &pair[1]);
            let Some(key) = Texts::of(keys)?.get(row) else {
                return exec_err!("null value passed for JSON object key to JSON_OBJECT function");
            };
            if absent && is_null(values, row) {
                continue;
            }
            if unique && !seen.insert(key) {
                return exec_err!("duplicate key passed to JSON_OBJECT function");
            }
            if out.len() > 1 {
                out.push(',');
            }
            json::quote(key, &mut out);
            out.push(':');
            write::value(values, field, row, &mut out)?;
        }
        out.push('}');
        Ok(Some(out))
    })
}
