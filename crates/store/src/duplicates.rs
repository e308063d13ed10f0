//! Exactly one row per identity, whatever arrives and in whatever order.
//!
//! Cheapest first. (1) Inside the round, rows are grouped by a hash of their key, confirmed on
//! equality; the winner of a group is chosen by content, never by arrival. (2) The round's keys are
//! the hash side of a streaming join with the key columns of live files that overlap them in time.
//! (3) A copy whose fingerprint equals that of its winner is a duplicate. Only for the others are
//! the original bytes rebuilt and compared: with the winner, with stored variants of that identity,
//! with variants of this round.
//!
//! An equal fingerprint is not confirmed by bytes: both rows already share id, account and time, so
//! two different records would have to collide in 64 bits within one identity. By chance that does
//! not happen; by intent it takes a second preimage of the caller's hash.

mod groups;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;

use crate::error::{Error, Result};
use crate::input::{Comparison, Content, Counts};
use crate::keys::{KeyColumns, Search};
use crate::ledger::{ObjectIds, VariantRow, VariantRows};
use crate::snapshot::LiveFile;
use crate::spec::{INDEX, Identity, OBJECT, TableSpec};

use groups::{Groups, Stored};

/// Files whose keys are read at the same time; one batch of each is in memory.
const FILES_AT_ONCE: usize = 4;

/// The surroundings of a round's rows in one table.
pub(crate) struct Place<'a> {
    /// A record table.
    pub table: &'a TableSpec,
    /// How its records are compared.
    pub content: &'a dyn Content,
    /// Where the files are.
    pub objects: &'a Arc<dyn ObjectStore>,
    /// Files of the table that may hold copies: live ones, and those of earlier parts of the round.
    pub stored: &'a [LiveFile],
    /// Files of `variants`, likewise.
    pub variants: &'a [LiveFile],
    /// Keys of the round's objects, by ordinal.
    pub object_keys: &'a [String],
    /// The ids of those objects, which the rows already carry.
    pub ids: ObjectIds,
}

/// What became of a round's rows.
#[derive(Debug)]
pub(crate) struct Resolution {
    /// The rows to store.
    pub rows: Vec<RecordBatch>,
    /// The copies to keep in `variants`.
    pub variants: VariantRows,
    /// Counts of the objects, by ordinal.
    pub counts: Vec<Counts>,
}

/// What becomes of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stored,
    Duplicate,
    Respelled,
    Variant,
}

/// A copy that differs from its winner in its fingerprint, and how, once that is known.
struct Unlike {
    group: u32,
    entry: u32,
    paths: Vec<String>,
}

/// Decides which rows become the one row of their identity, which are variants and which are
/// neither.
///
/// # Errors
/// [`Error::Input`] for rows that are not the table's, [`Error::Storage`] when a live file cannot
/// be read, [`Error::Corrupt`] when a stored record cannot be rebuilt.
pub(crate) async fn resolve(place: &Place<'_>, rows: Vec<RecordBatch>) -> Result<Resolution> {
    let identity = place.table.identity.ok_or_else(|| input(place, "it has no identity"))?;
    let round = Arc::new(Round::of(place, &identity, &rows)?);
    let stored = find_stored(place, &identity, &round).await?;
    let mut fates = Fates::of(&round.groups);
    let unlike = settle_by_fingerprint(&round, &stored, &mut fates);
    let unlike = compare_with_winners(place, &rows, &round, &stored, unlike, &mut fates).await?;
    let unlike = compare_with_variants(place, &identity, &rows, &round, unlike, &mut fates).await?;
    let variants = accept_variants(place, &rows, &round, unlike, &mut fates)?;
    finish(place, &rows, &round, &fates, variants)
}

/// The round's side of the join.
struct Round {
    keys: Vec<KeyColumns>,
    groups: Groups,
    /// Ordinal of each row's object, position in it.
    objects: Vec<Vec<u32>>,
    indexes: Vec<Int64Array>,
}

