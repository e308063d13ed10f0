//! Matches one after another as Java's `Matcher.find` gives them: an empty match may follow a
//! match at once, where Rust's iterators skip it.

use regex::{Captures, Regex};

/// Returns the matches of a pattern in a text.
pub(crate) fn matches<'r, 't>(regex: &'r Regex, text: &'t str) -> Matches<'r, 't> {
    Matches { regex, text, at: Some(0) }
}

/// See [`matches`].
pub(crate) struct Matches<'r, 't> {
    regex: &'r Regex,
    text: &'t str,
    /// Where the next search starts; none after the end.
    at: Option<usize>,
}

impl<'t> Matches<'_, 't> {
    /// Searches from a byte on instead.
    pub(crate) fn starting_at(mut self, at: usize) -> Self {
        self.at = Some(at);
        self
    }

    fn step(&mut self, start: usize, end: usize) {
        let next = match start == end {
            false => end,
            true => end + self.text[end..].chars().next().map_or(1, char::len_utf8),
        };
        self.at = (next <= self.text.len()).then_some(next);
    }

    /// Returns the next match with its groups.
    pub(crate) fn next_captures(&mut self) -> Option<Captures<'t>> {
        let captures = self.regex.captures_at(self.text, self.at?);
        let whole = captures.as_ref().and_then(|captures| captures.get(0));
        match whole.map(|whole| whole.range()) {
            Some(range) => self.step(range.start, range.end),
            None => self.at = None,
        }
        captures
    }
}

impl Iterator for Matches<'_, '_> {
    type Item = std::ops::Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.regex.find_at(self.text, self.at?).map(|found| found.range());
        match &found {
            Some(range) => self.step(range.start, range.end),
            None => self.at = None,
        }
        found
    }
}
