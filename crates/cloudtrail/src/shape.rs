//! The shape of a record: all of its text that is no value, as one string that many records share.
//!
//! A shape is read without knowing which columns a later version has: it names keys, never
//! positions. `docs/format.md` has examples. Grammar:
//!
//! ```text
//! shape   = "1" kind ( "!" | style object )     "!": the record stands in `_record` alone
//! kind    = "e" | "i" | "a"                      events, insights, aggregated
//! style   = "" | "(" … ")"                       compact, or white space as in `crate::style`
//! object  = "{" [ member *( "," member ) ] "}"
//! member  = key value                            in the order of the record
//! key     = 1*( letter | digit | "_" | "-" )     as it stands between its quotes
//!         | '"' raw text '"'
//! value   = ""       column: a string with no more escapes than JSON demands, `true` or `false`,
//!                    or a time as CloudTrail writes it
//!         | "^" …    column: a string; letters say what else is escaped, `crate::escapes`
//!         | "="      column: JSON text, verbatim
//!         | "'"      column: a boolean, spelled as a string
//!         | "@" …    column: a time, spelled otherwise, `crate::time`
//!         | "~"      null
//!         | "!"      the next value of `_raw_fields`
//!         | "?"      the next value of `_unknown_fields`
//!         | object
//!         | "[" *( object | "~" | "!" ) "]"      a list; its last layout holds for the rest of it
//! ```

use crate::escapes::{Escapes, Sink};
use crate::fields::{Level, Model, Node};
use crate::json::{Members, string, unescape};
use crate::schema::{Form, Kind};
use crate::style::{Place, Style};
use crate::time::{Spelling, USUAL};

/// Version of the grammar; the first byte of a shape.
pub(crate) const VERSION: char = '1';

/// Longer shapes are not worth sharing: such a record is kept whole.
pub(crate) const SHAPE_BYTES_MAX: usize = 8 << 10;

/// Returns the letter of a kind of record.
pub(crate) fn letter(kind: Kind) -> char {
    match kind {
        Kind::Insights => 'i',
        Kind::Aggregated => 'a',
        Kind::Events | Kind::Digest => 'e',
    }
}

/// Returns whether a key can stand in a shape without quotes.
pub(crate) fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// The cells of a row, or of one element of its list, by number of column or field.
pub(crate) trait Cells {
    /// Returns a text cell, nothing for null.
    fn text(&self, number: usize) -> Option<&str>;
    /// Returns a boolean cell.
    fn flag(&self, number: usize) -> Option<bool>;
    /// Returns a time cell, in microseconds UTC.
    fn time(&self, number: usize) -> Option<i64>;
}

/// A row, in memory or in a batch.
pub(crate) trait RecordCells: Cells {
    /// One element of a list.
    type Element<'a>: Cells
    where
        Self: 'a;
    /// Returns the number of elements of a list.
    fn elements(&self, number: usize) -> Option<usize>;
    /// Returns one element of a list.
    fn element(&self, number: usize, element: usize) -> Self::Element<'_>;
    /// Returns `_raw_fields` and `_unknown_fields`, empty for null.
    fn loose(&self) -> (&str, &str);
}

/// A shape made ready: what to write, in order.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Kind of record that the shape is of.
    pub kind: Kind,
    /// Nothing: the record stands in `_record` alone.
    steps: Option<Vec<Step>>,
}

#[derive(Debug)]
enum Step {
    Bytes(Box<[u8]>),
    Text(usize, Escapes),
    Verbatim(usize),
    Flag(usize),
    Time(usize, Spelling),
    Raw,
    Unknown,
    List(Box<List>),
}

#[derive(Debug)]
struct List {
    number: usize,
    empty: Box<[u8]>,
    open: Box<[u8]>,
    comma: Box<[u8]>,
    close: Box<[u8]>,
    layouts: Vec<Vec<Step>>,
}

struct Loose<'a> {
    raw: Members<'a>,
    unknown: Members<'a>,
}

impl Plan {
    /// Reads a shape.
    ///
    /// # Errors
    /// The offset of the first byte that does not follow the grammar.
    pub fn of(shape: &str) -> Result<Plan, usize> {
        let mut parser = Parser { shape, at: 0, style: Style::COMPACT, bytes: Vec::new() };
        parser.expect(VERSION as u8)?;
        let kind = [Kind::Events, Kind::Insights, Kind::Aggregated]
            .into_iter()
            .find(|kind| parser.peek() == Some(letter(*kind) as u8))
            .ok_or(parser.at)?;
        parser.at += 1;
        if parser.takes(b'!') {
            return if parser.peek().is_none() { Ok(Plan { kind, steps: None }) } else { Err(3) };
        }
        if parser.takes(b'(') {
            let end = shape[parser.at..].find(')').ok_or(parser.at)?;
            let mark = &shape[parser.at..parser.at + end];
            parser.style = Style::of_mark(mark).ok_or(parser.at)?;
            parser.at += end + 1;
        }
        let model = Model::of(kind);
        let mut steps = Vec::new();
        parser.object(model, model.root(), 0, &mut steps)?;
        parser.flush(&mut steps);
        if parser.peek().is_some() {
            return Err(parser.at);
        }
        Ok(Plan { kind, steps: Some(steps) })
    }

