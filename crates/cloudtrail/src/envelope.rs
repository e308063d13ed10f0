//! Finds the records in a log file, whatever holds them.
//!
//! Records stand in `{"Records": […]}`, alone, in an array, one a line; as text in the output of
//! `LookupEvents`, in CloudWatch Logs and in results of Lake queries ([`lake_export`]); in the
//! `detail` of an EventBridge event. A record that is no JSON is a reject and the next is looked for
//! ([`broken`]), and so is a comma too many or too few ([`list`]); where brackets contradict each
//! other between records the object is refused, because then nothing says where its records begin.

mod broken;
mod ends;
mod lake_export;
mod list;

use std::io;

use self::broken::BrokenEnds;
use self::ends::End;
pub(crate) use self::lake_export::is_lake_export;
use crate::form::{Form, MARKS_MIN, Role, classify, is_utf16, looks_like_log, name_of, role};
use crate::json::{Stop, gap, unescape, value};
use crate::log_file::{Limits, ObjectFault, packed};
use crate::window::Window;

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
    /// Result of a CloudTrail Lake query: comma-separated values, the record as text in `eventJson`.
    LakeExport,
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
    /// There are keys of CloudTrail's in it, or nobody can see whether there are; whether or not it
    /// is recognised.
    pub is_suspect: bool,
}

/// Where a value stands: what ends it when it is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// By itself: a line that starts like a value.
    Top,
    /// In a list of records: what [`BrokenEnds`] finds.
    Records,
    /// In a list of records or of what holds them.
    List,
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

/// Values that are nothing of CloudTrail's before an object counts as foreign, where none of its
/// first bytes looks like a record.
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
    Walker::new(Window::Held(content), text, limits, visit).walk()
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
    Walker::new(Window::stream(input), None, limits, visit).walk()
}

struct Walker<'a> {
    window: Window<'a>,
    /// All of a held object, when all of it is UTF-8.
    text: Option<&'a str>,
    limits: &'a Limits,
    visit: &'a mut dyn Visit,
    body: Option<Body>,
    strangers: u64,
    is_suspect: bool,
    broken_ends: BrokenEnds,
}

