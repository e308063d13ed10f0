//! The rows of a round, grouped by identity.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::ops::Range;

use crate::keys::{HashItself, KeyColumns};

/// Rows grouped by identity. Rows are named by their *entry*, a number in the order of groups;
/// inside a group entries are sorted by content, then by origin.
pub(super) struct Groups {
    entries: Vec<Entry>,
    /// First entry of each group, and one past the last.
    starts: Vec<u32>,
    /// First group by the upper half of its hash.
    by_hash: HashMap<u64, u32, BuildHasherDefault<HashItself>>,
}

struct Entry {
    hash: u128,
    batch: u32,
    row: u32,
}

impl Groups {
    /// Groups the rows whose key columns are given, batch by batch. `origin` orders rows of equal
    /// content: where they were read, never when.
    pub fn of<O: Ord>(keys: &[KeyColumns], origin: &impl Fn(usize, usize) -> O) -> Groups {
        let mut buffer = Vec::new();
        let mut entries = Vec::with_capacity(keys.iter().map(KeyColumns::rows).sum());
        for (number, batch) in keys.iter().enumerate() {
            entries.extend((0..batch.rows()).map(|row| Entry {
                hash: batch.hash(row, &mut buffer),
                batch: number as u32,
                row: row as u32,
            }));
        }
        let same_key = |a: &Entry, b: &Entry| {
            let (a_keys, b_keys) = (&keys[a.batch as usize], &keys[b.batch as usize]);
            a.hash == b.hash && a_keys.same(a.row as usize, b_keys, b.row as usize)
        };
        entries.sort_unstable_by(|a, b| {
            a.hash.cmp(&b.hash).then_with(|| in_group(keys, origin, a, b))
        });
        let mut starts: Vec<u32> = Vec::new();
        let mut by_hash = HashMap::default();
        for (place, entry) in entries.iter().enumerate() {
            if place == 0 || !same_key(&entries[place - 1], entry) {
                by_hash.entry(upper_half(entry.hash)).or_insert(starts.len() as u32);
                starts.push(place as u32);
            }
        }
        starts.push(entries.len() as u32);
        Groups { entries, starts, by_hash }
    }

    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn rows(&self) -> usize {
        self.entries.len()
    }

    pub fn entries(&self, group: u32) -> Range<u32> {
        self.starts[group as usize]..self.starts[group as usize + 1]
    }

    /// Batch and row of an entry.
    pub fn position(&self, entry: u32) -> (usize, usize) {
        let entry = &self.entries[entry as usize];
        (entry.batch as usize, entry.row as usize)
    }

    /// The group of the identity that a row elsewhere has.
    pub fn find(
        &self,
        keys: &[KeyColumns],
        other: &KeyColumns,
        row: usize,
        buffer: &mut Vec<u8>,
    ) -> Option<u32> {
        let hash = other.hash(row, buffer);
        let first = *self.by_hash.get(&upper_half(hash))?;
        (first..self.len() as u32)
            .map(|group| (group, &self.entries[self.starts[group as usize] as usize]))
            .take_while(|(_, entry)| upper_half(entry.hash) == upper_half(hash))
            .find(|(_, entry)| {
                let own = &keys[entry.batch as usize];
                entry.hash == hash && own.same(entry.row as usize, other, row)
            })
            .map(|(group, _)| group)
    }
}

/// The order of entries with equal hashes: by key, should two keys share a hash; then by content.
fn in_group<O: Ord>(
    keys: &[KeyColumns],
    origin: &impl Fn(usize, usize) -> O,
    a: &Entry,
    b: &Entry,
) -> Ordering {
    let (a_keys, b_keys) = (&keys[a.batch as usize], &keys[b.batch as usize]);
    let (a_row, b_row) = (a.row as usize, b.row as usize);
    let by_content = || a_keys.fingerprint(a_row).cmp(&b_keys.fingerprint(b_row));
    let by_origin = || origin(a.batch as usize, a_row).cmp(&origin(b.batch as usize, b_row));
    a_keys.order(a_row, b_keys, b_row).then_with(by_content).then_with(by_origin)
}

fn upper_half(hash: u128) -> u64 {
    (hash >> 64) as u64
}
