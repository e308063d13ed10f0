//! The columns of a batch of events that are searched, and the search.
//!
//! Most batches hold no wanted term: that is decided for a whole column at once, on the bytes its
//! values lie in (of a column with a dictionary each value lies there once). Only where a term may
//! occur are rows looked at, and only where it does is JSON taken apart.

use std::ops::Range;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};

use super::terms::Terms;
use crate::functions::support::{Texts, is_text};
use crate::json;

/// Texts up to this length stand inside their view.
const INLINE_BYTES: usize = 12;
/// Bytes of a view.
const VIEW_BYTES: usize = 16;

/// What a search found, by row.
pub(super) trait Found {
    /// Returns whether nothing more is to be known of the row.
    fn is_settled(&self, row: usize) -> bool;
    /// Notes that the row mentions the term of this number.
    fn add(&mut self, row: usize, term: usize);
}

/// The searched columns of a batch.
pub(super) struct Events {
    columns: Vec<Column>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Text as it is.
    Text,
    /// JSON text: its strings, keys and numbers.
    Json,
    /// JSON text of an object whose own keys are names of fields.
    Fields,
}

struct Column {
    form: Form,
    values: ArrayRef,
    /// Rows are these lists of `values`; else there is one value a row.
    lists: Option<ListArray>,
}

impl Events {
    /// Takes apart a row of rows, by the name of the field: `text`, `json` and `fields` hold texts
    /// (or lists of rows of texts) of that form.
    ///
    /// # Errors
    /// When the row is another one.
    pub(super) fn of(event: &ArrayRef) -> Result<Events> {
        let Some(event) = event.as_struct_opt() else {
            return exec_err!("what is searched must be an event");
        };
        let mut columns = Vec::new();
        for (name, form) in [("text", Form::Text), ("json", Form::Json), ("fields", Form::Fields)] {
            let group = event.column_by_name(name).and_then(|group| group.as_struct_opt());
            let Some(group) = group else { return exec_err!("an event has no `{name}`") };
            add(group, form, None, &mut columns);
        }
        Ok(Events { columns })
    }

    /// Searches the rows in `rows`.
    ///
    /// # Errors
    /// When a column is no text.
    pub(super) fn search(
        &self,
        terms: &Terms,
        rows: &Range<usize>,
        found: &mut impl Found,
    ) -> Result<()> {
        for column in &self.columns {
            if column.may_hold(terms, rows) {
                column.search(terms, rows, found)?;
            }
        }
        Ok(())
    }
}

fn add(group: &StructArray, form: Form, lists: Option<&ListArray>, columns: &mut Vec<Column>) {
    for values in group.columns() {
        match values.data_type() {
            data_type if is_text(data_type) => {
                columns.push(Column { form, values: values.clone(), lists: lists.cloned() });
            }
            DataType::List(_) if lists.is_none() => {
                let list: &ListArray = values.as_list();
                if let Some(elements) = list.values().as_struct_opt() {
                    add(elements, form, Some(list), columns);
                }
            }
            _ => {}
        }
    }
}

impl Column {
    /// The places in `values` of a row's texts.
    fn places(&self, row: usize) -> Range<usize> {
        match &self.lists {
            None => row..row + 1,
            Some(lists) if lists.is_null(row) => 0..0,
            Some(lists) => {
                let offsets = lists.value_offsets();
                offsets[row] as usize..offsets[row + 1] as usize
            }
        }
    }

    fn may_hold(&self, terms: &Terms, rows: &Range<usize>) -> bool {
        if rows.is_empty() || self.values.null_count() == self.values.len() {
            return false;
        }
        let places = match &self.lists {
            None => rows.clone(),
            Some(lists) => {
                let offsets = lists.value_offsets();
                offsets[rows.start] as usize..offsets[rows.end] as usize
            }
        };
        occur_among(&self.values, places, |bytes| terms.may_occur_in_json(bytes))
    }

    fn search(&self, terms: &Terms, rows: &Range<usize>, found: &mut impl Found) -> Result<()> {
        let texts = Texts::of(&self.values)?;
        for row in rows.clone() {
            if found.is_settled(row) {
                continue;
            }
            for text in self.places(row).filter_map(|place| texts.get(place)) {
                self.form.search(terms, text, |term| found.add(row, term));
            }
        }
        Ok(())
    }
}

impl Form {
    /// Calls `found` with the number of every term that a text of this form mentions.
    fn search(self, terms: &Terms, text: &str, mut found: impl FnMut(usize)) {
        match self {
            // A field of another type than AWS documents is held as the JSON text it was.
            Form::Text if text.starts_with(['[', '{']) => {
                terms.each_whole(text, &mut found);
                Form::Json.search(terms, text, found);
            }
            Form::Text if terms.occur(text.as_bytes()) => terms.each_whole(text, found),
            Form::Json if terms.may_occur_in_json(text.as_bytes()) => {
                json::scalars(text, |scalar| terms.each_whole(&scalar, &mut found));
            }
            Form::Fields if terms.may_occur_in_json(text.as_bytes()) => {
                for (_, value) in json::members(text).into_iter().flatten() {
                    json::scalars(value, |scalar| terms.each_whole(&scalar, &mut found));
                }
            }
            _ => {}
        }
    }
}

/// Whether `occur` may be true of a text at `places`. What lies side by side in memory is asked
/// about at once, so the answer may be yes where two texts only touch.
fn occur_among(values: &ArrayRef, places: Range<usize>, occur: impl Fn(&[u8]) -> bool) -> bool {
    match values.data_type() {
        DataType::Utf8View => {
            let values = values.as_string_view();
            let views = &values.views()[places.clone()];
            // The low half of the low word of a view is the length.
            let lengths = views.iter().map(|view| *view as u32 as usize);
            let outside: usize = lengths.filter(|length| *length > INLINE_BYTES).sum();
            let buffers = values.data_buffers();
            let held: usize = buffers.iter().map(|buffer| buffer.len()).sum();
            if outside > 0 && held > 2 * outside {
                // A few rows of a large buffer: it costs less to ask each of them.
                return true;
            }
            let bytes = values.views().inner().as_slice();
            occur(&bytes[places.start * VIEW_BYTES..places.end * VIEW_BYTES])
                || (outside > 0 && buffers.iter().any(|buffer| occur(buffer)))
        }
        DataType::Utf8 => {
            let values = values.as_string::<i32>();
            let offsets = values.value_offsets();
            let within = offsets[places.start] as usize..offsets[places.end] as usize;
            occur(&values.value_data()[within])
        }
        _ => true,
    }
}