    /// Writes the record of a row; returns whether the row had every cell that its shape names.
    pub fn write<R: RecordCells, S: Sink>(&self, row: &R, out: &mut S) -> bool {
        let Some(steps) = &self.steps else { return false };
        let (raw, unknown) = row.loose();
        let mut loose = Loose { raw: Members::new(raw), unknown: Members::new(unknown) };
        steps.iter().all(|step| match step {
            Step::List(list) => list.write(row, &mut loose, out).is_some(),
            step => step.write(row, &mut loose, out).is_some(),
        })
    }
}

impl Step {
    #[inline]
    fn write<C: Cells, S: Sink>(
        &self,
        cells: &C,
        loose: &mut Loose<'_>,
        out: &mut S,
    ) -> Option<()> {
        match self {
            Step::Bytes(bytes) => out.put(bytes),
            Step::Text(number, escapes) => escapes.write(cells.text(*number)?, out),
            Step::Verbatim(number) => out.put(cells.text(*number)?.as_bytes()),
            Step::Flag(number) => {
                out.put(if cells.flag(*number)? { b"true" } else { b"false" });
            }
            Step::Time(number, spelling) => spelling.write(cells.time(*number)?, out),
            Step::Raw => out.put(loose.raw.next()?.1.as_bytes()),
            Step::Unknown => out.put(loose.unknown.next()?.1.as_bytes()),
            Step::List(_) => return None,
        }
        Some(())
    }
}

impl List {
    fn write<R: RecordCells, S: Sink>(
        &self,
        row: &R,
        loose: &mut Loose<'_>,
        out: &mut S,
    ) -> Option<()> {
        let elements = row.elements(self.number)?;
        if elements == 0 {
            out.put(&self.empty);
            return Some(());
        }
        for element in 0..elements {
            out.put(if element == 0 { &self.open } else { &self.comma });
            let cells = row.element(self.number, element);
            for step in self.layouts.get(element).or(self.layouts.last())? {
                step.write(&cells, loose, out)?;
            }
        }
        out.put(&self.close);
        Some(())
    }
}

