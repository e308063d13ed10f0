//! Lists: of records, or of what holds them.
//!
//! A comma too many or too few is a reject of its own and costs no record beside it: where values
//! begin and end is known without commas. A bracket of the wrong kind refuses the object, and so
//! does a colon, which only the members of an object have: nothing then says where records begin.

use super::{Body, Halt, Place, Walk, Walker};
use crate::json::gap;

/// White space in a list before it counts as one that holds something.
const EMPTY_LIST_BYTES_MAX: usize = 4 << 10;
/// White space that a reject keeps where a comma is missing.
const GAP_BYTES_MAX: usize = 4 << 10;

/// What stands before a place in a list.
#[derive(Clone, Copy)]
enum Before {
    /// The bracket that opens it.
    Bracket,
    /// A value that ends here.
    Value(usize),
    /// The comma here.
    Comma(usize),
}

impl Walker<'_> {
    /// An array in the place of an object: of records or of envelopes. An empty one counts as a
    /// log without records.
    pub(super) fn top_list(&mut self, at: usize) -> Walk<usize> {
        let first = self.gap(at + 1)?;
        if self.peek(first)? == Some(b']') {
            self.recognise(Body::Array);
            return Ok(first + 1);
        }
        let before = self.body;
        // The bracket may have left the window, where much white space stands behind it.
        let end = self.list(first - 1, None, 0)?;
        if before.is_none() && self.body == Some(Body::Single) {
            self.body = Some(Body::Array);
        }
        Ok(end)
    }

    /// Walks over an array; `records` is set where every element is a record, whatever it holds.
    pub(super) fn list(&mut self, at: usize, records: Option<Body>, depth: usize) -> Walk<usize> {
        let place = if records.is_some() { Place::Records } else { Place::List };
        let (mut at, mut before) = (at + 1, Before::Bracket);
        loop {
            at = self.gap_kept(at)?;
            at = match self.peek(at)? {
                None => return Err(self.cut(at)),
                Some(b']') => break,
                Some(b',') => {
                    before = self.comma(before, at)?;
                    at + 1
                }
                Some(b'}' | b':') => {
                    let reason = match before {
                        Before::Value(_) => "a comma or `]` must stand here",
                        Before::Bracket | Before::Comma(_) => "a record must stand here",
                    };
                    return Err(self.malformed(at, reason));
                }
                Some(first) => {
                    if let Before::Value(end) = before {
                        self.missing_comma(end, at)?;
                    }
                    let end = match first {
                        b'{' if records.is_some() => self.record(at, place)?,
                        b'{' => self.document(at, depth + 1)?,
                        _ => self.bad_value(at, "a record must be an object", place)?,
                    };
                    before = Before::Value(end);
                    end
                }
            };
            if self.visit.is_done() {
                return Err(Halt::End);
            }
        }
        if let Before::Comma(comma) = before {
            self.stray_comma(comma, "a comma with no record behind it")?;
        }
        Ok(at + 1)
    }

    /// Returns whether a list has no elements, as far as its first bytes show it.
    pub(super) fn is_empty_list(&mut self, at: usize) -> Walk<bool> {
        for ahead in at + 1..at + EMPTY_LIST_BYTES_MAX {
            match self.look_ahead(at, ahead)? {
                Some(b' ' | b'\n' | b'\r' | b'\t') => {}
                next => return Ok(next == Some(b']')),
            }
        }
        Ok(false)
    }

    /// Takes the comma at `at`; returns what then stands before what follows.
    fn comma(&mut self, before: Before, at: usize) -> Walk<Before> {
        match before {
            Before::Value(_) => {}
            Before::Bracket => {
                self.stray_comma(at, "a comma with no record before it")?;
                return Ok(Before::Bracket);
            }
            Before::Comma(first) => self.stray_comma(first, "a comma with no record behind it")?,
        }
        Ok(Before::Comma(at))
    }

    fn stray_comma(&mut self, at: usize, reason: &str) -> Walk<()> {
        self.stranger(at)?;
        self.visit.reject(at, reason.to_owned(), 1, b",");
        Ok(())
    }

    /// The value that ends at `end` and the one at `at` have only white space between them. Of more
    /// of it than is kept nothing is told: how much is at hand depends on the size of the object.
    fn missing_comma(&mut self, end: usize, at: usize) -> Walk<()> {
        self.stranger(at)?;
        let white = match at - end {
            0..=GAP_BYTES_MAX => self.window.from(end).get(..at - end).unwrap_or_default(),
            _ => &[],
        };
        let reason = "a comma is missing between two records".to_owned();
        self.visit.reject(end, reason, at - end, white);
        Ok(())
    }

    /// Returns the end of the white space at `start`, which stays in the window if it is short.
    fn gap_kept(&mut self, start: usize) -> Walk<usize> {
        let mut at = start;
        loop {
            let keep = if at - start > GAP_BYTES_MAX { at } else { start };
            match self.look_ahead(keep, at)? {
                Some(b' ' | b'\n' | b'\r' | b'\t') => at += gap(self.window.from(at), 0),
                _ => return Ok(at),
            }
        }
    }
}
