//! One record, read into an in-memory row and its shape in a single pass.

mod repeats;

use crate::escapes::{Escapes, Matcher};
use crate::fields::{Key, Level, Model, Node};
use crate::json::{Members, Stop, byte, gap, string, unescape, value};
use crate::schema::{EVENT_NAME, EVENT_SOURCE, EVENT_TIME, Form, Kind, RESOURCE_FIELDS};
use crate::shape::{SHAPE_BYTES_MAX, VERSION, is_bare, letter};
use crate::style::{Place, StyleSeen};
use crate::time::{self, USUAL};

/// The value of a cell. Texts are places, in the record's own text or among the row's decoded
/// strings, so that one row serves all records without allocating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Span(usize, usize),
    Decoded(usize, usize),
    Flag(bool),
    Time(i64),
    List,
}

/// One element of the list of resources.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element {
    /// Whether it is an object; anything else is a null element.
    pub is_object: bool,
    /// Its fields, in the order of [`RESOURCE_FIELDS`].
    pub values: [Value; RESOURCE_FIELDS.len()],
}

/// A record's cells and shape.
#[derive(Debug)]
pub(crate) struct Row {
    /// Kind of record.
    pub kind: Kind,
    /// Elements of the list of resources.
    pub elements: Vec<Element>,
    /// See [`crate::shape`].
    pub shape: String,
    /// The object in `_raw_fields`; empty for null.
    pub raw_fields: String,
    /// The object in `_unknown_fields`; empty for null.
    pub unknown_fields: String,
    /// Its cells, by number of column.
    pub values: Vec<Value>,
    filled: Vec<usize>,
    decoded: String,
    style: StyleSeen,
    /// A key was met again: the record is read once more, minding that.
    repeats: bool,
}

impl Row {
    /// Returns a row without values.
    pub fn new() -> Row {
        let columns = Kind::ALL.iter().map(|kind| kind.columns().len()).max().unwrap_or_default();
        Row {
            kind: Kind::Events,
            elements: Vec::new(),
            shape: String::new(),
            raw_fields: String::new(),
            unknown_fields: String::new(),
            values: vec![Value::Null; columns],
            filled: Vec::with_capacity(columns),
            decoded: String::new(),
            style: StyleSeen::NOTHING,
            repeats: false,
        }
    }

    /// Reads the record at the start of `text`; returns its length.
    ///
    /// # Errors
    /// When no valid JSON object stands there.
    pub fn read(&mut self, text: &str, depth_max: usize) -> Result<usize, Stop> {
        let end = self.read_as(Kind::Events, text, depth_max)?;
        match self.kind_by_content(text) {
            Kind::Events => Ok(end),
            kind => self.read_as(kind, text, depth_max),
        }
    }

    /// Returns the numbers of the columns that are not null, in the order of the record.
    pub fn filled(&self) -> &[usize] {
        &self.filled
    }

    /// Returns the value of a column.
    pub fn value(&self, number: usize) -> Value {
        self.values[number]
    }

    /// Returns the text of a value; `text` is what the record was read from.
    pub fn text_of<'a>(&'a self, value: Value, text: &'a str) -> Option<&'a str> {
        match value {
            Value::Span(start, end) => text.get(start..end),
            Value::Decoded(start, end) => self.decoded.get(start..end),
            _ => None,
        }
    }