struct Parser<'a> {
    shape: &'a str,
    at: usize,
    style: Style,
    /// Bytes that are the same in every record, not yet a step.
    bytes: Vec<u8>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.shape.as_bytes().get(self.at).copied()
    }

    fn takes(&mut self, byte: u8) -> bool {
        let taken = self.peek() == Some(byte);
        self.at += usize::from(taken);
        taken
    }

    fn expect(&mut self, byte: u8) -> Result<(), usize> {
        if self.takes(byte) { Ok(()) } else { Err(self.at) }
    }

    /// Takes bytes while they belong.
    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &'a str {
        let start = self.at;
        while self.peek().is_some_and(&belongs) {
            self.at += 1;
        }
        &self.shape[start..self.at]
    }

    fn gap(&mut self, place: Place, depth: usize) {
        self.style.write(place, depth, &mut self.bytes);
    }

    fn flush(&mut self, steps: &mut Vec<Step>) {
        if !self.bytes.is_empty() {
            steps.push(Step::Bytes(std::mem::take(&mut self.bytes).into_boxed_slice()));
        }
    }

    fn object(
        &mut self,
        model: &'static Model,
        level: &'static Level,
        depth: usize,
        steps: &mut Vec<Step>,
    ) -> Result<(), usize> {
        self.expect(b'{')?;
        self.bytes.push(b'{');
        if self.takes(b'}') {
            self.gap(Place::Empty, depth);
            self.bytes.push(b'}');
            return Ok(());
        }
        let within = self.style.within(Place::Open, depth);
        self.gap(Place::Open, within);
        loop {
            let node = self.key(level)?;
            self.gap(Place::BeforeColon, within);
            self.bytes.push(b':');
            self.gap(Place::AfterColon, within);
            self.value(model, node, within, steps)?;
            if self.takes(b',') {
                self.bytes.push(b',');
                self.gap(Place::Comma, within);
            } else {
                self.expect(b'}')?;
                self.gap(Place::Close, depth);
                self.bytes.push(b'}');
                return Ok(());
            }
        }
    }

    fn key(&mut self, level: &Level) -> Result<Option<Node>, usize> {
        let start = self.at;
        let raw = if self.peek() == Some(b'"') {
            self.at = string(self.shape.as_bytes(), start).map_err(|_| start)?.end;
            &self.shape[start + 1..self.at - 1]
        } else {
            self.run(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        };
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(raw.as_bytes());
        self.bytes.push(b'"');
        let mut name = String::new();
        unescape(raw, &mut name);
        Ok(level.find(name.as_bytes()).map(|key| key.node))
    }

    fn value(
        &mut self,
        model: &'static Model,
        node: Option<Node>,
        depth: usize,
        steps: &mut Vec<Step>,
    ) -> Result<(), usize> {
        let at = self.at;
        let leaf = || match node {
            Some(Node::Leaf(number, form)) => Ok((number, form)),
            _ => Err(at),
        };
        let step = match self.peek() {
            Some(b'{') => {
                let Some(Node::Level(level)) = node else { return Err(at) };
                return self.object(model, model.level(level), depth, steps);
            }
            Some(b'[') => {
                let Some(Node::List(number, level)) = node else { return Err(at) };
                return self.list(model, number, model.level(level), depth, steps);
            }
            Some(b'~') => {
                self.at += 1;
                self.bytes.extend_from_slice(b"null");
                return Ok(());
            }
            Some(b'!') => Step::Raw,
            Some(b'?') => Step::Unknown,
            Some(b'=') => Step::Verbatim(leaf()?.0),
            Some(b'\'') => {
                self.at += 1;
                return self.quoted(Step::Flag(leaf()?.0), steps);
            }
            Some(b'^') => {
                self.at += 1;
                let letters = self.run(|b| b.is_ascii_lowercase());
                let escapes = Escapes::of_mark(letters).ok_or(at)?;
                return self.quoted(Step::Text(leaf()?.0, escapes), steps);
            }
            Some(b'@') => {
                self.at += 1;
                let mark = self.run(|b| !matches!(b, b',' | b'}'));
                let spelling = Spelling::of_mark(mark).ok_or(at)?;
                return self.time(leaf()?.0, spelling, steps);
            }
            _ => {
                return match leaf()? {
                    (number, Form::Text) => self.quoted(Step::Text(number, Escapes::PLAIN), steps),
                    (number, Form::Flag) => self.step(Step::Flag(number), steps),
                    (number, Form::Time) => self.time(number, USUAL, steps),
                    _ => Err(at),
                };
            }
        };
        self.at += 1;
        self.step(step, steps)
    }

    fn step(&mut self, step: Step, steps: &mut Vec<Step>) -> Result<(), usize> {
        self.flush(steps);
        steps.push(step);
        Ok(())
    }

    fn quoted(&mut self, step: Step, steps: &mut Vec<Step>) -> Result<(), usize> {
        self.bytes.push(b'"');
        self.step(step, steps)?;
        self.bytes.push(b'"');
        Ok(())
    }

    fn time(
        &mut self,
        number: usize,
        spelling: Spelling,
        steps: &mut Vec<Step>,
    ) -> Result<(), usize> {
        let step = Step::Time(number, spelling);
        if spelling.is_text() { self.quoted(step, steps) } else { self.step(step, steps) }
    }

    fn list(
        &mut self,
        model: &'static Model,
        number: usize,
        level: &'static Level,
        depth: usize,
        steps: &mut Vec<Step>,
    ) -> Result<(), usize> {
        self.expect(b'[')?;
        self.flush(steps);
        let within = self.style.within(Place::ListOpen, depth);
        let style = self.style.clone();
        let bracket = |before: &[u8], place, depth, after: &[u8]| {
            let mut bytes = before.to_vec();
            style.write(place, depth, &mut bytes);
            bytes.extend_from_slice(after);
            bytes.into_boxed_slice()
        };
        let mut list = List {
            number,
            empty: bracket(b"[", Place::ListEmpty, depth, b"]"),
            open: bracket(b"[", Place::ListOpen, within, b""),
            comma: bracket(b",", Place::ListComma, within, b""),
            close: bracket(b"", Place::ListClose, depth, b"]"),
            layouts: Vec::new(),
        };
        while !self.takes(b']') {
            let mut layout = Vec::new();
            if self.takes(b'~') {
                self.bytes.extend_from_slice(b"null");
            } else if self.takes(b'!') {
                layout.push(Step::Raw);
            } else {
                self.object(model, level, within, &mut layout)?;
            }
            self.flush(&mut layout);
            list.layouts.push(layout);
        }
        steps.push(Step::List(Box::new(list)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_shape_is_refused_with_its_position() {
        let check = |shape: &str, at: usize| assert_eq!(Plan::of(shape).err(), Some(at), "{shape}");
        check("", 0);
        check("2e{}", 0);
        check("1x{}", 1);
        check("1e", 2);
        check("1e!x", 3);
        check("1e{eventName", 12);
        check("1e{eventName}}", 13);
        check("1e{nameless}", 11);
        check("1e{eventName[]}", 12);
        check("1e{requestParameters}", 20);
        check("1e{eventTime@nonsense}", 12);
        check("1e(nnn){}", 3);
        check("1e(nnn0000000+9999999999+1){}", 3);
    }
}
