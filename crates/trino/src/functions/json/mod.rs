//! JSON: <https://trino.io/docs/current/functions/json.html>.
//!
//! A value of type `json` is its compact text, marked; JSON in a varchar is read as it is.

mod array_contains;
mod array_get;
mod array_length;
mod by_path;
mod constructors;
mod exists;
mod extract;
mod extract_scalar;
mod format;
mod is_scalar;
mod parse;
mod query;
mod size;
pub(crate) mod typed;
mod value;
pub(crate) mod write;

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::ReturnFieldArgs;

use super::Function;
use super::support::{TextColumn, invalid};
use crate::json_path::JsonPath;
use crate::map;

const URL: &str = "https://trino.io/docs/current/functions/json.html";

pub(super) fn functions() -> Vec<Function> {
    let mut all = vec![
        array_contains::function(),
        array_get::function(),
        array_length::function(),
        extract::function(),
        extract_scalar::function(),
        format::function(),
        is_scalar::function(),
        parse::function(),
        size::function(),
        exists::function(),
        query::function(),
        value::function(),
    ];
    all.extend(constructors::functions());
    all
}

/// The result type of functions that give JSON.
fn json(_args: &ReturnFieldArgs) -> Result<FieldRef> {
    Ok(Arc::new(map::marked(Field::new("", DataType::Utf8, true), map::JSON)))
}

/// A column of paths, read once when it is constant.
struct Paths<'a> {
    column: &'a TextColumn,
    constant: Option<JsonPath>,
}

impl<'a> Paths<'a> {
    fn of(column: &'a TextColumn) -> Result<Self> {
        let constant = column.constant().map(JsonPath::parse).transpose().or_else(invalid)?;
        Ok(Self { column, constant })
    }

    fn get(&self, row: usize) -> Result<Option<Cow<'_, JsonPath>>> {
        if let Some(path) = &self.constant {
            return Ok(Some(Cow::Borrowed(path)));
        }
        let Some(text) = self.column.get(row)? else { return Ok(None) };
        let path = JsonPath::parse(text).map_err(|message| exec_datafusion_err!("{message}"))?;
        Ok(Some(Cow::Owned(path)))
    }
}