    /// Returns the field without which the record is no row: `eventTime`, in events also
    /// `eventSource` and `eventName`, which only what is no call does without: a configuration
    /// item, evidence or an activity from outside AWS, as stores of CloudTrail Lake hold them.
    /// `text` is what the record was read from.
    pub fn missing(&self, text: &str) -> Option<&'static str> {
        const CATEGORY: usize = Kind::Events.position("eventCategory");
        const NO_CALLS: [&str; 3] = ["ConfigurationItem", "Evidence", "ActivityAuditLog"];
        let mut needed = self.needed().iter().zip(&self.values);
        let (name, _) = needed.find(|(_, value)| **value == Value::Null)?;
        let category = match self.kind {
            Kind::Events => self.text_of(self.values[CATEGORY], text),
            _ => None,
        };
        let is_no_call = category.is_some_and(|category| NO_CALLS.contains(&category));
        (!is_no_call || *name == EVENT_TIME).then_some(*name)
    }

    /// Returns whether the record is an event notification of S3 (the S3 User Guide, "Event message
    /// structure"), which has a record's keys and looks like one. `text` is what it was read from.
    pub fn is_s3_notification(&self, text: &str) -> bool {
        const SOURCE: usize = Kind::Events.position(EVENT_SOURCE);
        const EVENT_VERSION: usize = Kind::Events.position("eventVersion");
        let is_member = |(name, value): (&str, &str)| name == "s3" && value.starts_with('{');
        self.kind == Kind::Events
            && self.text_of(self.values[SOURCE], text) == Some("aws:s3")
            && self.text_of(self.values[EVENT_VERSION], text).is_some_and(|v| v.starts_with("2."))
            && Members::new(&self.unknown_fields).any(is_member)
    }

    /// Returns the columns that make a record a row: the first of the table, in this order.
    fn needed(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Events => &[EVENT_TIME, EVENT_SOURCE, EVENT_NAME],
            _ => &[EVENT_TIME],
        }
    }

    /// Returns `eventTime`, microseconds UTC.
    pub fn event_time(&self) -> Option<i64> {
        match self.values[0] {
            Value::Time(at) => Some(at),
            _ => None,
        }
    }

    fn read_as(&mut self, kind: Kind, text: &str, depth_max: usize) -> Result<usize, Stop> {
        self.clear(kind, false);
        let end = Reader::new(text, self, depth_max).record()?;
        if self.repeats {
            self.clear(kind, true);
            Reader::new(text, self, depth_max).record()?;
        }
        self.finish();
        Ok(end)
    }

    fn clear(&mut self, kind: Kind, repeats: bool) {
        self.kind = kind;
        for number in self.filled.drain(..) {
            self.values[number] = Value::Null;
        }
        self.elements.clear();
        self.decoded.clear();
        self.shape.clear();
        self.shape.push(VERSION);
        self.shape.push(letter(kind));
        self.raw_fields.clear();
        self.unknown_fields.clear();
        self.style = StyleSeen::NOTHING;
        self.repeats = repeats;
    }

    /// Insights and aggregated events name themselves, in fields that come late in a record.
    fn kind_by_content(&self, text: &str) -> Kind {
        const TYPE: usize = Kind::Events.position("eventType");
        const CATEGORY: usize = Kind::Events.position("eventCategory");
        let kind = self.text_of(self.values[TYPE], text);
        let category = self.text_of(self.values[CATEGORY], text);
        if kind == Some("AwsCloudTrailInsight") || category == Some("Insight") {
            Kind::Insights
        } else if kind == Some("AwsAggregatedEvent") || category == Some("Aggregated") {
            Kind::Aggregated
        } else {
            Kind::Events
        }
    }

    /// Closes what is open; a shape that cannot be told or is too long becomes the spare one.
    fn finish(&mut self) {
        for members in [&mut self.raw_fields, &mut self.unknown_fields] {
            if !members.is_empty() {
                members.push('}');
            }
        }
        match self.style.style() {
            Some(style) if self.shape.len() <= SHAPE_BYTES_MAX => {
                let mut mark = String::new();
                style.write_mark(&mut mark);
                self.shape.insert_str(2, &mark);
            }
            _ => self.set_spare(),
        }
    }

    /// Makes the shape the one of a record that stands in `_record` alone.
    pub fn set_spare(&mut self) {
        self.shape.truncate(2);
        self.shape.push('!');
    }
}

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

struct Reader<'t, 'r> {
    text: &'t str,
    bytes: &'t [u8],
    row: &'r mut Row,
    model: &'static Model,
    depth_max: usize,
}

impl<'t, 'r> Reader<'t, 'r> {
    fn new(text: &'t str, row: &'r mut Row, depth_max: usize) -> Reader<'t, 'r> {
        let model = Model::of(row.kind);
        Reader { text, bytes: text.as_bytes(), row, model, depth_max }
    }

