//! Finds the records in a log file, whatever holds them.
//!
//! Records stand in `{"Records": […]}`, alone, in an array, one a line; as text in the output of
//! `LookupEvents` and in CloudWatch Logs; in the `detail` of an EventBridge event. A record that is
//! no JSON is a reject and the next is looked for; where brackets contradict each other between
//! records the object is refused, because then nothing says where its records begin.

use std::io;

use crate::form::{Form, classify};
use crate::json::{Stop, gap, unescape, value};
use crate::log_file::{Limits, ObjectFault};
use crate::window::{Skipped, Skipper, Window};

/// Forms in which a log file holds its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Body {
    /// `{"Records": […]}`, as CloudTrail delivers.
    Records,
    /// One bare record.
    Single,
    /// A bare array of records or envelopes.
    Array,
    /// Records or envelopes one after the other, usually one a line.
    Lines,
    /// Output of `LookupEvents`: the record as text inside.
    LookupEvents,
    /// An EventBridge envelope, the record in `detail`.
    EventBridge,
    /// CloudWatch Logs: the record as text in `message`, or after a time in an exported line.
    CloudWatchLogs,
    /// A digest file.
    Digest,
}

/// Takes what is found, in the order of the object.
pub(crate) trait Visit {
    /// Takes the record at the start of `text`; returns its length.
    ///
    /// # Errors
    /// When no valid JSON object stands there; nothing was taken then.
    fn record(&mut self, offset: usize, text: &str) -> Result<usize, Stop>;
    /// Takes what should have been a record: its length, and as many of its bytes as are at hand.
    fn reject(&mut self, offset: usize, reason: String, length: usize, bytes: &[u8]);
    /// Takes a digest: the bytes that its signature vouches for, a JSON object.
    fn digest(&mut self, content: &[u8]);
    /// Returns the number of records so far.
    fn records(&self) -> u64;
    /// Returns whether nothing more is wanted.
    fn is_done(&self) -> bool;
}

/// What a walk over an object ended with.
#[derive(Debug)]
pub(crate) struct Walked {
    /// Form of the content; nothing when it is not CloudTrail's.
    pub body: Option<Body>,
    /// The object is refused; where, and why.
    pub fault: Option<ObjectFault>,
}

/// Why a walk stopped early.
enum Halt {
    /// The rest was rejected, or is not wanted.
    End,
    /// Not CloudTrail's.
    Foreign,
    Fault(ObjectFault),
    Failed(io::Error),
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Halt {
        Halt::Failed(error)
    }
}

type Walk<T> = Result<T, Halt>;

/// Values that are nothing of CloudTrail's before an object counts as foreign.
const STRANGERS_MAX: u64 = 100;
/// Bytes of a line of text before an object counts as foreign.
const LINE_BYTES_MAX: usize = 1 << 20;
/// Envelopes within envelopes.
const DEPTH_MAX: usize = 4;

/// Finds all records of an object that was inflated into memory.
pub(crate) fn walk_held(
    content: &[u8],
    limits: &Limits,
    visit: &mut dyn Visit,
) -> io::Result<Walked> {
    // One check of all bytes; when it fails, each record is checked for itself.
    let text = std::str::from_utf8(content).ok();
    Walker { window: Window::Held(content), text, limits, visit, body: None, strangers: 0 }.walk()
}

/// Finds all records of a stream, in bounded memory.
///
/// # Errors
/// When the stream cannot be read.
pub(crate) fn walk_stream(
    input: &mut dyn io::Read,
    limits: &Limits,
    visit: &mut dyn Visit,
) -> io::Result<Walked> {
    let window = Window::stream(input);
    Walker { window, text: None, limits, visit, body: None, strangers: 0 }.walk()
}

struct Walker<'a> {
    window: Window<'a>,
    /// All of a held object, when all of it is UTF-8.
    text: Option<&'a str>,
    limits: &'a Limits,
    visit: &'a mut dyn Visit,
    body: Option<Body>,
    strangers: u64,
}

