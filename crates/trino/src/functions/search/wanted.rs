//! The terms that each row is searched for: a text or an array of texts, mostly the same for all.

use std::ops::Range;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::ReturnFieldArgs;

use super::event::{Events, Found};
use super::terms::Terms;
use crate::functions::support::{Rows, Texts, is_text};
use crate::type_names::trino_type;

/// Returns an error when the second argument is no text: which argument that is for the user, who
/// may leave the first one out, is not known here.
pub(super) fn check_term(args: &ReturnFieldArgs) -> Result<()> {
    let term = &args.arg_fields[1];
    match term.data_type() {
        DataType::Null => Ok(()),
        data_type if is_text(data_type) => Ok(()),
        _ => plan_err!("the term to look for is a varchar, not {}", trino_type(term)),
    }
}

/// As [`check_term`], for arrays of terms.
pub(super) fn check_terms(args: &ReturnFieldArgs) -> Result<()> {
    let terms = &args.arg_fields[1];
    match terms.data_type() {
        DataType::Null => Ok(()),
        DataType::List(term) if is_text(term.data_type()) || term.data_type().is_null() => Ok(()),
        _ => plan_err!("the terms to look for are an array of varchars, not {}", trino_type(terms)),
    }
}

/// The second argument of a call.
pub(super) struct Wanted {
    array: ArrayRef,
    rows: usize,
}

impl Wanted {
    /// Searches the events that are the first argument for the terms that are the second.
    ///
    /// # Errors
    /// An empty term; arguments of other types.
    pub(super) fn search(rows: &Rows, found: &mut impl Found) -> Result<Wanted> {
        let events = Events::of(&rows.full_array(0)?)?;
        let wanted = Wanted { array: rows.array(1)?, rows: rows.count() };
        let mut start = 0;
        while start < wanted.rows {
            let run = wanted.run_from(start)?;
            start = run.end;
            if let Some(terms) = wanted.get(run.start)? {
                events.search(Terms::of(terms)?.as_ref(), &run, found)?;
            }
        }
        Ok(wanted)
    }

    /// Returns a row's terms; none for NULL. NULLs in an array are left out.
    ///
    /// # Errors
    /// When they are no texts.
    pub(super) fn get(&self, row: usize) -> Result<Option<Vec<&str>>> {
        if self.is_null(row) {
            return Ok(None);
        }
        let row = if self.is_constant() { 0 } else { row };
        match self.array.data_type() {
            data_type if is_text(data_type) => {
                Ok(Texts::of(&self.array)?.get(row).map(|term| vec![term]))
            }
            DataType::List(element) if element.data_type().is_null() => Ok(Some(Vec::new())),
            DataType::List(_) => {
                let list = self.array.as_list::<i32>();
                let (offsets, texts) = (list.value_offsets(), Texts::of(list.values())?);
                let places = offsets[row] as usize..offsets[row + 1] as usize;
                Ok(Some(places.filter_map(|place| texts.get(place)).collect()))
            }
            other => exec_err!("terms to look for are varchar, not `{other}`"),
        }
    }

    /// Returns whether a row's terms are NULL.
    pub(super) fn is_null(&self, row: usize) -> bool {
        let row = if self.is_constant() { 0 } else { row };
        self.array.data_type().is_null() || self.array.is_null(row)
    }

    fn is_constant(&self) -> bool {
        self.array.len() == 1
    }

    /// The rows from `start` on that are searched for the same terms.
    fn run_from(&self, start: usize) -> Result<Range<usize>> {
        if self.is_constant() {
            return Ok(start..self.rows);
        }
        let terms = self.get(start)?;
        let mut end = start + 1;
        while end < self.rows && self.get(end)? == terms {
            end += 1;
        }
        Ok(start..end)
    }
}
