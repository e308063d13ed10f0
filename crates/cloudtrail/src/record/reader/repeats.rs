//! Which of several members that fill one column does.

use super::{Object, Reader, Target, find};
use crate::fields::Node;
use crate::json::{Members, Stop, byte, gap, string, value};
use crate::time;

impl Reader<'_, '_> {
    /// Returns for each member whether it is the one that fills its column: the last of those of
    /// one column, but without an event's time, source or name there is no row, and so of those the
    /// last that can be read.
    pub(super) fn last_of_keys(&self, mut at: usize, object: Object) -> Result<Vec<bool>, Stop> {
        let mut members = Vec::new();
        loop {
            let name = string(self.bytes, at)?;
            let raw = &self.text[at + 1..name.end - 1];
            let start = gap(self.bytes, gap(self.bytes, name.end) + 1);
            let end = value(self.bytes, start, self.depth_max)?;
            let key = find(object.level, raw, name.escaped);
            let is_read = matches!(object.target, Target::Columns)
                && key.is_some_and(|key| self.is_read(key.node, &self.text[start..end]));
            members.push((key.map_or(0, |key| key.bit), is_read));
            at = gap(self.bytes, end);
            if byte(self.bytes, at)? != b',' {
                break;
            }
            at = gap(self.bytes, at + 1);
        }
        let readable =
            members.iter().fold(0, |bits, (bit, is_read)| bits | if *is_read { *bit } else { 0 });
        let mut later = 0;
        let mut last = vec![false; members.len()];
        for (last, (bit, is_read)) in last.iter_mut().zip(&members).rev() {
            *last = later & bit == 0 && (*is_read || readable & bit == 0);
            if *last {
                later |= bit;
            }
        }
        Ok(last)
    }

    /// Returns whether a value gives a column that a row needs what it needs.
    fn is_read(&self, node: Node, text: &str) -> bool {
        match node {
            Node::Leaf(0, _) => time::parse_value(text).is_some(),
            Node::Leaf(number, _) => number < self.row.needed().len() && text != "null",
            Node::Level(level) if text.starts_with('{') => Members::new(text).any(|(raw, text)| {
                let key = find(self.model.level(level), raw, raw.contains('\\'));
                key.is_some_and(|key| self.is_read(key.node, text))
            }),
            Node::Level(_) | Node::List(..) => false,
        }
    }
}
