//! The value of a member: what of it a cell holds, and what the shape must add to get it back.

use super::{Object, Reader, Target};
use crate::escapes::{Escapes, Matcher};
use crate::fields::Level;
use crate::json::{Stop, byte, string, unescape, value};
use crate::record::Value;
use crate::schema::Form;
use crate::time::{self, USUAL};

impl Reader<'_, '_> {
    pub(super) fn leaf(
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

    pub(super) fn null(&mut self, start: usize) -> Result<usize, Stop> {
        self.row.shape.push('~');
        value(self.bytes, start, self.depth_max)
    }

    pub(super) fn raw(&mut self, start: usize, key: &str, object: Object) -> Result<usize, Stop> {
        let end = value(self.bytes, start, self.depth_max)?;
        self.row.shape.push('!');
        keep(&mut self.row.raw_fields, object.level, key, &self.text[start..end]);
        Ok(end)
    }

    pub(super) fn unknown(
        &mut self,
        start: usize,
        key: &str,
        object: Object,
    ) -> Result<usize, Stop> {
        let end = value(self.bytes, start, self.depth_max)?;
        self.row.shape.push('?');
        keep(&mut self.row.unknown_fields, object.level, key, &self.text[start..end]);
        Ok(end)
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
}

/// Appends a member to an object that is still open.
fn keep(members: &mut String, level: &Level, key: &str, value: &str) {
    members.push(if members.is_empty() { '{' } else { ',' });
    members.extend(["\"", &level.prefix, key, "\":", value]);
}