impl<'a> Walker<'a> {
    fn new(
        window: Window<'a>,
        text: Option<&'a str>,
        limits: &'a Limits,
        visit: &'a mut dyn Visit,
    ) -> Walker<'a> {
        let broken_ends = BrokenEnds::new();
        let (body, strangers, is_suspect) = (None, 0, false);
        Walker { window, text, limits, visit, body, strangers, is_suspect, broken_ends }
    }

    fn walk(mut self) -> io::Result<Walked> {
        let halt = self.values().err();
        let fault = match halt {
            Some(Halt::Failed(error)) => return Err(error),
            // Text of any kind has brackets that match no list of records.
            Some(Halt::Fault(ObjectFault::Malformed { .. })) if self.body.is_none() => None,
            Some(Halt::Fault(fault)) => Some(fault),
            Some(Halt::Foreign | Halt::End) | None => None,
        };
        Ok(Walked { body: self.body, fault, is_suspect: self.is_suspect })
    }

    /// Walks over the values of the object, one after the other.
    fn values(&mut self) -> Walk<()> {
        let mut at = 0;
        self.peek(at)?;
        if is_utf16(self.window.from(at)) {
            self.is_suspect = looks_like_log(self.window.from(at));
            return Err(Halt::Fault(ObjectFault::Utf16));
        }
        if let Some(fault) = packed(self.window.from(at)) {
            self.is_suspect = true;
            return Err(Halt::Fault(fault));
        }
        if self.window.from(at).starts_with(b"\xef\xbb\xbf") {
            at += 3;
        }
        if self.lake_export(at)? {
            return Ok(());
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

    /// Returns the byte at `at`, and gives up what stands before it.
    fn peek(&mut self, at: usize) -> Walk<Option<u8>> {
        self.look_ahead(at, at)
    }

    /// Returns the byte at `ahead`; what stands from `at` on stays.
    fn look_ahead(&mut self, at: usize, ahead: usize) -> Walk<Option<u8>> {
        loop {
            if let Some(byte) = self.window.from(ahead).first() {
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

    /// Walks over an object that may be a record, an envelope or nothing of CloudTrail's.
    fn document(&mut self, at: usize, depth: usize) -> Walk<usize> {
        let form = loop {
            let known = self.window.from(at);
            let (form, complete) = classify(known);
            if complete || known.len() > self.limits.record_bytes_max || !self.window.more(at)? {
                break form;
            }
        };
        let place = if depth == 0 { Place::Top } else { Place::List };
        match form {
            Form::Record => {
                self.recognise(Body::Single);
                self.record(at, place)
            }
            Form::Envelope if depth < DEPTH_MAX => self.envelope(at, depth),
            Form::Text(body, start, end) => self.embedded(at, body, (start, end), place),
            Form::Detail(start) => self.detail(at, start, place),
            Form::Digest => self.digest(at, place),
            Form::Several => self.bad_value(at, SEVERAL, place),
            Form::Envelope | Form::Stranger => self.bad_value(at, "no record of CloudTrail", place),
        }
    }

    /// Walks over the members of an object that holds arrays of records or of envelopes.
    fn envelope(&mut self, at: usize, depth: usize) -> Walk<usize> {
        let start = at;
        let (mut marks, mut others) = (0, 0);
        let mut at = self.gap(at + 1)?;
        loop {
            match self.peek(at)? {
                None => return Err(self.cut(at)),
                Some(b'}') => break,
                Some(b',') => at = self.gap(at + 1)?,
                Some(b'"') => {
                    let end = self.skip(at)?;
                    let raw = &self.window.from(at)[1..end - at - 1];
                    let name = name_of(raw, raw.contains(&b'\\')).into_owned();
                    let colon = self.gap(end)?;
                    if self.peek(colon)? != Some(b':') {
                        return Err(self.malformed(colon, "a colon must stand here"));
                    }
                    let value = self.gap(colon + 1)?;
                    let role = role(&name, self.peek(value)?);
                    marks += usize::from(role == Role::Mark);
                    others += usize::from(self.may_hold_record(role, value)?);
                    let end = self.member(value, role, depth)?;
                    at = self.gap(end)?;
                }
                Some(_) => return Err(self.malformed(at, "a key must stand here")),
            }
        }
        self.close_envelope(start, at + 1, depth, marks >= MARKS_MIN, others > 0)
    }

    fn member(&mut self, at: usize, role: Role, depth: usize) -> Walk<usize> {
        match role {
            Role::Records => {
                self.recognise(Body::Records);
                self.list(at, Some(Body::Records), depth)
            }
            Role::Events(empty) => {
                if let Some(body) = empty
                    && self.is_empty_list(at)?
                {
                    self.recognise(body);
                }
                self.list(at, None, depth)
            }
            _ => self.skip(at),
        }
    }

    /// Returns whether a member of an envelope may hold one more record.
    fn may_hold_record(&mut self, role: Role, at: usize) -> Walk<bool> {
        match role {
            Role::Text(_) => Ok(self.look_ahead(at, at + 1)? == Some(b'{')),
            Role::Detail | Role::Digest => Ok(true),
            _ => Ok(false),
        }
    }

    /// An envelope that has a record's marks is a record too, and one that holds something beside
    /// its lists is told: a first key must not hide what follows.
    fn close_envelope(
        &mut self,
        at: usize,
        end: usize,
        depth: usize,
        is_record: bool,
        has_others: bool,
    ) -> Walk<usize> {
        let is_at_hand = !self.window.from(at).is_empty();
        if is_record && is_at_hand {
            self.recognise(Body::Single);
            let place = if depth == 0 { Place::Top } else { Place::List };
            return Ok(self.record(at, place)?.max(end));
        }
        if is_record || has_others {
            let known = self.window.from(at);
            let known = &known[..known.len().min(end - at)];
            self.visit.reject(at, SEVERAL.to_owned(), end - at, known);
        }
        Ok(end)
    }

    /// Takes the record at `at`.
    fn record(&mut self, at: usize, place: Place) -> Walk<usize> {
        if let Some(text) = self.text.and_then(|text| text.get(at..)) {
            return match self.visit.record(at, text) {
                Ok(length) => Ok(at + length),
                Err(stop) => self.bad_value(at, &reason_of(stop), place),
            };
        }
        let end = match self.sound_end(at)? {
            Ok(end) => end,
            Err(stop) => return self.bad_value(at, &reason_of(stop), place),
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
    fn bad_value(&mut self, at: usize, reason: &str, place: Place) -> Walk<usize> {
        self.stranger(at)?;
        match self.end_of(at, place)? {
            End::At(end) => {
                let bytes = &self.window.from(at)[..end - at];
                self.visit.reject(at, reason.to_owned(), bytes.len(), bytes);
                Ok(end.max(at + 1))
            }
            End::Cut => Err(self.cut(at)),
            End::Nowhere => {
                let rest = self.window.from(at);
                self.visit.reject(at, reason.to_owned(), rest.len(), rest);
                Err(Halt::End)
            }
            End::Beyond(end, bytes) => Ok(self.too_large(at, end, &bytes)),
        }
    }

    /// Counts a value that is nothing of CloudTrail's, as long as nothing else was found.
    fn stranger(&mut self, at: usize) -> Walk<()> {
        if self.body.is_some() {
            return Ok(());
        }
        if self.strangers == 0 {
            let all = self.window.from(0);
            self.is_suspect =
                looks_like_log(if all.is_empty() { self.window.from(at) } else { all });
        }
        self.strangers += 1;
        if self.strangers > STRANGERS_MAX && !self.is_suspect {
            return Err(Halt::Foreign);
        }
        Ok(())
    }

    fn too_large(&mut self, at: usize, end: usize, bytes: &[u8]) -> usize {
        let reason = format!("larger than {} bytes", self.limits.record_bytes_max);
        self.visit.reject(at, reason, end - at, bytes);
        end
    }

    /// The record is the text of a string.
    fn embedded(
        &mut self,
        at: usize,
        body: Body,
        text: (usize, usize),
        place: Place,
    ) -> Walk<usize> {
        let known = self.window.from(at);
        let Ok(length) = value(known, 0, self.limits.json_depth_max) else {
            return self.bad_value(at, "invalid JSON", place);
        };
        let raw = std::str::from_utf8(&known[text.0..text.1]);
        let mut record = String::new();
        if !raw.is_ok_and(|raw| unescape(raw, &mut record)) {
            return self.bad_value(at, "its text is no UTF-8", place);
        }
        let record = record.trim_matches([' ', '\n', '\r', '\t']);
        let start = match classify(record.as_bytes()).0 {
            Form::Record => 0,
            Form::Detail(start) => start,
            // A log group may hold other lines as well.
            _ if body == Body::CloudWatchLogs => {
                return self.bad_value(at, "no record of CloudTrail", place);
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
    fn detail(&mut self, at: usize, start: usize, place: Place) -> Walk<usize> {
        let known = self.window.from(at);
        match value(known, 0, self.limits.json_depth_max) {
            Ok(length) => {
                self.recognise(Body::EventBridge);
                let end = self.record(at + start, Place::List)?;
                Ok(end.max(at + length))
            }
            Err(stop) => self.bad_value(at, &reason_of(stop), place),
        }
    }

    fn digest(&mut self, at: usize, place: Place) -> Walk<usize> {
        let known = self.window.from(at);
        let Ok(length) = value(known, 0, self.limits.json_depth_max) else {
            return self.bad_value(at, "invalid JSON", place);
        };
        if std::str::from_utf8(&known[..length]).is_err() {
            return self.bad_value(at, "invalid UTF-8", place);
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
        self.stranger(at)?;
        if length > LINE_BYTES_MAX && self.body.is_none() && !self.is_suspect {
            return Err(Halt::Foreign);
        }
        let line = &self.window.from(at)[..length];
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
}

/// What nothing of is lost by, but a reader may have meant otherwise.
const SEVERAL: &str = "holds records in several ways at once";

fn reason_of(stop: Stop) -> String {
    match stop {
        Stop::End => "invalid JSON: cut short".to_owned(),
        Stop::Bad { at, reason } => format!("invalid JSON at byte {at} of the record: {reason}"),
    }
}