impl Round {
    fn of(place: &Place<'_>, identity: &Identity, rows: &[RecordBatch]) -> Result<Round> {
        let keys = rows.iter().map(|batch| KeyColumns::of(identity, batch));
        let keys: Option<Vec<KeyColumns>> = keys.collect();
        let keys = keys.ok_or_else(|| input(place, "its key columns are missing or mistyped"))?;
        let (mut objects, mut indexes): (Vec<Vec<u32>>, Vec<Int64Array>) = Default::default();
        for batch in rows {
            let ids = int_column(place, batch, OBJECT)?;
            objects.push(ids.values().iter().map(|id| ordinal(place, *id)).collect::<Result<_>>()?);
            indexes.push(int_column(place, batch, INDEX)?);
        }
        let rank = ranks(place.object_keys);
        let origin = |batch: usize, row: usize| {
            (rank[objects[batch][row] as usize], indexes[batch].value(row))
        };
        let groups = Groups::of(&keys, &origin);
        Ok(Round { keys, groups, objects, indexes })
    }

    fn fingerprint(&self, entry: u32) -> i64 {
        let (batch, row) = self.groups.position(entry);
        self.keys[batch].fingerprint(row)
    }

    /// A search for stored rows of the identities of `groups`, where a copy has another
    /// fingerprint. Such a row has an id: without one the fingerprint is the identity.
    fn search(&self, identity: &Identity, groups: impl Iterator<Item = u32> + Clone) -> Search {
        let first = |group| {
            let (batch, row) = self.groups.position(self.groups.entries(group).start);
            (&self.keys[batch], row)
        };
        let times = groups.clone().filter_map(|group| {
            let (keys, row) = first(group);
            keys.time(row)
        });
        let search = Search::at(*identity, times.collect());
        search.with_ids(groups.map(|group| {
            let (keys, row) = first(group);
            keys.id(row)
        }))
    }
}

/// Finds the stored row of each group, reading key columns only.
async fn find_stored(
    place: &Place<'_>,
    identity: &Identity,
    round: &Arc<Round>,
) -> Result<Vec<Option<Stored>>> {
    let mut found = vec![None; round.groups.len()];
    let times: HashSet<i64> = round
        .keys
        .iter()
        .flat_map(|keys| (0..keys.rows()).filter_map(|row| keys.time(row)))
        .collect();
    let search = Search::at(*identity, times);
    let files = place.stored.iter().enumerate().filter(|(_, file)| search.may_hold(file));
    let files: Vec<(usize, LiveFile)> = files.map(|(n, file)| (n, file.clone())).collect();
    let mut scans = futures::stream::iter(files)
        .map(|(number, file)| {
            let (objects, search) = (place.objects.clone(), search.clone());
            let (round, identity) = (round.clone(), *identity);
            let scan = async move { keys_of(&objects, &search, &identity, &file, &round).await };
            let task = tokio::spawn(scan);
            async move {
                let joined = task.await.map_err(|e| Error::storage("compare keys", e))?;
                joined.map(|matches| (number as u32, matches))
            }
        })
        .buffered(FILES_AT_ONCE);
    while let Some((file, matches)) = scans.try_next().await? {
        for (group, fingerprint) in matches {
            found[group as usize].get_or_insert(Stored { file, fingerprint });
        }
    }
    Ok(found)
}

/// The groups whose identity a file holds, with the fingerprint stored there.
async fn keys_of(
    objects: &Arc<dyn ObjectStore>,
    search: &Search,
    identity: &Identity,
    file: &LiveFile,
    round: &Round,
) -> Result<Vec<(u32, i64)>> {
    let mut matches = Vec::new();
    let mut buffer = Vec::new();
    let columns = Some([identity.fingerprint]);
    search
        .scan(objects, file, columns.as_ref().map(|c| c.as_slice()), |batch| {
            let keys = stored_keys(identity, file, batch)?;
            for row in 0..keys.rows() {
                if let Some(group) = round.groups.find(&round.keys, &keys, row, &mut buffer) {
                    matches.push((group, keys.fingerprint(row)));
                }
            }
            Ok(())
        })
        .await?;
    Ok(matches)
}

