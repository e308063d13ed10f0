//! Where an element of a list ends that is no JSON: it must cost no other.
//!
//! Brackets and quotes lead to the end of most: a wrong word, a raw line break in a string. A
//! stray or missing quote turns text and structure around, and brackets then lead anywhere. So the
//! element ends where brackets and quotes say, if a list may go on there; before that already,
//! where a whole record stands behind a comma, unless brackets and quotes say that it lies within.

use crate::form::{Form, classify};
use crate::json::{Stop, gap, string, value};
use crate::window::{Skipped, Skipper};

/// What is known of the bytes behind those at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// There are none.
    Nothing,
    /// They can be had.
    More,
    /// They are not looked at: an element that is so long is passed over otherwise.
    Beyond,
}

/// Looks for the ends of broken elements; one for an object, for its effort is bounded.
#[derive(Debug)]
pub(crate) struct BrokenEnds {
    /// Bytes that may still be looked at in the hope of a record.
    effort: usize,
}

/// Bytes looked at in the hope of a record, over a whole object: behind each of a million broken
/// elements the whole rest may be.
const EFFORT_MAX: usize = 256 << 20;

impl BrokenEnds {
    /// Returns one that has not looked anywhere yet.
    pub fn new() -> BrokenEnds {
        BrokenEnds { effort: EFFORT_MAX }
    }

    /// Returns the length of the broken element at the start of `bytes`, white space behind it left
    /// out, or nothing where the bytes at hand do not show it. `records` says that the list is one
    /// of bare records.
    pub fn find(&mut self, bytes: &[u8], records: bool, rest: Rest) -> Option<usize> {
        let mut skipper = Skipper::default();
        let mut lost = false;
        // Where it ends if nothing better is found: by its brackets, before a record that by its
        // brackets lies within, or with all bytes.
        let (mut by_brackets, mut by_record, mut by_end) = (None, None, None);
        // Ends of the last bytes but one, and of the last, that are no white space.
        let (mut before, mut last) = (0, 0);
        for (at, byte) in bytes.iter().enumerate() {
            if lost {
                let Some(left) = self.effort.checked_sub(1) else { break };
                self.effort = left;
            }
            if *byte == b'{' && before > 0 && bytes[last - 1] == b',' {
                let is_sure = lost || skipper.in_string || skipper.depth <= 1;
                if (is_sure || by_record.is_none())
                    && self.is_record(&bytes[at..], records, rest)?
                {
                    by_record = by_record.or(Some(before));
                    if is_sure {
                        return Some(before);
                    }
                }
            }
            if !lost && let Skipped::End(length) = skipper.feed(&bytes[at..=at]) {
                let end = at + length;
                let trimmed = bytes[..end].trim_ascii_end().len();
                match goes_on(&bytes[end..], records, rest)? {
                    GoesOn::Yes => return Some(trimmed),
                    GoesOn::Perhaps => by_brackets = Some(trimmed),
                    GoesOn::Ends => by_end = Some(trimmed),
                    GoesOn::No => {}
                }
                lost = true;
            }
            if !byte.is_ascii_whitespace() {
                (before, last) = (last, at + 1);
            }
        }
        let found = by_brackets.or(by_record);
        match rest {
            Rest::More => None,
            Rest::Nothing => found.or_else(|| last_end(bytes)).or(by_end),
            Rest::Beyond => found,
        }
    }

    /// Returns whether a whole record stands here, as an element of the list.
    fn is_record(&mut self, bytes: &[u8], records: bool, rest: Rest) -> Option<bool> {
        let bytes = &bytes[..bytes.len().min(self.effort)];
        let found = value(bytes, 0, usize::MAX);
        self.effort -= match found {
            Ok(end) => end,
            Err(Stop::End) if rest == Rest::More && self.effort > bytes.len() => return None,
            Err(Stop::End) => bytes.len(),
            Err(Stop::Bad { at, .. }) => at,
        };
        let Ok(end) = found else { return Some(false) };
        let is_ours = match classify(&bytes[..end]).0 {
            Form::Record => true,
            Form::Stranger => false,
            _ => !records,
        };
        match bytes.get(gap(bytes, end)) {
            _ if !is_ours => Some(false),
            Some(after) => Some(matches!(after, b',' | b']')),
            None => (rest != Rest::More).then_some(rest == Rest::Nothing),
        }
    }
}

/// Whether a list goes on, or ends, behind what brackets and quotes say is one of its elements.
enum GoesOn {
    Yes,
    Perhaps,
    /// The bytes end.
    Ends,
    No,
}

/// Returns whether a list goes on here, or nothing where that is not at hand.
fn goes_on(bytes: &[u8], records: bool, rest: Rest) -> Option<GoesOn> {
    let ends = (rest != Rest::More).then_some(GoesOn::Ends);
    let comma = gap(bytes, 0);
    let mut next = gap(bytes, comma + 1);
    // A comma too many is no part of the element before it.
    while bytes.get(comma) == Some(&b',') && bytes.get(next) == Some(&b',') {
        next = gap(bytes, next + 1);
    }
    match (bytes.get(comma), bytes.get(next)) {
        (None, _) => ends,
        (Some(b']'), None) if rest == Rest::More => None,
        (Some(b']'), _) if is_list_end(&bytes[next..]) => Some(GoesOn::Yes),
        (Some(b']'), _) => Some(GoesOn::Perhaps),
        (Some(b','), None) => ends,
        (Some(b','), Some(b'{')) => match classify(&bytes[next..]) {
            (Form::Record, _) => Some(GoesOn::Yes),
            (Form::Stranger, false) if rest == Rest::More => None,
            (Form::Stranger, _) => Some(GoesOn::Perhaps),
            _ if records => Some(GoesOn::Perhaps),
            _ => Some(GoesOn::Yes),
        },
        // A key: an object goes on, not the list.
        (Some(b','), Some(b'"')) => match string(bytes, next) {
            Ok(key) if bytes.get(gap(bytes, key.end)) == Some(&b':') => Some(GoesOn::No),
            Err(Stop::Bad { .. }) => Some(GoesOn::No),
            Ok(_) => Some(GoesOn::Perhaps),
            Err(Stop::End) => ends,
        },
        (Some(b','), Some(_)) => Some(GoesOn::Perhaps),
        (Some(_), _) => Some(GoesOn::No),
    }
}

/// Returns whether what follows a bracket shows that it ended a list: the object ends, with or
/// without an envelope's brace, or another follows.
fn is_list_end(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"}").unwrap_or(bytes).trim_ascii_start();
    matches!(bytes.first(), None | Some(b'{' | b'['))
}

/// Returns where the last element of a list ends, when brackets and quotes do not show it: before a
/// bracket and perhaps an envelope's brace, behind which the object ends or the next line starts
/// like one.
fn last_end(bytes: &[u8]) -> Option<usize> {
    let ends = memchr::memchr_iter(b']', bytes).filter(|at| {
        let after = bytes[at + 1..].trim_ascii_start();
        let after = after.strip_prefix(b"}").unwrap_or(after);
        let next = after.trim_ascii_start();
        let between = &after[..after.len() - next.len()];
        next.is_empty() || (matches!(next[0], b'{' | b'[') && between.contains(&b'\n'))
    });
    let mut ends = ends.map(|at| bytes[..at].trim_ascii_end());
    ends.find(|element| element.ends_with(b"}")).map(<[u8]>::len)
}
