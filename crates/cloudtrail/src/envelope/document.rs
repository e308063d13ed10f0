//! What an object is by its keys, and the members of one that holds lists.

use super::{Body, Place, Walk, Walker};
use crate::form::{Form, MARKS_MIN, Role, classify, name_of, role};

/// Envelopes within envelopes.
const DEPTH_MAX: usize = 4;

/// What nothing of is lost by, but a reader may have meant otherwise.
const SEVERAL: &str = "holds records in several ways at once";

impl Walker<'_> {
    /// Walks over an object that may be a record, an envelope or nothing of CloudTrail's.
    pub(super) fn document(&mut self, at: usize, depth: usize) -> Walk<usize> {
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
}
