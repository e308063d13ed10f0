//! Finds the records in a log file, whatever holds them.
//!
//! Records stand in `{"Records": […]}`, alone, in an array, one a line; as text in the output of
//! `LookupEvents`, in CloudWatch Logs and in results of Lake queries ([`lake_export`]); in the
//! `detail` of an EventBridge event. A record that is no JSON is a reject and the next is looked for
//! ([`broken`]), and so is a comma too many or too few ([`list`]); where brackets contradict each
//! other between records the object is refused, because then nothing says where its records begin.
//!
//! [`document`] says what a value is, [`embedded`] digs out records that stand in something else,
//! [`records`] takes them; [`ends`] finds where values end.

mod document;
mod lake_export;
mod list;

mod embedded;
mod records;

mod broken;
mod ends;

use std::io;

use self::broken::BrokenEnds;
pub(crate) use self::lake_export::is_lake_export;
use crate::form::{is_utf16, looks_like_log};
use crate::json::{Stop, gap};
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
    fn digest(&mut self, offset: usize, content: &[u8]);
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

fn reason_of(stop: Stop) -> String {
    match stop {
        Stop::End => "invalid JSON: cut short".to_owned(),
        Stop::Bad { at, reason } => format!("invalid JSON at byte {at} of the record: {reason}"),
    }
}
