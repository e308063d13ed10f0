//! What an object is by its keys: a record, an envelope around records, a digest, or none of ours.

use std::borrow::Cow;

use memchr::memmem;

use crate::envelope::Body;
use crate::json::{Stop, gap, string, unescape, value};
use crate::window::{Skipped, Skipper};

/// What an object in the place of a record or an envelope is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Record,
    /// It has an array of records or of envelopes.
    Envelope,
    /// The record is the text of a string; where that stands.
    Text(Body, usize, usize),
    /// The record stands inside.
    Detail(usize),
    Digest,
    /// It holds a record in more than one of these ways.
    Several,
    Stranger,
}

/// What a key says about the object that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// CloudTrail's records have it, and few others do.
    Mark,
    /// Its array holds records, whatever they look like.
    Records,
    /// Its array holds records or envelopes; what an empty one is.
    Events(Option<Body>),
    /// Its string is a record.
    Text(Body),
    DetailType,
    Detail,
    Digest,
    Other,
}

/// Marks that make a record, whatever else the object has: who hides a record behind the key of an
/// envelope hides nothing.
pub(crate) const MARKS_MIN: usize = 2;

/// Returns what a key and the first byte of its value say.
pub(crate) fn role(name: &[u8], first: Option<u8>) -> Role {
    match (name, first) {
        (b"Records", Some(b'[')) => Role::Records,
        (b"Events", Some(b'[')) => Role::Events(Some(Body::LookupEvents)),
        (b"logEvents" | b"events", Some(b'[')) => Role::Events(None),
        (b"CloudTrailEvent", Some(b'"')) => Role::Text(Body::LookupEvents),
        (b"message", Some(b'"')) => Role::Text(Body::CloudWatchLogs),
        (b"detail-type", Some(b'"')) => Role::DetailType,
        (b"detail", Some(b'{')) => Role::Detail,
        (b"digestS3Object" | b"digestStartTime" | b"digestEndTime", _) => Role::Digest,
        _ if is_mark(name) => Role::Mark,
        _ => Role::Other,
    }
}

fn is_mark(name: &[u8]) -> bool {
    const MARKS: [&[u8]; 12] = [
        b"eventVersion",
        b"userIdentity",
        b"eventTime",
        b"eventSource",
        b"eventName",
        b"eventID",
        b"eventId",
        b"eventCategory",
        b"eventType",
        b"awsRegion",
        b"sourceIPAddress",
        b"recipientAccountId",
    ];
    MARKS.contains(&name)
}

/// Returns what an object is by its keys, and whether the bytes at hand settle it.
pub(crate) fn classify(bytes: &[u8]) -> (Form, bool) {
    let mut seen = Seen::default();
    let mut at = gap(bytes, 1);
    loop {
        let (name, start) = match key_at(bytes, at) {
            Ok(key) => key,
            Err(stop) => return (seen.form_of_broken(bytes), stop != Stop::End),
        };
        match role(&name, bytes.get(start).copied()) {
            Role::Records | Role::Events(_) => return (Form::Envelope, true),
            role => seen.note(role, start),
        }
        if seen.marks >= MARKS_MIN {
            return (Form::Record, true);
        }
        let end = match value(bytes, start, usize::MAX) {
            Ok(end) => end,
            Err(Stop::End) => return (seen.form_of_broken(bytes), false),
            // The keys behind a broken value still say what was meant.
            Err(Stop::Bad { .. }) => match Skipper::default().feed(&bytes[start..]) {
                Skipped::End(length) if seen.marks == 0 => start + length,
                _ => return (seen.form_of_broken(bytes), true),
            },
        };
        let end = gap(bytes, end);
        match bytes.get(end) {
            Some(b',') => at = gap(bytes, end + 1),
            Some(b'}') => return (seen.form(bytes), true),
            after => return (seen.form_of_broken(bytes), after.is_some()),
        }
    }
}

/// What the keys so far say.
#[derive(Default)]
struct Seen {
    marks: usize,
    texts: usize,
    text: Option<(Body, usize)>,
    is_event_bridge: bool,
    detail: Option<usize>,
    digest: bool,
}

impl Seen {
    fn note(&mut self, role: Role, start: usize) {
        match role {
            Role::Mark => self.marks += 1,
            Role::Text(body) => {
                self.texts += 1;
                self.text = Some((body, start));
            }
            Role::DetailType => self.is_event_bridge = true,
            Role::Detail => self.detail = Some(start),
            Role::Digest => self.digest = true,
            Role::Records | Role::Events(_) | Role::Other => {}
        }
    }

    fn form(&self, bytes: &[u8]) -> Form {
        let detail = self.detail.filter(|_| self.is_event_bridge);
        match (self.texts, self.text, detail, self.digest) {
            (0, _, None, false) => Form::Stranger,
            (0, _, None, true) => Form::Digest,
            (0, _, Some(start), false) => match classify(&bytes[start..]).0 {
                Form::Record => Form::Detail(start),
                _ => Form::Stranger,
            },
            (1, Some((body, start)), None, false) => match string(bytes, start) {
                Ok(text) => Form::Text(body, start + 1, text.end - 1),
                Err(_) => Form::Stranger,
            },
            _ => Form::Several,
        }
    }

    /// One mark is enough where the rest cannot be read: somebody meant a record.
    fn form_of_broken(&self, bytes: &[u8]) -> Form {
        if self.marks > 0 { Form::Record } else { self.form(bytes) }
    }
}

/// Returns the key at `at`, unescaped, and where its value starts.
fn key_at(bytes: &[u8], at: usize) -> Result<(Cow<'_, [u8]>, usize), Stop> {
    let quoted = string(bytes, at)?;
    let colon = gap(bytes, quoted.end);
    match bytes.get(colon) {
        None => return Err(Stop::End),
        Some(b':') => {}
        Some(_) => return Err(Stop::Bad { at: colon, reason: "a colon must stand here" }),
    }
    Ok((name_of(&bytes[at + 1..quoted.end - 1], quoted.escaped), gap(bytes, colon + 1)))
}

/// Returns a key as it is meant: an escape in it hides nothing.
pub(crate) fn name_of(raw: &[u8], escaped: bool) -> Cow<'_, [u8]> {
    let mut name = String::new();
    match std::str::from_utf8(raw) {
        Ok(raw) if escaped => {
            unescape(raw, &mut name);
            Cow::Owned(name.into_bytes())
        }
        _ => Cow::Borrowed(raw),
    }
}

/// Bytes by which a log is told from other text.
const LOOKED_AT_BYTES: usize = 64 << 10;

/// Returns whether the start of a text, in UTF-8 or UTF-16, has keys of CloudTrail's records, also
/// as text within a string.
pub(crate) fn looks_like_log(bytes: &[u8]) -> bool {
    let bytes = &bytes[..bytes.len().min(LOOKED_AT_BYTES)];
    let narrowed: Cow<'_, [u8]> = match is_utf16(bytes) {
        true => bytes.iter().copied().filter(|byte| *byte != 0).collect(),
        false => bytes.into(),
    };
    let has = |key: &[u8]| {
        memmem::find_iter(&narrowed, key)
            .any(|at| matches!(narrowed.get(at + key.len()), Some(b'"' | b'\\')))
    };
    has(b"eventVersion") || has(b"eventTime") && has(b"eventSource")
}

/// Returns whether a text starts as UTF-16 does: with its mark, or with JSON in two bytes a letter.
pub(crate) fn is_utf16(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{' | b'[', 0, ..] | [0, b'{' | b'[', ..]
    )
}
