//! Patterns, compiled once for a column of texts.

use datafusion::common::{Result, exec_datafusion_err};
use regex::{Regex, RegexBuilder};

use super::java;
use crate::functions::support::TextColumn;

/// Bytes a compiled pattern may take.
const SIZE_MAX: usize = 4 << 20;
/// Groups and classes inside one another.
const NESTING_MAX: u32 = 100;

/// A column of patterns, compiled once when it is constant; else the last one is kept.
pub(crate) struct Patterns<'a> {
    column: &'a TextColumn,
    last: Option<(String, Regex)>,
}

impl<'a> Patterns<'a> {
    pub(crate) fn of(column: &'a TextColumn) -> Self {
        Self { column, last: None }
    }

    pub(crate) fn get(&mut self, row: usize) -> Result<Option<&Regex>> {
        let Some(pattern) = self.column.get(row)? else { return Ok(None) };
        if self.last.as_ref().is_none_or(|(text, _)| text != pattern) {
            self.last = Some((pattern.to_owned(), compile(pattern)?));
        }
        Ok(self.last.as_ref().map(|(_, regex)| regex))
    }
}

/// Compiles a pattern of Java's.
pub(crate) fn compile(pattern: &str) -> Result<Regex> {
    let written = java::to_rust(pattern).map_err(|feature| {
        exec_datafusion_err!(
            "the regular expression `{pattern}` uses {feature}, which is not supported"
        )
    })?;
    let mut builder = RegexBuilder::new(&written);
    let built =
        builder.size_limit(SIZE_MAX).dfa_size_limit(SIZE_MAX).nest_limit(NESTING_MAX).build();
    built.map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
        exec_datafusion_err!("the regular expression `{pattern}` is invalid: {reason}")
    })
}
