//! The pass over a record's text: each member goes where its key says, and into the shape.

mod list;
mod values;

mod repeats;

use super::Row;
use crate::fields::{Key, Level, Model, Node};
use crate::json::{Stop, byte, gap, string, unescape};
use crate::shape::is_bare;
use crate::style::Place;

/// Where the values of an object go.
#[derive(Clone, Copy)]
enum Target {
    Columns,
    Element(usize),
}

/// The object that is being read.
#[derive(Clone, Copy)]
struct Object {
    level: &'static Level,
    target: Target,
    /// Depth of its braces.
    depth: usize,
}

pub(super) struct Reader<'t, 'r> {
    text: &'t str,
    bytes: &'t [u8],
    row: &'r mut Row,
    model: &'static Model,
    depth_max: usize,
}

impl<'t, 'r> Reader<'t, 'r> {
    pub(super) fn new(text: &'t str, row: &'r mut Row, depth_max: usize) -> Reader<'t, 'r> {
        let model = Model::of(row.kind);
        Reader { text, bytes: text.as_bytes(), row, model, depth_max }
    }

    pub(super) fn record(&mut self) -> Result<usize, Stop> {
        if byte(self.bytes, 0)? != b'{' {
            return Err(Stop::Bad { at: 0, reason: "not an object" });
        }
        self.object(0, Object { level: self.model.root(), target: Target::Columns, depth: 0 })
    }

    /// Reads the object whose brace stands at `at`; returns its end.
    fn object(&mut self, at: usize, object: Object) -> Result<usize, Stop> {
        self.row.shape.push('{');
        let mut next = gap(self.bytes, at + 1);
        if byte(self.bytes, next)? == b'}' {
            self.note(Place::Empty, at + 1, next, object.depth);
            self.row.shape.push('}');
            return Ok(next + 1);
        }
        let within = object.depth + usize::from(self.has_line(at + 1, next));
        self.note(Place::Open, at + 1, next, within);
        let last = if self.row.repeats { self.last_of_keys(next, object)? } else { Vec::new() };
        let mut seen = 0;
        for member in 0.. {
            let superseded = last.get(member).is_some_and(|last| !last);
            let end = self.member(next, object, within, &mut seen, superseded)?;
            let after = gap(self.bytes, end);
            match byte(self.bytes, after)? {
                b',' => {
                    if after > end {
                        self.row.style.break_rules();
                    }
                    self.row.shape.push(',');
                    next = gap(self.bytes, after + 1);
                    self.note(Place::Comma, after + 1, next, within);
                }
                b'}' => {
                    self.note(Place::Close, end, after, object.depth);
                    self.row.shape.push('}');
                    next = after + 1;
                    break;
                }
                _ => return Err(no_end(after)),
            }
        }
        Ok(next)
    }

    /// Reads the member whose key stands at `at`; returns the end of its value.
    fn member(
        &mut self,
        at: usize,
        object: Object,
        depth: usize,
        seen: &mut u64,
        superseded: bool,
    ) -> Result<usize, Stop> {
        let name = string(self.bytes, at)?;
        let raw = &self.text[at + 1..name.end - 1];
        let colon = gap(self.bytes, name.end);
        if byte(self.bytes, colon)? != b':' {
            return Err(Stop::Bad { at: colon, reason: "a colon must stand here" });
        }
        self.note(Place::BeforeColon, name.end, colon, depth);
        let start = gap(self.bytes, colon + 1);
        self.note(Place::AfterColon, colon + 1, start, depth);
        let key = find(object.level, raw, name.escaped);
        if is_bare(raw) {
            self.row.shape.push_str(raw);
        } else {
            self.row.shape.extend(["\"", raw, "\""]);
        }
        let Some(key) = key else { return self.unknown(start, raw, object) };
        if *seen & key.bit != 0 {
            self.row.repeats = true;
        }
        *seen |= key.bit;
        if superseded {
            return self.raw(start, raw, object);
        }
        match key.node {
            Node::Leaf(number, form) => self.leaf(start, raw, object, number, form),
            Node::Level(level) => match byte(self.bytes, start)? {
                b'{' => {
                    let level = self.model.level(level);
                    self.object(start, Object { level, depth, ..object })
                }
                b'n' => self.null(start),
                _ => self.raw(start, raw, object),
            },
            Node::List(number, level) => match byte(self.bytes, start)? {
                b'[' => self.list(start, number, self.model.level(level), depth),
                b'n' => self.null(start),
                _ => self.raw(start, raw, object),
            },
        }
    }

    #[inline]
    fn note(&mut self, place: Place, start: usize, end: usize, depth: usize) {
        self.row.style.note(place, &self.bytes[start..end], depth);
    }

    fn has_line(&self, start: usize, end: usize) -> bool {
        end > start && self.bytes[start..end].contains(&b'\n')
    }
}

fn no_end(at: usize) -> Stop {
    Stop::Bad { at, reason: "a comma or the end must stand here" }
}

/// Returns what a key, given as it is spelled, leads to.
#[inline]
fn find(level: &'static Level, raw: &str, escaped: bool) -> Option<&'static Key> {
    if !escaped {
        return level.find(raw.as_bytes());
    }
    let mut name = String::new();
    unescape(raw, &mut name);
    level.find(name.as_bytes())
}
