//! Copies against winners and variants: by fingerprint first, by their bytes where it differs.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use xxhash_rust::xxh3::xxh3_128;

use super::{Place, Round, stored_keys};
use crate::error::{Error, Result};
use crate::input::Comparison;
use crate::keys::Search;
use crate::ledger::{VariantRow, VariantRows};
use crate::snapshot::LiveFile;

/// Variants of one identity that a copy's value is compared with; bytes are compared with all. Real
/// records have one variant or two. Whoever forges thousands must not make a round quadratic: a
/// respelling of a variant beyond these is kept as a variant of its own.
const VALUES_COMPARED_MAX: usize = 64;

/// What becomes of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Stored,
    Duplicate,
    Respelled,
    Variant,
}

/// The stored row of an identity.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    /// Number of the file that holds it.
    pub file: u32,
    /// Hash of its record.
    pub fingerprint: i64,
}

/// A copy that differs from its winner in its fingerprint, and in what, once that is known.
struct Unlike {
    group: u32,
    entry: u32,
    paths: Vec<String>,
}

/// Decides the fate of every row of a round.
pub(super) struct Judge<'a> {
    place: &'a Place<'a>,
    rows: &'a [RecordBatch],
    round: &'a Round,
    /// By entry.
    fates: Vec<Fate>,
}