/// Settles winners and the copies that share a winner's fingerprint; returns the other copies.
fn settle_by_fingerprint(
    round: &Round,
    stored: &[Option<Stored>],
    fates: &mut Fates,
) -> Vec<Unlike> {
    let mut unlike = Vec::new();
    for (group, stored) in (0u32..).zip(stored) {
        let mut entries = round.groups.entries(group);
        let winner = match stored {
            Some(stored) => stored.fingerprint,
            // The entries of a group are sorted: the first is the winner.
            None => match entries.next() {
                Some(first) => round.fingerprint(first),
                None => continue,
            },
        };
        for entry in entries {
            if round.fingerprint(entry) == winner {
                fates.settle(entry, Fate::Duplicate);
            } else {
                unlike.push(Unlike { group, entry, paths: Vec::new() });
            }
        }
        if stored.is_some() {
            continue;
        }
        fates.settle(round.groups.entries(group).start, Fate::Stored);
    }
    unlike
}

/// Compares copies with the winner of their group; returns those of another value, with the paths
/// that differ.
async fn compare_with_winners(
    place: &Place<'_>,
    rows: &[RecordBatch],
    round: &Round,
    stored: &[Option<Stored>],
    unlike: Vec<Unlike>,
    fates: &mut Fates,
) -> Result<Vec<Unlike>> {
    let mut open = Vec::new();
    let mut by_file: Vec<Vec<Unlike>> = Vec::new();
    by_file.resize_with(place.stored.len(), Vec::new);
    for copies in by_group(unlike) {
        let group = copies[0].group;
        if let Some(stored) = stored[group as usize] {
            by_file[stored.file as usize].extend(copies);
            continue;
        }
        let (batch, row) = round.groups.position(round.groups.entries(group).start);
        let winner = bytes_of(place, &rows[batch], row)?;
        for copy in copies {
            open.extend(settle_by_bytes(place, rows, round, &winner, copy, fates)?);
        }
    }
    for (file, copies) in place.stored.iter().zip(by_file) {
        if !copies.is_empty() {
            open.extend(compare_with_file(place, rows, round, file, copies, fates).await?);
        }
    }
    open.sort_by_key(|copy| copy.entry);
    Ok(open)
}

/// Compares copies with their winners in one live file, which is read once.
async fn compare_with_file(
    place: &Place<'_>,
    rows: &[RecordBatch],
    round: &Round,
    file: &LiveFile,
    copies: Vec<Unlike>,
    fates: &mut Fates,
) -> Result<Vec<Unlike>> {
    let identity = place.table.identity.ok_or_else(|| input(place, "it has no identity"))?;
    let search = round.search(&identity, copies.iter().map(|copy| copy.group));
    let mut waiting = Waiting::of(copies);
    let mut open = Vec::new();
    let mut buffer = Vec::new();
    search
        .scan(place.objects, file, None, |batch| {
            let keys = stored_keys(&identity, file, batch)?;
            for row in 0..keys.rows() {
                let group = round.groups.find(&round.keys, &keys, row, &mut buffer);
                let Some(copies) = group.and_then(|group| waiting.take(group)) else { continue };
                let winner = bytes_of(place, batch, row)?;
                for copy in copies {
                    open.extend(settle_by_bytes(place, rows, round, &winner, copy, fates)?);
                }
            }
            Ok(())
        })
        .await?;
    match waiting.left() {
        0 => Ok(open),
        left => Err(Error::corrupt(
            format!("`{}`", file.path),
            format!("{left} rows it showed a moment ago are gone"),
        )),
    }
}

