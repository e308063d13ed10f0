//! What an object is by its keys: a record, an envelope around records, a digest, or none of ours.

use crate::envelope::Body;
use crate::json::{Stop, gap, string, value};

/// What an object in the place of a record or an envelope is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Record,
    /// It has an array of records or of envelopes.
    Envelope,
    /// The record is the text of a string; where that stands.
    Text(Body, usize, usize),
    /// The record stands inside.
    Detail(usize),
    Digest,
    Stranger,
}

/// Returns what an object is by its keys, and whether the bytes at hand settle it.
pub(crate) fn classify(bytes: &[u8]) -> (Form, bool) {
    let mut marks = 0;
    let mut is_event_bridge = false;
    let mut detail = None;
    let mut at = gap(bytes, 1);
    while let Some((name, start)) = key_at(bytes, at) {
        match (name, bytes.get(start)) {
            (b"Records" | b"Events" | b"logEvents" | b"events", Some(b'[')) => {
                return (Form::Envelope, true);
            }
            (b"digestS3Object" | b"digestStartTime" | b"digestEndTime", _) => {
                return (Form::Digest, is_whole(bytes));
            }
            (b"CloudTrailEvent", Some(b'"')) => return text_at(bytes, start, Body::LookupEvents),
            (b"message", Some(b'"')) => return text_at(bytes, start, Body::CloudWatchLogs),
            (b"detail-type", Some(b'"')) => is_event_bridge = true,
            (b"detail", Some(b'{')) => detail = Some(start),
            (name, _) => marks += u32::from(is_mark(name)),
        }
        if let (true, Some(start)) = (is_event_bridge, detail) {
            let is_record = classify(&bytes[start..]).0 == Form::Record;
            let form = if is_record { Form::Detail(start) } else { Form::Stranger };
            return (form, is_whole(bytes));
        }
        if marks >= 2 {
            return (Form::Record, true);
        }
        let end = match value(bytes, start, usize::MAX) {
            Ok(end) => gap(bytes, end),
            Err(Stop::End) => break,
            // Broken, but somebody meant a record.
            Err(Stop::Bad { .. }) if marks > 0 => return (Form::Record, true),
            Err(Stop::Bad { .. }) => return (Form::Stranger, true),
        };
        match bytes.get(end) {
            Some(b',') => at = gap(bytes, end + 1),
            Some(_) => return (Form::Stranger, true),
            None => break,
        }
    }
    (if marks > 0 { Form::Record } else { Form::Stranger }, false)
}

/// Returns whether a key is one that CloudTrail's records have and few others do.
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

/// Returns the key at `at` and where its value starts.
fn key_at(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let end = string(bytes, at).ok()?.end;
    let colon = gap(bytes, end);
    (bytes.get(colon) == Some(&b':')).then(|| (&bytes[at + 1..end - 1], gap(bytes, colon + 1)))
}

fn text_at(bytes: &[u8], at: usize, body: Body) -> (Form, bool) {
    match string(bytes, at) {
        Ok(text) => (Form::Text(body, at + 1, text.end - 1), is_whole(bytes)),
        Err(stop) => (Form::Stranger, stop != Stop::End),
    }
}

fn is_whole(bytes: &[u8]) -> bool {
    value(bytes, 0, usize::MAX) != Err(Stop::End)
}
