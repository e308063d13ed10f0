//! `json_exists(json, path …)`, as `$json_exists(json, path, on_error, name, value, …)`.

use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::by_path::{Calls, check_path, word};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, boolean};

pub(super) fn function() -> Function {
    Function {
        family: "json",
        syntax: "json_exists(json, path [PASSING x AS name] [FALSE | TRUE | UNKNOWN | ERROR ON \
                 ERROR])",
        doc: "Whether an SQL/JSON path such as `lax $.items[*]?(@.size > 10)` gives an item; NULL \
              for NULL.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Text, Takes::Text, Takes::Text];
    Scalar::new("$json_exists", &takes, returns, invoke).variadic(Takes::Any).udf()
}

fn returns(args: &ReturnFieldArgs) -> Result<FieldRef> {
    check_path(args)?;
    boolean(args)
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let calls = Calls::of(rows, 3)?;
    let on_error = word(rows, 2)?;
    rows.booleans(|row| {
        let outcome = calls.at(row, |items| items.map(|items| !items.is_empty()))?;
        match (outcome, on_error.as_str()) {
            (None, _) => Ok(None),
            (Some(Ok(exists)), _) => Ok(Some(exists)),
            (Some(Err(fault)), "error") => exec_err!("json_exists: {}", fault.0),
            (Some(Err(_)), "true") => Ok(Some(true)),
            (Some(Err(_)), "false") => Ok(Some(false)),
            (Some(Err(_)), _) => Ok(None),
        }
    })
}