/// Compares copies with the stored variants of their identity; returns those equal to none.
async fn compare_with_variants(
    place: &Place<'_>,
    identity: &Identity,
    rows: &[RecordBatch],
    round: &Round,
    unlike: Vec<Unlike>,
    fates: &mut Fates,
) -> Result<Vec<Unlike>> {
    if unlike.is_empty() || place.variants.is_empty() {
        return Ok(unlike);
    }
    let search = round.search(identity, unlike.iter().map(|copy| copy.group));
    let mut open = Waiting::of(unlike);
    let mut buffer = Vec::new();
    for file in place.variants.iter().filter(|file| search.may_hold(file)) {
        search
            .scan(place.objects, file, None, |batch| {
                let keys = stored_keys(identity, file, batch)?;
                let variants = VariantRows::columns(batch)
                    .ok_or_else(|| Error::corrupt(format!("`{}`", file.path), "columns"))?;
                for row in 0..keys.rows() {
                    if variants.tables.value(row) != place.table.name {
                        continue;
                    }
                    let group = round.groups.find(&round.keys, &keys, row, &mut buffer);
                    let Some(group) = group else { continue };
                    let variant = variants.records.value(row);
                    for copy in open.take(group).unwrap_or_default() {
                        let paths = copy.paths.clone();
                        let other = settle_by_bytes(place, rows, round, variant, copy, fates)?;
                        // The paths told are those that differ from the winner.
                        open.put(other.map(|copy| Unlike { paths, ..copy }));
                    }
                }
                Ok(())
            })
            .await?;
    }
    Ok(open.into_sorted())
}

/// Makes variants of the copies left, comparing those of one identity with one another.
fn accept_variants(
    place: &Place<'_>,
    rows: &[RecordBatch],
    round: &Round,
    unlike: Vec<Unlike>,
    fates: &mut Fates,
) -> Result<VariantRows> {
    let mut accepted = VariantRows::of(place.table.name);
    for copies in by_group(unlike) {
        let mut variants: Vec<Vec<u8>> = Vec::new();
        'copies: for copy in copies {
            let (batch, row) = round.groups.position(copy.entry);
            let bytes = bytes_of(place, &rows[batch], row)?;
            for variant in &variants {
                if let Some(fate) = fate_of(place.content.compare(variant, &bytes)) {
                    fates.settle(copy.entry, fate);
                    continue 'copies;
                }
            }
            fates.settle(copy.entry, Fate::Variant);
            let keys = &round.keys[batch];
            accepted.push(VariantRow {
                key: keys.values(row),
                object_id: place.ids.id(round.objects[batch][row]),
                index: round.indexes[batch].value(row),
                record: &bytes,
                paths: copy.paths,
            });
            variants.push(bytes);
        }
    }
    Ok(accepted)
}

/// Compares a copy with the bytes of a winner or variant. Returns it with the paths that differ
/// when the values do.
fn settle_by_bytes(
    place: &Place<'_>,
    rows: &[RecordBatch],
    round: &Round,
    other: &[u8],
    copy: Unlike,
    fates: &mut Fates,
) -> Result<Option<Unlike>> {
    let (batch, row) = round.groups.position(copy.entry);
    let bytes = bytes_of(place, &rows[batch], row)?;
    let comparison = place.content.compare(other, &bytes);
    if let Comparison::Differs { paths } = comparison {
        return Ok(Some(Unlike { paths, ..copy }));
    }
    if let Some(fate) = fate_of(comparison) {
        fates.settle(copy.entry, fate);
    }
    Ok(None)
}

fn fate_of(comparison: Comparison) -> Option<Fate> {
    match comparison {
        Comparison::Same => Some(Fate::Duplicate),
        Comparison::Respelled => Some(Fate::Respelled),
        Comparison::Differs { .. } => None,
    }
}

/// The fate of every row, by entry.
struct Fates(Vec<Fate>);

impl Fates {
    fn of(groups: &Groups) -> Fates {
        Fates(vec![Fate::Stored; groups.rows()])
    }

    fn settle(&mut self, entry: u32, fate: Fate) {
        self.0[entry as usize] = fate;
    }
}

