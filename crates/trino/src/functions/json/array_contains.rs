//! `json_array_contains(json, value)`.

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, boolean, is_text};
use crate::functions::text::as_text;
use crate::json;

pub(super) fn function() -> Function {
    Function {
        family: "json",
        syntax: "json_array_contains(json, value)",
        doc: "Whether a JSON array has the varchar, number or boolean as an element; NULL when the \
              text is not an array.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("json_array_contains", &[Takes::Text, Takes::Any], boolean, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, values) = (rows.text(0)?, rows.full_array(1)?);
    let field = rows.field(1);
    let quoted = is_text(field.data_type());
    let numeric = field.data_type().is_numeric();
    rows.booleans(|row| {
        let Some(text) = texts.get(row)? else { return Ok(None) };
        let Some(wanted) = wanted(&values, field, row, numeric)? else { return Ok(None) };
        let Some(mut elements) = json::elements(text) else { return Ok(None) };
        Ok(Some(elements.any(|element| match &wanted {
            Wanted::Number(number) => element.parse::<f64>().is_ok_and(|value| value == *number),
            Wanted::Text(wanted) => {
                element.starts_with('"') == quoted
                    && json::text(element).is_some_and(|text| text == wanted.as_str())
            }
        })))
    })
}

enum Wanted {
    Number(f64),
    Text(String),
}

fn wanted(
    values: &ArrayRef,
    field: &datafusion::arrow::datatypes::Field,
    row: usize,
    numeric: bool,
) -> Result<Option<Wanted>> {
    if values.is_null(row) {
        return Ok(None);
    }
    let text = as_text::value(values, field, row)?.unwrap_or_default();
    Ok(Some(match text.parse() {
        Ok(number) if numeric => Wanted::Number(number),
        _ => Wanted::Text(text),
    }))
}
