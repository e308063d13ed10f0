//! The list of resources.

use super::{Object, Reader, Target, no_end};
use crate::fields::Level;
use crate::json::{Stop, byte, gap};
use crate::record::{Element, Value};
use crate::schema::RESOURCE_FIELDS;
use crate::style::Place;

impl Reader<'_, '_> {
    /// Reads the list whose bracket stands at `at`; returns its end. The shape gets the layout of
    /// each element, without those at the end that repeat.
    pub(super) fn list(
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
}
