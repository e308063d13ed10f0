//! What can be wrong with a statement, and how it is shown: the place, what was expected, a hint.

use std::fmt;

use datafusion::sql::sqlparser::tokenizer::Span;
use thiserror::Error;

use crate::excerpt::{around, shortened};

/// What the caller must do about an error; front ends map it to their own codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The text is not SQL we can read.
    Syntax,
    /// A statement that is not one SELECT, VALUES, EXPLAIN, SHOW or DESCRIBE.
    NotReadOnly,
    /// A column, table, field or function that does not exist.
    UnknownName,
    /// A parameter without a value, or a value without a parameter.
    Parameter,
    /// Valid SQL, but with types that do not fit or a rule of Trino's that it breaks.
    Semantic,
    /// Valid Trino that TrailLake does not run.
    Unsupported,
}

/// An error in a statement, with its place when that is known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct SqlError {
    /// What is wrong: lowercase, literals in backticks.
    pub message: String,
    /// Line of the fault, from 1; 0 when the place is unknown.
    pub line: usize,
    /// Column of the fault in characters, from 1; 0 when the place is unknown.
    pub column: usize,
    /// Characters to underline, at least 1 when the place is known.
    pub length: usize,
    /// What to try instead.
    pub hint: Option<String>,
    /// What sort of error it is.
    pub kind: Kind,
}

impl SqlError {
    /// Returns an error without a place or hint.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { message: message.into(), line: 0, column: 0, length: 0, hint: None, kind }
    }

    /// Returns the error placed at `line` and `column` (both from 1), `length` characters long.
    #[must_use]
    pub fn at(mut self, line: usize, column: usize, length: usize) -> Self {
        (self.line, self.column, self.length) = (line, column, length.max(1));
        self
    }

    /// Returns the error at a place the parser knows.
    #[must_use]
    pub(crate) fn placed(self, Span { start, end }: Span) -> Self {
        if start.line == 0 {
            return self;
        }
        let length =
            if end.line == start.line { end.column.saturating_sub(start.column) } else { 1 };
        self.at(start.line as usize, start.column as usize, length as usize)
    }

    /// Returns the error with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns the message, what is around the place in `sql` with a caret line under it, and the
    /// hint. Control characters of the statement are shown escaped, and no line is longer than
    /// 2,000 characters.
    pub fn render(&self, sql: &str) -> String {
        Rendered { error: self, sql }.to_string()
    }
}

struct Rendered<'a> {
    error: &'a SqlError,
    sql: &'a str,
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.error;
        write!(f, "{}", shortened(&error.message))?;
        if error.line > 0
            && let Some(line) = self.sql.lines().nth(error.line - 1)
        {
            let gutter = error.line.to_string();
            let (quoted, carets) = around(line, error.column, error.length);
            let blank = " ".repeat(gutter.len());
            write!(f, "\n{gutter} | {quoted}\n{blank} | {carets}")?;
        }
        match &error.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}
