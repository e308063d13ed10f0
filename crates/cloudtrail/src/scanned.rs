//! A row beside its text, as the cells that a shape is written from.

use crate::record::{Element, Row, Value};
use crate::shape::{Cells, RecordCells};

/// A row beside the text that it was read from.
pub(crate) struct Scanned<'a> {
    /// The row.
    pub row: &'a Row,
    /// The record's text.
    pub text: &'a str,
}

/// An element beside the row that it belongs to.
pub(crate) struct ScannedElement<'a>(&'a Scanned<'a>, &'a Element);

impl Cells for Scanned<'_> {
    fn text(&self, number: usize) -> Option<&str> {
        self.row.text_of(self.row.values[number], self.text)
    }

    fn flag(&self, number: usize) -> Option<bool> {
        match self.row.values[number] {
            Value::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    fn time(&self, number: usize) -> Option<i64> {
        match self.row.values[number] {
            Value::Time(at) => Some(at),
            _ => None,
        }
    }
}

impl RecordCells for Scanned<'_> {
    type Element<'a>
        = ScannedElement<'a>
    where
        Self: 'a;

    fn elements(&self, number: usize) -> Option<usize> {
        (self.row.values[number] == Value::List).then_some(self.row.elements.len())
    }

    fn element(&self, _number: usize, element: usize) -> ScannedElement<'_> {
        ScannedElement(self, &self.row.elements[element])
    }

    fn loose(&self) -> (&str, &str) {
        (&self.row.raw_fields, &self.row.unknown_fields)
    }
}

impl Cells for ScannedElement<'_> {
    fn text(&self, number: usize) -> Option<&str> {
        self.0.row.text_of(self.1.values[number], self.0.text)
    }

    fn flag(&self, _number: usize) -> Option<bool> {
        None
    }

    fn time(&self, _number: usize) -> Option<i64> {
        None
    }
}
