//! Where values end, at hand or not, sound or not.

use super::broken::Rest;
use super::{Place, Walk, Walker};
use crate::json::{Stop, value};
use crate::window::{Skipped, Skipper};

/// Where a value ends.
pub(super) enum End {
    At(usize),
    /// The object ends first.
    Cut,
    /// The value breaks in a way that leaves no end.
    Nowhere,
    /// There, but it is larger than the limit: its first bytes.
    Beyond(usize, Vec<u8>),
}

impl Walker<'_> {
    /// Returns the end of a value of any size that nobody wants.
    pub(super) fn skip(&mut self, at: usize) -> Walk<usize> {
        match self.far_end(at, false, false)? {
            End::At(end) => Ok(end),
            End::Cut | End::Nowhere | End::Beyond(..) => Err(self.cut(at)),
        }
    }

    /// Returns the end of a value that is JSON and in the window, or why it has none.
    pub(super) fn sound_end(&mut self, at: usize) -> Walk<Result<usize, Stop>> {
        loop {
            let known = self.window.from(at);
            let found = value(known, 0, usize::MAX);
            if found != Err(Stop::End)
                || known.len() > self.limits.record_bytes_max
                || !self.window.more(at)?
            {
                return Ok(found.map(|length| at + length));
            }
        }
    }

    /// Looks for the end of a value that is wanted: sound, broken, or too large.
    pub(super) fn end_of(&mut self, at: usize, place: Place) -> Walk<End> {
        let is_broken = match self.sound_end(at)? {
            Ok(end) => return Ok(End::At(end)),
            Err(stop) => stop != Stop::End,
        };
        if is_broken && place != Place::Top {
            if let Some(end) = self.broken_end(at, place == Place::Records)? {
                return Ok(End::At(end));
            }
            if self.window.is_ended() {
                return Ok(End::Nowhere);
            }
        }
        let end = self.far_end(at, true, place == Place::Top)?;
        Ok(if is_broken && matches!(end, End::Cut) { End::Nowhere } else { end })
    }

    fn broken_end(&mut self, at: usize, records: bool) -> Walk<Option<usize>> {
        loop {
            let known = self.window.from(at);
            let rest = match self.window.is_ended() {
                true => Rest::Nothing,
                false if known.len() > self.limits.record_bytes_max => Rest::Beyond,
                false => Rest::More,
            };
            if let Some(length) = self.broken_ends.find(known, records, rest) {
                return Ok(Some(at + length));
            }
            if rest != Rest::More {
                return Ok(None);
            }
            self.window.more(at)?;
        }
    }

    /// Looks for the end of a value of any size. A wanted value stays in the window unless it is too
    /// large; one that stands `by_line` ends at the latest where a line starts like a value.
    fn far_end(&mut self, at: usize, wanted: bool, by_line: bool) -> Walk<End> {
        let mut skipper = if by_line { Skipper::by_line() } else { Skipper::default() };
        let mut seen = at;
        let mut lost = false;
        let mut head = None;
        let keeps_all = wanted || self.peek(at)? == Some(b'"');
        loop {
            let fed = if lost { Skipped::Open } else { skipper.feed(self.window.from(seen)) };
            let mut end = match fed {
                Skipped::End(length) => Some(seen + length),
                Skipped::Broken | Skipped::Open => None,
            };
            lost |= fed == Skipped::Broken;
            if by_line && let Some(line) = self.next_line(at, seen, end) {
                end = Some(line);
            }
            let reached = end.unwrap_or(seen + self.window.from(seen).len());
            if wanted && head.is_none() && reached - at > self.limits.record_bytes_max {
                head = Some(
                    self.window.from(at)[..self.limits.reject_bytes_max.min(reached - at)].to_vec(),
                );
            }
            if let Some(end) = end {
                return Ok(head.map_or(End::At(end), |head| End::Beyond(end, head)));
            }
            seen = reached;
            // The last byte stays: it may be the line break before the next value.
            let keep = if keeps_all && head.is_none() { at } else { seen.saturating_sub(1) };
            if !self.window.more(keep)? {
                return Ok(End::Cut);
            }
        }
    }

    /// Returns the end of the line before one that starts with `{` or `[`, if that comes before
    /// the end that was found.
    fn next_line(&self, at: usize, seen: usize, end: Option<usize>) -> Option<usize> {
        // The line break may be the last byte of what was seen before.
        let from = if seen > at { seen - 1 } else { at };
        let known = self.window.from(from);
        let searched = &known[..end.map_or(known.len(), |end| end - from)];
        memchr::memchr_iter(b'\n', searched)
            .find(|found| matches!(known.get(found + 1), Some(b'{' | b'[')))
            .map(|found| from + found)
    }
}
