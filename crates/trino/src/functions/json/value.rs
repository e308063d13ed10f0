//! `json_value(json, path …)`, as `$json_value(json, path, on_error, on_empty, type, if_empty,
//! if_error, name, value, …)`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, StringArray, new_null_array};
use datafusion::arrow::compute::interleave;
use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use super::by_path::{Calls, check_path, word};
use super::typed;
use crate::functions::Function;
use crate::functions::internal::cast;
use crate::functions::support::{Rows, Scalar, Takes, constant_text};
use crate::sql_json_path::{Fault, Item};
use crate::type_names::TrinoType;

pub(super) fn function() -> Function {
    Function {
        family: "json",
        syntax: "json_value(json, path [PASSING …] [RETURNING type] [NULL | ERROR | DEFAULT x ON \
                 EMPTY] [NULL | ERROR | DEFAULT x ON ERROR])",
        doc: "The string, number or boolean that an SQL/JSON path gives, as varchar or the type \
              named; NULL when it gives nothing, several items, an array, an object or what the \
              type does not take, unless the clauses say otherwise.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes =
        [Takes::Text, Takes::Text, Takes::Text, Takes::Text, Takes::Text, Takes::Any, Takes::Any];
    Scalar::new("$json_value", &takes, returns, invoke).variadic(Takes::Any).udf()
}

fn returns(args: &ReturnFieldArgs) -> Result<FieldRef> {
    check_path(args)?;
    let name = constant_text(args, 4).unwrap_or("varchar");
    match TrinoType::parse(name) {
        Ok(TrinoType::Array(_) | TrinoType::Map(..) | TrinoType::Row(_) | TrinoType::Json) => {
            plan_err!("`json_value` returns text, numbers, booleans and times, not {name}")
        }
        Ok(kind) => Ok(Arc::new(kind.field(""))),
        Err(message) => plan_err!("{message}"),
    }
}

/// Where a row's result comes from.
#[derive(Clone, Copy)]
enum Source {
    Null,
    Found,
    IfEmpty,
    IfError,
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let calls = Calls::of(rows, 7)?;
    let (on_error, on_empty) = (word(rows, 2)?, word(rows, 3)?);
    let kind = TrinoType::parse(&word(rows, 4)?).or_else(|message| plan_err!("{message}"))?;
    let mut scalars: Vec<Option<String>> = Vec::with_capacity(rows.count());
    let mut outcomes = Vec::with_capacity(rows.count());
    for row in 0..rows.count() {
        let outcome = calls.at(row, |items| items.and_then(|items| scalar(&items)))?;
        scalars.push(match &outcome {
            Some(Ok(Some(text))) => Some(text.clone()),
            _ => None,
        });
        outcomes.push(outcome);
    }
    let texts: ArrayRef = Arc::new(StringArray::from(scalars));
    let found = typed::from_json(&texts, &kind, true)?;
    let sources = outcomes.into_iter().enumerate().map(|(row, outcome)| {
        let is_null = texts.is_valid(row) && texts_is_null(&texts, row);
        let (handling, reason, default) = match outcome {
            None => return Ok(Source::Null),
            Some(Ok(Some(_))) if found.is_valid(row) || is_null => return Ok(Source::Found),
            Some(Ok(Some(text))) => (&on_error, format!("{text} is no {kind}"), Source::IfError),
            Some(Ok(None)) => (&on_empty, "the path gives no item".to_owned(), Source::IfEmpty),
            Some(Err(Fault(reason))) => (&on_error, reason, Source::IfError),
        };
        match handling.as_str() {
            "error" => exec_err!("json_value: {reason}"),
            "default" => Ok(default),
            _ => Ok(Source::Null),
        }
    });
    let sources = sources.collect::<Result<Vec<Source>>>()?;
    let default = |at: usize| -> Result<ArrayRef> {
        cast::cast(&rows.full_array(at)?, rows.field(at), &kind, false)
    };
    let nothing = new_null_array(found.data_type(), 1);
    let (if_empty, if_error) = (default(5)?, default(6)?);
    let places: Vec<(usize, usize)> = sources
        .iter()
        .enumerate()
        .map(|(row, source)| match source {
            Source::Null => (0, 0),
            Source::Found => (1, row),
            Source::IfEmpty => (2, row),
            Source::IfError => (3, row),
        })
        .collect();
    let all = [nothing.as_ref(), found.as_ref(), if_empty.as_ref(), if_error.as_ref()];
    rows.finish(interleave(&all, &places)?)
}

fn texts_is_null(texts: &ArrayRef, row: usize) -> bool {
    use datafusion::arrow::array::AsArray;
    texts.as_string::<i32>().value(row) == "null"
}

/// Returns the JSON text of the only item; none when there is none.
fn scalar(items: &[Item<'_>]) -> std::result::Result<Option<String>, Fault> {
    match items {
        [] => Ok(None),
        [only] if only.trim_start().starts_with(['{', '[']) => {
            Err(Fault("the path gives an array or object".to_owned()))
        }
        [only] => Ok(Some(only.trim().to_owned())),
        _ => Err(Fault("the path gives several items".to_owned())),
    }
}