impl Walker<'_> {
    fn walk(mut self) -> io::Result<Walked> {
        let halt = self.values().err();
        let fault = match halt {
            Some(Halt::Failed(error)) => return Err(error),
            Some(Halt::Fault(fault)) if self.body.is_some() => Some(fault),
            Some(Halt::Fault(_) | Halt::Foreign) => return Ok(Walked { body: None, fault: None }),
            Some(Halt::End) | None => None,
        };
        Ok(Walked { body: self.body, fault })
    }

    /// Walks over the values of the object, one after the other.
    fn values(&mut self) -> Walk<()> {
        let mut at = 0;
        if self.peek(at)? == Some(0xef) && self.window.from(at).starts_with(b"\xef\xbb\xbf") {
            at += 3;
        }
        for number in 0.. {
            at = self.gap(at)?;
            let first = self.peek(at)?;
            if number > 0
                && first.is_some()
                && matches!(self.body, Some(Body::Single | Body::Array))
            {
                self.body = Some(Body::Lines);
            }
            at = match first {
                None => break,
                Some(b'{') => self.document(at, 0)?,
                Some(b'[') => self.top_list(at)?,
                Some(_) => self.line(at)?,
            };
            if self.visit.is_done() {
                return Err(Halt::End);
            }
        }
        Ok(())
    }

    fn peek(&mut self, at: usize) -> Walk<Option<u8>> {
        loop {
            if let Some(byte) = self.window.from(at).first() {
                return Ok(Some(*byte));
            }
            if !self.window.more(at)? {
                return Ok(None);
            }
        }
    }

    fn gap(&mut self, mut at: usize) -> Walk<usize> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek(at)? {
            at += gap(self.window.from(at), 0);
        }
        Ok(at)
    }

    /// An array in the place of an object: of records or of envelopes. An empty one counts as a
    /// log without records.
    fn top_list(&mut self, at: usize) -> Walk<usize> {
        let first = self.gap(at + 1)?;
        if self.peek(first)? == Some(b']') {
            self.recognise(Body::Array);
            return Ok(first + 1);
        }
        let before = self.body;
        let end = self.list(at, None, 0)?;
        if before.is_none() && self.body == Some(Body::Single) {
            self.body = Some(Body::Array);
        }
        Ok(end)
    }

    /// Walks over an array; `records` is set where every element is a record, whatever it holds.
    fn list(&mut self, at: usize, records: Option<Body>, depth: usize) -> Walk<usize> {
        let mut at = self.gap(at + 1)?;
        if self.peek(at)? == Some(b']') {
            return Ok(at + 1);
        }
        loop {
            at = match self.peek(at)? {
                None => return Err(self.cut(at)),
                Some(b'{') if records.is_some() => self.record(at, false)?,
                Some(b'{') => self.document(at, depth + 1)?,
                Some(b',' | b']' | b'}' | b':') => {
                    return Err(self.malformed(at, "a record must stand here"));
                }
                Some(_) => self.bad_value(at, "a record must be an object", false)?,
            };
            if self.visit.is_done() {
                return Err(Halt::End);
            }
            at = self.gap(at)?;
            at = match self.peek(at)? {
                None => return Err(self.cut(at)),
                Some(b',') => self.gap(at + 1)?,
                Some(b']') => return Ok(at + 1),
                Some(_) => return Err(self.malformed(at, "a comma or `]` must stand here")),
            };
        }
    }

    /// Walks over an object that may be a record, an envelope or nothing of CloudTrail's.
    fn document(&mut self, at: usize, depth: usize) -> Walk<usize> {
        let form = loop {
            let known = self.window.from(at);
            let (form, complete) = classify(known);
            if complete || known.len() > self.limits.record_bytes_max || !self.window.more(at)? {
                break form;
            }
        };
        let top = depth == 0;
        match form {
            Form::Record => {
                self.recognise(Body::Single);
                self.record(at, top)
            }
            Form::Envelope if depth < DEPTH_MAX => self.envelope(at, depth),
            Form::Text(body, start, end) => self.embedded(at, body, (start, end), top),
            Form::Detail(start) => self.detail(at, start, top),
            Form::Digest => self.digest(at),
            Form::Envelope | Form::Stranger => self.bad_value(at, "no record of CloudTrail", top),
        }
    }

    /// Walks over the members of an object that holds arrays of records or of envelopes.
    fn envelope(&mut self, at: usize, depth: usize) -> Walk<usize> {
        let mut at = self.gap(at + 1)?;
        loop {
            match self.peek(at)? {
                None => return Err(self.cut(at)),
                Some(b'}') => return Ok(at + 1),
                Some(b',') => at = self.gap(at + 1)?,
                Some(b'"') => {
                    let end = self.skip(at)?;
                    let name = self.window.from(at)[1..end - at - 1].to_vec();
                    let colon = self.gap(end)?;
                    if self.peek(colon)? != Some(b':') {
                        return Err(self.malformed(colon, "a colon must stand here"));
                    }
                    let start = self.gap(colon + 1)?;
                    let is_list = self.peek(start)? == Some(b'[');
                    at = match name.as_slice() {
                        b"Records" if is_list => {
                            self.recognise(Body::Records);
                            self.list(start, Some(Body::Records), depth)?
                        }
                        b"Events" if is_list => {
                            if self.is_empty_list(start)? {
                                self.recognise(Body::LookupEvents);
                            }
                            self.list(start, None, depth)?
                        }
                        b"logEvents" | b"events" if is_list => self.list(start, None, depth)?,
                        _ => self.skip(start)?,
                    };
                    at = self.gap(at)?;
                }
                Some(_) => return Err(self.malformed(at, "a key must stand here")),
            }
        }
    }

    fn is_empty_list(&mut self, at: usize) -> Walk<bool> {
        let first = self.gap(at + 1)?;
        Ok(self.peek(first)? == Some(b']'))
    }

    /// Takes the record at `at`; `top` says that it stands in no array.
    fn record(&mut self, at: usize, top: bool) -> Walk<usize> {
        if let Some(text) = self.text.and_then(|text| text.get(at..)) {
            match self.visit.record(at, text) {
                Ok(length) => return Ok(at + length),
                Err(stop) => return self.bad_value(at, &reason_of(stop), top),
            }
        }
        let end = match self.end_of(at, true, top)? {
            End::At(end) => end,
            End::Never => return Err(self.cut(at)),
            End::Beyond(end, bytes) => return Ok(self.too_large(at, end, &bytes)),
        };
        let bytes = &self.window.from(at)[..end - at];
        let reason = match std::str::from_utf8(bytes) {
            Ok(text) => match self.visit.record(at, text) {
                Ok(_) => return Ok(end),
                Err(stop) => reason_of(stop),
            },
            Err(error) => format!("invalid UTF-8 at byte {} of the record", error.valid_up_to()),
        };
        let bytes = &self.window.from(at)[..end - at];
        self.visit.reject(at, reason, bytes.len(), bytes);
        Ok(end)
    }

    /// A value that is no record: a reject, of which an object that is not CloudTrail's has many.
    fn bad_value(&mut self, at: usize, reason: &str, top: bool) -> Walk<usize> {
        self.strangers += u64::from(self.body.is_none());
        if self.strangers > STRANGERS_MAX {
            return Err(Halt::Foreign);
        }
        match self.end_of(at, true, top)? {
            End::At(end) => {
                let bytes = &self.window.from(at)[..end - at];
                self.visit.reject(at, reason.to_owned(), bytes.len(), bytes);
                Ok(end.max(at + 1))
            }
            End::Never => Err(self.cut(at)),
            End::Beyond(end, bytes) => Ok(self.too_large(at, end, &bytes)),
        }
    }

    fn too_large(&mut self, at: usize, end: usize, bytes: &[u8]) -> usize {
        let reason = format!("larger than {} bytes", self.limits.record_bytes_max);
        self.visit.reject(at, reason, end - at, bytes);
        end
    }

    /// The record is the text of a string.
    fn embedded(&mut self, at: usize, body: Body, text: (usize, usize), top: bool) -> Walk<usize> {
        let known = self.window.from(at);
        let Ok(length) = value(known, 0, self.limits.json_depth_max) else {
            return self.bad_value(at, "invalid JSON", top);
        };
        let raw = std::str::from_utf8(&known[text.0..text.1]);
        let mut record = String::new();
        if !raw.is_ok_and(|raw| unescape(raw, &mut record)) {
            return self.bad_value(at, "its text is no UTF-8", top);
        }
        let record = record.trim_matches([' ', '\n', '\r', '\t']);
        let start = match classify(record.as_bytes()).0 {
            Form::Record => 0,
            Form::Detail(start) => start,
            // A log group may hold other lines as well.
            _ if body == Body::CloudWatchLogs => {
                return self.bad_value(at, "no record of CloudTrail", top);
            }
            _ => 0,
        };
        self.recognise(body);
        let outcome = self.visit.record(at, record.get(start..).unwrap_or_default());
        let rest = outcome.map(|length| start == 0 && length < record.len());
        let reason = match rest {
            Ok(false) => return Ok(at + length),
            Ok(true) => "text after the record".to_owned(),
            Err(stop) => reason_of(stop),
        };
        self.visit.reject(at, reason, record.len(), record.as_bytes());
        Ok(at + length)
    }

    /// The record is the `detail` of an EventBridge event.
    fn detail(&mut self, at: usize, start: usize, top: bool) -> Walk<usize> {
        let known = self.window.from(at);
        match value(known, 0, self.limits.json_depth_max) {
            Ok(length) => {
                self.recognise(Body::EventBridge);
                let end = self.record(at + start, false)?;
                Ok(end.max(at + length))
            }
            Err(stop) => self.bad_value(at, &reason_of(stop), top),
        }
    }

    fn digest(&mut self, at: usize) -> Walk<usize> {
        let known = self.window.from(at);
        let Ok(length) = value(known, 0, self.limits.json_depth_max) else {
            return self.bad_value(at, "invalid JSON", true);
        };
        if std::str::from_utf8(&known[..length]).is_err() {
            return self.bad_value(at, "invalid UTF-8", true);
        }
        // The signature is over the file, line break at its end included.
        let is_all = at == gap(self.window.from(0), 0)
            && gap(known, length) == known.len()
            && matches!(self.window, Window::Held(_));
        let content = if is_all { self.window.from(0) } else { &known[..length] };
        self.visit.digest(content);
        self.recognise(Body::Digest);
        Ok(at + length)
    }

    /// A line that is no JSON: CloudWatch Logs exports a time before each record.
    fn line(&mut self, at: usize) -> Walk<usize> {
        let length = loop {
            let known = self.window.from(at);
            if let Some(end) = memchr::memchr(b'\n', known) {
                break end;
            }
            let length = known.len();
            if length > LINE_BYTES_MAX && self.body.is_none() {
                return Err(Halt::Foreign);
            }
            if length > LINE_BYTES_MAX || !self.window.more(at)? {
                break length;
            }
        };
        let line = &self.window.from(at)[..length];
        let head = &line[..length.min(40)];
        if head.first().is_some_and(u8::is_ascii_digit)
            && let Some(start) = memchr::memmem::find(head, b" {")
        {
            let end = self.document(at + start + 1, 0)?;
            if self.body == Some(Body::Single) {
                self.body = Some(Body::CloudWatchLogs);
            }
            return Ok(end);
        }
        self.strangers += u64::from(self.body.is_none());
        if self.strangers > STRANGERS_MAX {
            return Err(Halt::Foreign);
        }
        self.visit.reject(at, "a line that is no JSON".to_owned(), length, line);
        Ok(at + length)
    }

    fn recognise(&mut self, body: Body) {
        self.body = self.body.or(Some(body));
    }

    /// The object ends too early: its rest is one reject.
    fn cut(&mut self, at: usize) -> Halt {
        let reason = format!("cut short after {} records", self.visit.records());
        let rest = self.window.from(at);
        self.visit.reject(at, reason, rest.len(), rest);
        Halt::End
    }

    fn malformed(&mut self, at: usize, reason: &'static str) -> Halt {
        let fault = ObjectFault::Malformed { at: at as u64, records: self.visit.records(), reason };
        let rest = self.window.from(at);
        self.visit.reject(at, fault.to_string(), rest.len(), rest);
        Halt::Fault(fault)
    }

    /// Returns the end of a value of any size that nobody wants.
    fn skip(&mut self, at: usize) -> Walk<usize> {
        match self.end_of(at, false, false)? {
            End::At(end) => Ok(end),
            End::Never | End::Beyond(..) => Err(self.cut(at)),
        }
    }

    /// Looks for the end of a value. A wanted value stays in the window unless it is too large; one
    /// that stands in no array ends at the latest where a line starts like a value.
    fn end_of(&mut self, at: usize, wanted: bool, top: bool) -> Walk<End> {
        let mut skipper = Skipper::default();
        let mut seen = at;
        let mut lost = false;
        let mut head = None;
        let keeps_all = wanted || self.peek(at)? == Some(b'"');
        loop {
            let fed = if lost { Skipped::Open } else { skipper.feed(self.window.from(seen)) };
            let mut end = match fed {
                Skipped::End(length) => Some(seen + length),
                Skipped::Broken(_) if !top => return Ok(End::Never),
                Skipped::Broken(_) | Skipped::Open => None,
            };
            lost |= matches!(fed, Skipped::Broken(_));
            if top && let Some(line) = self.next_line(at, seen, end) {
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
                return Ok(End::Never);
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

/// Where a value ends.
enum End {
    At(usize),
    /// The object ends first, or the value breaks in a way that leaves no end.
    Never,
    /// There, but it is larger than the limit: its first bytes.
    Beyond(usize, Vec<u8>),
}

fn reason_of(stop: Stop) -> String {
    match stop {
        Stop::End => "invalid JSON: cut short".to_owned(),
        Stop::Bad { at, reason } => format!("invalid JSON at byte {at} of the record: {reason}"),
    }
}
