//! `json_query(json, path …)`, as
//! `$json_query(json, path, on_error, on_empty, wrapper, quotes, name, value, …)`.

use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::by_path::{Calls, check_path, word};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};
use crate::sql_json_path::{Fault, Item};
use crate::{json, map};

pub(super) fn function() -> Function {
    Function {
        family: "json",
        syntax: "json_query(json, path [PASSING …] [RETURNING type] [WITH | WITHOUT ARRAY WRAPPER] \
                 [KEEP | OMIT QUOTES] [NULL | ERROR | EMPTY ARRAY | EMPTY OBJECT ON EMPTY] [… ON \
                 ERROR])",
        doc: "The JSON text that an SQL/JSON path gives; NULL when it gives nothing, or several \
              items without a wrapper, unless the clauses say otherwise.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Text; 6];
    Scalar::new("$json_query", &takes, returns, invoke).variadic(Takes::Any).udf()
}

/// JSON of JSON, text of text.
fn returns(args: &ReturnFieldArgs) -> Result<FieldRef> {
    check_path(args)?;
    if map::is_json(&args.arg_fields[0]) { super::json(args) } else { varchar(args) }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let calls = Calls::of(rows, 6)?;
    let (on_error, on_empty) = (word(rows, 2)?, word(rows, 3)?);
    let (wrapper, quotes) = (word(rows, 4)?, word(rows, 5)?);
    rows.texts(|row| {
        let outcome = calls.at(row, |items| items.and_then(|items| one(&items, &wrapper)))?;
        let (handling, reason) = match outcome {
            None => return Ok(None),
            Some(Ok(Some(text))) => {
                let plain = quotes == "omit" && text.starts_with('"');
                let text = if plain {
                    json::text(&text).map(|text| text.into_owned())
                } else {
                    Some(text)
                };
                return Ok(text);
            }
            Some(Ok(None)) => (&on_empty, "the path gives no item".to_owned()),
            Some(Err(fault)) => (&on_error, fault.0),
        };
        match handling.as_str() {
            "error" => exec_err!("json_query: {reason}"),
            "array" => Ok(Some("[]".to_owned())),
            "object" => Ok(Some("{}".to_owned())),
            _ => Ok(None),
        }
    })
}

/// Returns the text of all items as one value; none when there are none.
fn one(items: &[Item<'_>], wrapper: &str) -> std::result::Result<Option<String>, Fault> {
    let nested = |item: &Item<'_>| item.trim_start().starts_with(['{', '[']);
    match (items, wrapper) {
        ([], _) => Ok(None),
        ([only], "without") => Ok(Some(json::compact(only.trim()).into_owned())),
        ([only], "conditional") if nested(only) => {
            Ok(Some(json::compact(only.trim()).into_owned()))
        }
        (_, "without") => Err(Fault("the path gives several items".to_owned())),
        (items, _) => {
            let parts: Vec<_> = items.iter().map(|item| json::compact(item.trim())).collect();
            Ok(Some(format!("[{}]", parts.join(","))))
        }
    }
}