    fn record(&mut self) -> Result<usize, Stop> {
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

    fn leaf(
        &mut self,
        start: usize,
        raw: &str,
        object: Object,
        number: usize,
        form: Form,
    ) -> Result<usize, Stop> {
        let first = byte(self.bytes, start)?;
        if first == b'n' {
            return self.null(start);
        }
        // Two fields of one record may share a column: the first keeps it.
        if !self.is_free(object.target, number) {
            return self.raw(start, raw, object);
        }
        match (form, first) {
            (Form::Text, b'"') => self.quoted(start, raw, object, number),
            (Form::Time, _) => self.time(start, raw, object, number),
            (Form::Flag, _) => self.flag(start, raw, object, number),
            _ => {
                let end = value(self.bytes, start, self.depth_max)?;
                self.fill(object.target, number, Value::Span(start, end));
                self.row.shape.push('=');
                Ok(end)
            }
        }
    }

    fn quoted(
        &mut self,
        start: usize,
        raw: &str,
        object: Object,
        number: usize,
    ) -> Result<usize, Stop> {
        let quoted = string(self.bytes, start)?;
        let span = (start + 1, quoted.end - 1);
        if !quoted.escaped {
            self.fill(object.target, number, Value::Span(span.0, span.1));
            return Ok(quoted.end);
        }
        let spelled = &self.text[span.0..span.1];
        let from = self.row.decoded.len();
        unescape(spelled, &mut self.row.decoded);
        self.fill(object.target, number, Value::Decoded(from, self.row.decoded.len()));
        let escapes = Escapes::infer(spelled);
        let mut again = Matcher::new(spelled.as_bytes());
        escapes.write(&self.row.decoded[from..], &mut again);
        if !again.is_same() {
            return self.raw(start, raw, object);
        }
        if escapes != Escapes::PLAIN {
            self.row.shape.push('^');
            escapes.write_mark(&mut self.row.shape);
        }
        Ok(quoted.end)
    }

    fn time(
        &mut self,
        start: usize,
        raw: &str,
        object: Object,
        number: usize,
    ) -> Result<usize, Stop> {
        let end = value(self.bytes, start, self.depth_max)?;
        let spelled = &self.text[start..end];
        let Some((at, spelling)) = time::parse_value(spelled) else {
            return self.raw(start, raw, object);
        };
        self.fill(object.target, number, Value::Time(at));
        let Some(spelling) = spelling else { return self.raw(start, raw, object) };
        if spelling != USUAL {
            let mut again = Matcher::new(time::unquoted(spelled).unwrap_or(spelled).as_bytes());
            spelling.write(at, &mut again);
            if !again.is_same() {
                return self.raw(start, raw, object);
            }
            self.row.shape.push('@');
            spelling.write_mark(&mut self.row.shape);
        }
        Ok(end)
    }

    fn flag(
        &mut self,
        start: usize,
        raw: &str,
        object: Object,
        number: usize,
    ) -> Result<usize, Stop> {
        let end = value(self.bytes, start, self.depth_max)?;
        let (flag, mark) = match &self.text[start..end] {
            "true" => (true, ""),
            "false" => (false, ""),
            "\"true\"" => (true, "'"),
            "\"false\"" => (false, "'"),
            _ => return self.raw(start, raw, object),
        };
        self.fill(object.target, number, Value::Flag(flag));
        self.row.shape.push_str(mark);
        Ok(end)
    }

    fn null(&mut self, start: usize) -> Result<usize, Stop> {
        self.row.shape.push('~');
        value(self.bytes, start, self.depth_max)
    }

    fn raw(&mut self, start: usize, key: &str, object: Object) -> Result<usize, Stop> {
        let end = value(self.bytes, start, self.depth_max)?;
        self.row.shape.push('!');
        keep(&mut self.row.raw_fields, object.level, key, &self.text[start..end]);
        Ok(end)
    }

    fn unknown(&mut self, start: usize, key: &str, object: Object) -> Result<usize, Stop> {
        let end = value(self.bytes, start, self.depth_max)?;
        self.row.shape.push('?');
        keep(&mut self.row.unknown_fields, object.level, key, &self.text[start..end]);
        Ok(end)
    }

    /// Reads the list whose bracket stands at `at`; returns its end. The shape gets the layout of
    /// each element, without those at the end that repeat.
    fn list(
        &mut self,
        at: usize,
        number: usize,
        level: &'static Level,
        depth: usize,
    ) -> Result<usize, Stop> {
        self.row.values[number] = Value::List;
        self.row.filled.push(number);
        self.row.shape.push('[');
        let mut next = gap(self.bytes, at + 1);
        if byte(self.bytes, next)? == b']' {
            self.note(Place::ListEmpty, at + 1, next, depth);
            self.row.shape.push(']');
            return Ok(next + 1);
        }
        let within = depth + usize::from(self.has_line(at + 1, next));
        self.note(Place::ListOpen, at + 1, next, within);
        let mut layouts = Vec::new();
        loop {
            layouts.push(self.row.shape.len());
            let end = self.element(next, level, within)?;
            let after = gap(self.bytes, end);
            match byte(self.bytes, after)? {
                b',' => {
                    if after > end {
                        self.row.style.break_rules();
                    }
                    next = gap(self.bytes, after + 1);
                    self.note(Place::ListComma, after + 1, next, within);
                }
                b']' => {
                    self.note(Place::ListClose, end, after, depth);
                    next = after + 1;
                    break;
                }
                _ => return Err(no_end(after)),
            }
        }
        let shape = &mut self.row.shape;
        while let [.., before, last] = layouts[..]
            && shape[before..last] == shape[last..]
        {
            shape.truncate(last);
            layouts.pop();
        }
        shape.push(']');
        Ok(next)
    }

    fn element(&mut self, at: usize, level: &'static Level, depth: usize) -> Result<usize, Stop> {
        let first = byte(self.bytes, at)?;
        let number = self.row.elements.len();
        let values = [Value::Null; RESOURCE_FIELDS.len()];
        self.row.elements.push(Element { is_object: first == b'{', values });
        let object = Object { level, target: Target::Element(number), depth };
        match first {
            b'{' => self.object(at, object),
            b'n' => self.null(at),
            _ => self.raw(at, "", object),
        }
    }

    fn is_free(&self, target: Target, number: usize) -> bool {
        let value = match target {
            Target::Columns => self.row.values[number],
            Target::Element(element) => self.row.elements[element].values[number],
        };
        value == Value::Null
    }

    fn fill(&mut self, target: Target, number: usize, value: Value) {
        match target {
            Target::Columns => {
                self.row.values[number] = value;
                self.row.filled.push(number);
            }
            Target::Element(element) => self.row.elements[element].values[number] = value,
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

/// Appends a member to an object that is still open.
fn keep(members: &mut String, level: &Level, key: &str, value: &str) {
    members.push(if members.is_empty() { '{' } else { ',' });
    members.extend(["\"", &level.prefix, key, "\":", value]);
}
