//! White space of a record, as a style instead of as text.
//!
//! A style says for each place where white space may stand between the parts that a shape names:
//! how many spaces, or a new line indented by depth. It is inferred from the first gap of each
//! place; a record with other gaps as well does not come back from it and is kept whole.

use std::fmt::Write;

/// Places where white space may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// After `{`.
    Open,
    /// Before `}`.
    Close,
    /// After `,` in an object.
    Comma,
    /// Before `:`.
    BeforeColon,
    /// After `:`.
    AfterColon,
    /// Within `{}`.
    Empty,
    /// After `[`.
    ListOpen,
    /// Before `]`.
    ListClose,
    /// After `,` in a list.
    ListComma,
    /// Within `[]`.
    ListEmpty,
}

const PLACES: usize = 10;
/// Code of a new line; spaces are coded by their number, `0` to `9`.
const LINE: u8 = b'n';

/// White space of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Style {
    codes: [u8; PLACES],
    /// Indentation of the record's closing brace.
    base: usize,
    /// Further indentation of each level.
    unit: usize,
    tabs: bool,
    carriage_return: bool,
}

impl Style {
    /// No white space at all.
    pub const COMPACT: Style =
        Style { codes: [b'0'; PLACES], base: 0, unit: 0, tabs: false, carriage_return: false };

    /// Returns the depth of what stands within a bracket at `depth`: a bracket on one line with
    /// what follows adds none.
    pub fn within(&self, open: Place, depth: usize) -> usize {
        depth + usize::from(self.codes[open as usize] == LINE)
    }

    /// Appends the white space of a place.
    pub fn write(&self, place: Place, depth: usize, out: &mut Vec<u8>) {
        match self.codes[place as usize] {
            LINE => {
                if self.carriage_return {
                    out.push(b'\r');
                }
                out.push(b'\n');
                let indent = self.base + self.unit * depth;
                out.resize(out.len() + indent, if self.tabs { b'\t' } else { b' ' });
            }
            code => out.resize(out.len() + usize::from(code - b'0'), b' '),
        }
    }

    /// Appends the mark: nothing when compact, else `(` codes of all places, for new lines
    /// `+` base `+` unit and `r`, `t`, and `)`.
    pub fn write_mark(&self, out: &mut String) {
        if *self == Style::COMPACT {
            return;
        }
        out.push('(');
        out.extend(self.codes.iter().map(|code| char::from(*code)));
        if self.codes.contains(&LINE) {
            // Writing to a string does not fail.
            let _ = write!(out, "+{}+{}", self.base, self.unit);
        }
        if self.carriage_return {
            out.push('r');
        }
        if self.tabs {
            out.push('t');
        }
        out.push(')');
    }

    /// Returns the style that a mark says, without its parentheses.
    pub fn of_mark(mark: &str) -> Option<Style> {
        let mut style = Style::COMPACT;
        let (codes, mut rest) = mark.split_at_checked(PLACES)?;
        style.codes.copy_from_slice(codes.as_bytes());
        if !style.codes.iter().all(|code| matches!(code, b'0'..=b'9' | b'n')) {
            return None;
        }
        if let Some(without) = rest.strip_suffix('t') {
            (style.tabs, rest) = (true, without);
        }
        if let Some(without) = rest.strip_suffix('r') {
            (style.carriage_return, rest) = (true, without);
        }
        if let Some(indents) = rest.strip_prefix('+') {
            let (base, unit) = indents.split_once('+')?;
            (style.base, style.unit) = (base.parse().ok()?, unit.parse().ok()?);
            // A shape is data: it must not be able to ask for a gigabyte of spaces.
            (style.base <= INDENT_MAX && style.unit <= INDENT_MAX).then_some(style)
        } else {
            rest.is_empty().then_some(style)
        }
    }
}

const INDENT_MAX: usize = 1_024;

/// What has been seen of a record's white space so far.
#[derive(Debug, Clone)]
pub(crate) struct StyleSeen {
    style: Style,
    seen: u16,
    /// Depth and indentation of the first new line, and of the first at another depth.
    first: Option<(usize, usize)>,
    other: Option<(usize, usize)>,
    irregular: bool,
}

impl StyleSeen {
    /// Nothing yet.
    pub const NOTHING: StyleSeen =
        StyleSeen { style: Style::COMPACT, seen: 0, first: None, other: None, irregular: false };

    /// Notes white space where a style knows none.
    pub fn break_rules(&mut self) {
        self.irregular = true;
    }

    /// Notes the white space of a place.
    #[inline]
    pub fn note(&mut self, place: Place, gap: &[u8], depth: usize) {
        let bit = 1 << place as u16;
        if self.seen & bit == 0 {
            self.seen |= bit;
            if !gap.is_empty() {
                self.learn(place, gap, depth);
            }
        } else if self.style.codes[place as usize] == LINE && self.other.is_none() {
            self.indent(gap, depth);
        }
    }

    fn learn(&mut self, place: Place, gap: &[u8], depth: usize) {
        if gap.len() <= 9 && gap.iter().all(|byte| *byte == b' ') {
            self.style.codes[place as usize] = b'0' + gap.len() as u8;
        } else {
            self.style.codes[place as usize] = LINE;
            self.indent(gap, depth);
        }
    }

    fn indent(&mut self, gap: &[u8], depth: usize) {
        let (carriage_return, gap) = match gap {
            [b'\r', b'\n', gap @ ..] => (true, gap),
            [b'\n', gap @ ..] => (false, gap),
            _ => {
                self.irregular = true;
                return;
            }
        };
        self.style.carriage_return = carriage_return;
        self.style.tabs |= gap.first() == Some(&b'\t');
        match self.first {
            None => self.first = Some((depth, gap.len())),
            Some((first, _)) if first != depth => self.other = Some((depth, gap.len())),
            Some(_) => {}
        }
    }

    /// Returns the style, unless no style can say what was seen.
    pub fn style(&self) -> Option<Style> {
        let mut style = self.style.clone();
        if let Some(first) = self.first {
            let other = self.other.unwrap_or(first);
            let ((near, narrow), (far, wide)) = (first.min(other), first.max(other));
            style.unit = match far - near {
                0 => 0,
                levels => wide.checked_sub(narrow).filter(|w| w % levels == 0)? / levels,
            };
            style.base = narrow.checked_sub(style.unit * near)?;
        }
        let small = style.base <= INDENT_MAX && style.unit <= INDENT_MAX;
        (small && !self.irregular).then_some(style)
    }
}
