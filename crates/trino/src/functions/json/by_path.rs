//! What `json_exists`, `json_value` and `json_query` share: input, path and passed values by row.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::Field;
use datafusion::common::{Result, exec_err, plan_datafusion_err};
use datafusion::logical_expr::ReturnFieldArgs;

use super::write;
use crate::functions::support::{Rows, TextColumn, constant_text};
use crate::json;
use crate::sql_json_path::{Fault, Item, SqlJsonPath};

/// The calls of one batch.
pub(super) struct Calls<'a> {
    input: TextColumn,
    path: SqlJsonPath,
    names: Vec<String>,
    passed: Vec<(ArrayRef, &'a Field)>,
}

/// Returns an error when the path, a literal, is not one.
pub(super) fn check_path(args: &ReturnFieldArgs) -> Result<()> {
    let Some(path) = constant_text(args, 1) else { return Ok(()) };
    SqlJsonPath::parse(path).map(|_| ()).map_err(|fault| plan_datafusion_err!("{fault}"))
}

/// Returns the constant word at `at`.
pub(super) fn word(rows: &Rows, at: usize) -> Result<String> {
    match rows.text(at)?.constant() {
        Some(word) => Ok(word.to_owned()),
        None => exec_err!("a clause is a literal"),
    }
}

impl<'a> Calls<'a> {
    /// `first` is the place of the first passed name.
    pub(super) fn of(rows: &'a Rows, first: usize) -> Result<Self> {
        let path = word(rows, 1)?;
        let path = SqlJsonPath::parse(&path).map_err(|fault| plan_datafusion_err!("{fault}"))?;
        let (mut names, mut passed) = (Vec::new(), Vec::new());
        for at in (first..rows.width()).step_by(2) {
            names.push(word(rows, at)?);
            passed.push((rows.full_array(at + 1)?, rows.field(at + 1)));
        }
        Ok(Self { input: rows.text(0)?, path, names, passed })
    }

    /// Hands the items of a row to `use_items`; none when the input is NULL.
    pub(super) fn at<T>(
        &self,
        row: usize,
        use_items: impl FnOnce(std::result::Result<Vec<Item<'_>>, Fault>) -> T,
    ) -> Result<Option<T>> {
        let Some(text) = self.input.get(row)? else { return Ok(None) };
        if !json::is_valid(text) {
            return Ok(Some(use_items(Err(Fault("the input is not JSON".to_owned())))));
        }
        let mut variables = Vec::with_capacity(self.names.len());
        for (name, (array, field)) in self.names.iter().zip(&self.passed) {
            let mut value = String::new();
            write::value(array, field, row, &mut value)?;
            variables.push((name.clone(), value));
        }
        Ok(Some(use_items(self.path.items(text, &variables))))
    }
}