impl<'a> Judge<'a> {
    pub fn of(place: &'a Place<'a>, rows: &'a [RecordBatch], round: &'a Round) -> Judge<'a> {
        Judge { place, rows, round, fates: vec![Fate::Stored; round.groups.rows()] }
    }

    /// The fate of every row by entry, and the variants among them, given the stored row of each
    /// group.
    pub async fn decide(mut self, stored: &[Option<Stored>]) -> Result<(Vec<Fate>, VariantRows)> {
        let unlike = self.settle_by_fingerprint(stored);
        let unlike = self.compare_with_winners(stored, unlike).await?;
        let unlike = self.compare_with_variants(unlike).await?;
        let variants = self.accept_variants(unlike)?;
        Ok((self.fates, variants))
    }

    /// Settles winners and the copies that share a winner's fingerprint; returns the others.
    fn settle_by_fingerprint(&mut self, stored: &[Option<Stored>]) -> Vec<Unlike> {
        let mut unlike = Vec::new();
        for (group, stored) in (0u32..).zip(stored) {
            let mut entries = self.round.groups.entries(group);
            let winner = match stored {
                Some(stored) => stored.fingerprint,
                // The entries of a group are sorted: the first is the winner, and stays `Stored`.
                None => match entries.next() {
                    Some(first) => self.round.fingerprint(first),
                    None => continue,
                },
            };
            for entry in entries {
                if self.round.fingerprint(entry) == winner {
                    self.settle(entry, Fate::Duplicate);
                } else {
                    unlike.push(Unlike { group, entry, paths: Vec::new() });
                }
            }
        }
        unlike
    }

    /// Compares copies with the winner of their group; returns those of another value, with the
    /// paths that differ.
    async fn compare_with_winners(
        &mut self,
        stored: &[Option<Stored>],
        unlike: Vec<Unlike>,
    ) -> Result<Vec<Unlike>> {
        let place = self.place;
        let mut open = Vec::new();
        let mut by_file: Vec<Vec<Unlike>> = Vec::new();
        by_file.resize_with(place.stored.len(), Vec::new);
        for (group, copies) in by_group(unlike) {
            if let Some(stored) = stored[group as usize] {
                by_file[stored.file as usize].extend(copies);
                continue;
            }
            let winner = self.bytes(self.round.groups.entries(group).start)?;
            for copy in copies {
                open.extend(self.settle_by_value(&winner, copy)?);
            }
        }
        for (file, copies) in place.stored.iter().zip(by_file) {
            if !copies.is_empty() {
                open.extend(self.compare_with_file(file, copies).await?);
            }
        }
        open.sort_by_key(|copy| copy.entry);
        Ok(open)
    }

    /// Compares copies with their winners in one live file, which is read once.
    async fn compare_with_file(
        &mut self,
        file: &LiveFile,
        copies: Vec<Unlike>,
    ) -> Result<Vec<Unlike>> {
        let (place, round) = (self.place, self.round);
        let search = round.search(copies.iter().map(|copy| copy.group));
        let mut waiting: HashMap<u32, Vec<Unlike>> = by_group(copies).collect();
        let (mut open, mut buffer) = (Vec::new(), Vec::new());
        search
            .scan(place.objects, file, None, |batch| {
                let keys = stored_keys(&round.identity, file, batch)?;
                for row in 0..keys.rows() {
                    let group = round.groups.find(&round.keys, &keys, row, &mut buffer);
                    let Some(copies) = group.and_then(|group| waiting.remove(&group)) else {
                        continue;
                    };
                    let winner = record_bytes(place, batch, row)?;
                    for copy in copies {
                        open.extend(self.settle_by_value(&winner, copy)?);
                    }
                }
                Ok(())
            })
            .await?;
        match waiting.len() {
            0 => Ok(open),
            left => Err(Error::corrupt(
                format!("`{}`", file.path),
                format!("{left} rows it showed a moment ago are gone"),
            )),
        }
    }

    /// Compares copies with the stored variants of their identity; returns those equal to none.
    async fn compare_with_variants(&mut self, unlike: Vec<Unlike>) -> Result<Vec<Unlike>> {
        let place = self.place;
        if unlike.is_empty() || place.variants.is_empty() {
            return Ok(unlike);
        }
        let search = self.round.search(unlike.iter().map(|copy| copy.group));
        let mut open = HashMap::new();
        for (group, copies) in by_group(unlike) {
            let with_hash = |copy: Unlike| Ok((xxh3_128(&self.bytes(copy.entry)?), copy));
            let copies = copies.into_iter().map(with_hash).collect::<Result<_>>()?;
            open.insert(group, OpenCopies { copies, compared: 0 });
        }
        for file in place.variants.iter().filter(|file| search.may_hold(file)) {
            self.compare_with_variants_in(file, &search, &mut open).await?;
        }
        let left = open.into_values().flat_map(|open| open.copies);
        let mut left: Vec<Unlike> = left.map(|(_, copy)| copy).collect();
        left.sort_by_key(|copy| copy.entry);
        Ok(left)
    }

    async fn compare_with_variants_in(
        &mut self,
        file: &LiveFile,
        search: &Search,
        open: &mut HashMap<u32, OpenCopies>,
    ) -> Result<()> {
        let (place, round) = (self.place, self.round);
        let mut buffer = Vec::new();
        search
            .scan(place.objects, file, None, |batch| {
                let keys = stored_keys(&round.identity, file, batch)?;
                let damaged = || Error::corrupt(format!("`{}`", file.path), "columns are missing");
                let variants = VariantRows::columns(batch).ok_or_else(damaged)?;
                for row in 0..keys.rows() {
                    if variants.tables.value(row) != place.table.name {
                        continue;
                    }
                    let group = round.groups.find(&round.keys, &keys, row, &mut buffer);
                    if let Some(open) = group.and_then(|group| open.get_mut(&group)) {
                        self.compare_with_variant(variants.records.value(row), open)?;
                    }
                }
                Ok(())
            })
            .await
    }

    /// Compares what is open of a group with one stored variant.
    fn compare_with_variant(&mut self, variant: &[u8], open: &mut OpenCopies) -> Result<()> {
        let hash = xxh3_128(variant);
        open.compared += 1;
        for (copy_hash, copy) in std::mem::take(&mut open.copies) {
            let left = if copy_hash == hash || open.compared <= VALUES_COMPARED_MAX {
                let paths = copy.paths.clone();
                // The paths told are those that differ from the winner.
                self.settle_by_value(variant, copy)?.map(|copy| Unlike { paths, ..copy })
            } else {
                Some(copy)
            };
            open.copies.extend(left.map(|copy| (copy_hash, copy)));
        }
        Ok(())
    }

    /// Makes variants of the copies left, comparing those of one identity with one another.
    fn accept_variants(&mut self, unlike: Vec<Unlike>) -> Result<VariantRows> {
        let (place, round) = (self.place, self.round);
        let mut accepted = VariantRows::of(place.table.name);
        for (_, copies) in by_group(unlike) {
            let mut variants: Vec<Vec<u8>> = Vec::new();
            let mut by_hash: HashMap<u128, Vec<u32>> = HashMap::new();
            'copies: for copy in copies {
                let bytes = self.bytes(copy.entry)?;
                let alike = by_hash.entry(xxh3_128(&bytes)).or_default();
                for entry in alike.iter() {
                    if self.bytes(*entry)? == bytes {
                        self.settle(copy.entry, Fate::Duplicate);
                        continue 'copies;
                    }
                }
                for variant in &variants {
                    if let Some(fate) = fate_of(&place.content.compare(variant, &bytes)) {
                        self.settle(copy.entry, fate);
                        continue 'copies;
                    }
                }
                self.settle(copy.entry, Fate::Variant);
                let (batch, row) = round.groups.position(copy.entry);
                accepted.push(VariantRow {
                    key: round.keys[batch].values(row),
                    object_id: place.ids.id(round.objects[batch][row]),
                    index: round.indexes[batch].value(row),
                    record: &bytes,
                    paths: copy.paths,
                });
                alike.push(copy.entry);
                if variants.len() < VALUES_COMPARED_MAX {
                    variants.push(bytes);
                }
            }
        }
        Ok(accepted)
    }

    /// Compares a copy with the bytes of a winner or variant. Returns it with the paths that differ
    /// when the values do.
    fn settle_by_value(&mut self, other: &[u8], copy: Unlike) -> Result<Option<Unlike>> {
        let bytes = self.bytes(copy.entry)?;
        let comparison = self.place.content.compare(other, &bytes);
        if let Some(fate) = fate_of(&comparison) {
            self.settle(copy.entry, fate);
            return Ok(None);
        }
        Ok(match comparison {
            Comparison::Differs { paths } => Some(Unlike { paths, ..copy }),
            Comparison::Same | Comparison::Respelled => None,
        })
    }

    fn settle(&mut self, entry: u32, fate: Fate) {
        self.fates[entry as usize] = fate;
    }

    /// The original bytes of a row of the round.
    fn bytes(&self, entry: u32) -> Result<Vec<u8>> {
        let (batch, row) = self.round.groups.position(entry);
        record_bytes(self.place, &self.rows[batch], row)
    }
}

/// Copies of one identity that equal neither the winner nor any variant so far.
struct OpenCopies {
    /// With the hash of their bytes.
    copies: Vec<(u128, Unlike)>,
    /// Variants they were compared with.
    compared: usize,
}

fn fate_of(comparison: &Comparison) -> Option<Fate> {
    match comparison {
        Comparison::Same => Some(Fate::Duplicate),
        Comparison::Respelled => Some(Fate::Respelled),
        Comparison::Differs { .. } => None,
    }
}

fn record_bytes(place: &Place<'_>, batch: &RecordBatch, row: usize) -> Result<Vec<u8>> {
    let of = || format!("a record of table `{}`", place.table.name);
    place.content.record_bytes(batch, row).map_err(|reason| Error::corrupt(of(), reason))
}

/// Runs of copies of one group; the copies are sorted by entry, and so by group.
fn by_group(copies: Vec<Unlike>) -> impl Iterator<Item = (u32, Vec<Unlike>)> {
    let mut copies = copies.into_iter().peekable();
    std::iter::from_fn(move || {
        let first = copies.next()?;
        let group = first.group;
        let mut run = vec![first];
        while let Some(next) = copies.next_if(|next| next.group == group) {
            run.push(next);
        }
        Some((group, run))
    })
}
