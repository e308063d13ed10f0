//! Records within something else: as the text of a string, as the `detail` of an event, behind a
//! time in a line.

use super::{Body, Halt, Place, Walk, Walker, reason_of};
use crate::form::{Form, classify};
use crate::json::{unescape, value};

/// Bytes of a line of text before an object counts as foreign.
const LINE_BYTES_MAX: usize = 1 << 20;

impl Walker<'_> {
    /// The record is the text of a string.
    pub(super) fn embedded(
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
    pub(super) fn detail(&mut self, at: usize, start: usize, place: Place) -> Walk<usize> {
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

    /// A line that is no JSON: CloudWatch Logs exports a time before each record.
    pub(super) fn line(&mut self, at: usize) -> Walk<usize> {
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
}
