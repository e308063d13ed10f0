//! One record, read into an in-memory row and its shape in a single pass.
//!
//! The `reader` goes over its text and fills the row.

mod reader;

use self::reader::Reader;
use crate::json::{Members, Stop};
use crate::schema::{EVENT_NAME, EVENT_SOURCE, EVENT_TIME, Kind, RESOURCE_FIELDS};
use crate::shape::{SHAPE_BYTES_MAX, VERSION, letter};
use crate::style::StyleSeen;

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