/// Gathers what was decided: rows kept, variants, counts per object.
fn finish(
    place: &Place<'_>,
    rows: &[RecordBatch],
    round: &Round,
    fates: &Fates,
    variants: VariantRows,
) -> Result<Resolution> {
    let mut counts = vec![Counts::default(); place.object_keys.len()];
    let mut keep: Vec<Vec<bool>> = rows.iter().map(|batch| vec![false; batch.num_rows()]).collect();
    for (entry, fate) in (0u32..).zip(&fates.0) {
        let (batch, row) = round.groups.position(entry);
        let count = &mut counts[round.objects[batch][row] as usize];
        *match fate {
            Fate::Stored => &mut count.stored,
            Fate::Duplicate => &mut count.duplicates,
            Fate::Respelled => &mut count.respelled,
            Fate::Variant => &mut count.variants,
        } += 1;
        keep[batch][row] = *fate == Fate::Stored;
    }
    let mut kept = Vec::new();
    for (batch, keep) in rows.iter().zip(keep) {
        let batch = match keep.iter().all(|kept| *kept) {
            true => batch.clone(),
            false => filter_record_batch(batch, &BooleanArray::from(keep))
                .map_err(|e| input(place, &format!("rows cannot be filtered: {e}")))?,
        };
        if batch.num_rows() > 0 {
            kept.push(batch);
        }
    }
    Ok(Resolution { rows: kept, variants, counts })
}

/// Copies that wait for a row to be compared with, by group.
struct Waiting(std::collections::HashMap<u32, Vec<Unlike>>);

impl Waiting {
    fn of(copies: Vec<Unlike>) -> Waiting {
        Waiting(by_group(copies).map(|copies| (copies[0].group, copies)).collect())
    }

    fn take(&mut self, group: u32) -> Option<Vec<Unlike>> {
        self.0.remove(&group)
    }

    fn put(&mut self, copy: Option<Unlike>) {
        if let Some(copy) = copy {
            self.0.entry(copy.group).or_default().push(copy);
        }
    }

    fn left(&self) -> usize {
        self.0.len()
    }

    fn into_sorted(self) -> Vec<Unlike> {
        let mut copies: Vec<Unlike> = self.0.into_values().flatten().collect();
        copies.sort_by_key(|copy| copy.entry);
        copies
    }
}

/// Runs of copies of one group; the copies are sorted by entry, and so by group.
fn by_group(copies: Vec<Unlike>) -> impl Iterator<Item = Vec<Unlike>> {
    let mut copies = copies.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut run = vec![copies.next()?];
        while let Some(next) = copies.next_if(|next| next.group == run[0].group) {
            run.push(next);
        }
        Some(run)
    })
}

/// The place of each key in their order.
fn ranks(keys: &[String]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..keys.len() as u32).collect();
    order.sort_by_key(|ordinal| &keys[*ordinal as usize]);
    let mut ranks = vec![0; keys.len()];
    for (rank, ordinal) in (0u32..).zip(order) {
        ranks[ordinal as usize] = rank;
    }
    ranks
}

fn bytes_of(place: &Place<'_>, batch: &RecordBatch, row: usize) -> Result<Vec<u8>> {
    let damaged =
        |reason| Error::corrupt(format!("a record of table `{}`", place.table.name), reason);
    place.content.record_bytes(batch, row).map_err(damaged)
}

fn stored_keys(identity: &Identity, file: &LiveFile, batch: &RecordBatch) -> Result<KeyColumns> {
    KeyColumns::of(identity, batch)
        .ok_or_else(|| Error::corrupt(format!("`{}`", file.path), "its key columns"))
}

/// The ordinal of the object with this id.
fn ordinal(place: &Place<'_>, id: i64) -> Result<u32> {
    let ordinal = place.ids.ordinal(id).filter(|o| (*o as usize) < place.object_keys.len());
    ordinal.ok_or_else(|| input(place, "a row names an object that is not in the round"))
}

/// A column of integers, as 64 bits.
fn int_column(place: &Place<'_>, batch: &RecordBatch, name: &str) -> Result<Int64Array> {
    use arrow::datatypes::{Int32Type, Int64Type};
    let column = batch.column_by_name(name).filter(|column| column.null_count() == 0);
    let column = column.ok_or_else(|| input(place, &format!("`{name}` is missing")))?;
    if let Some(values) = column.as_primitive_opt::<Int64Type>() {
        return Ok(values.clone());
    }
    let values = column.as_primitive_opt::<Int32Type>();
    let values = values.ok_or_else(|| input(place, &format!("`{name}` is not an integer")))?;
    Ok(values.iter().flatten().map(i64::from).collect())
}

fn input(place: &Place<'_>, reason: &str) -> Error {
    Error::Input { reason: format!("table `{}`: {reason}", place.table.name) }
}
