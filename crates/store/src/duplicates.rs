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
//! not happen; by intent it takes a second preimage of the caller's hash, which must be one that
//! makes those hard to find.

mod compare;
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
use crate::input::{Content, Counts};
use crate::keys::{KeyColumns, Search};
use crate::ledger::{ObjectIds, VariantRows};
use crate::snapshot::LiveFile;
use crate::spec::{INDEX, Identity, OBJECT, TableSpec};

use compare::{Fate, Judge, Stored};
use groups::Groups;

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

/// Decides which rows become the one row of their identity, which are variants and which are
/// neither.
///
/// # Errors
/// [`Error::Input`] for rows that are not the table's, [`Error::Storage`] when a live file cannot
/// be read, [`Error::Corrupt`] when a stored record cannot be rebuilt.
pub(crate) async fn resolve(place: &Place<'_>, rows: Vec<RecordBatch>) -> Result<Resolution> {
    let round = Arc::new(Round::of(place, &rows)?);
    let stored = find_stored(place, &round).await?;
    let (fates, variants) = Judge::of(place, &rows, &round).decide(&stored).await?;
    finish(place, &rows, &round, &fates, variants)
}

/// The round's side of the join.
struct Round {
    identity: Identity,
    keys: Vec<KeyColumns>,
    groups: Groups,
    /// Ordinal of each row's object, position in it.
    objects: Vec<Vec<u32>>,
    indexes: Vec<Int64Array>,
}

impl Round {
    fn of(place: &Place<'_>, rows: &[RecordBatch]) -> Result<Round> {
        let identity = place.table.identity.ok_or_else(|| input(place, "it has no identity"))?;
        let keys = rows.iter().map(|batch| KeyColumns::of(&identity, batch));
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
        Ok(Round { identity, keys, groups, objects, indexes })
    }

    fn fingerprint(&self, entry: u32) -> i64 {
        let (batch, row) = self.groups.position(entry);
        self.keys[batch].fingerprint(row)
    }

    /// A search for stored rows of the identities of `groups`, where a copy has another
    /// fingerprint. Such a row has an id: without one the fingerprint is the identity.
    fn search(&self, groups: impl Iterator<Item = u32> + Clone) -> Search {
        let first = |group| {
            let (batch, row) = self.groups.position(self.groups.entries(group).start);
            (&self.keys[batch], row)
        };
        let times = groups.clone().filter_map(|group| {
            let (keys, row) = first(group);
            keys.time(row)
        });
        let search = Search::at(self.identity, times.collect());
        search.with_ids(groups.map(|group| {
            let (keys, row) = first(group);
            keys.id(row)
        }))
    }
}

/// Finds the stored row of each group, reading key columns only.
async fn find_stored(place: &Place<'_>, round: &Arc<Round>) -> Result<Vec<Option<Stored>>> {
    let mut found = vec![None; round.groups.len()];
    let times: HashSet<i64> = round
        .keys
        .iter()
        .flat_map(|keys| (0..keys.rows()).filter_map(|row| keys.time(row)))
        .collect();
    let search = Search::at(round.identity, times);
    let files = place.stored.iter().enumerate().filter(|(_, file)| search.may_hold(file));
    let files: Vec<(usize, LiveFile)> = files.map(|(n, file)| (n, file.clone())).collect();
    let mut scans = futures::stream::iter(files)
        .map(|(number, file)| {
            let (objects, search, round) = (place.objects.clone(), search.clone(), round.clone());
            let scan = async move { keys_of(&objects, &search, &file, &round).await };
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
    file: &LiveFile,
    round: &Round,
) -> Result<Vec<(u32, i64)>> {
    let mut matches = Vec::new();
    let mut buffer = Vec::new();
    search
        .scan(objects, file, Some(&[round.identity.fingerprint]), |batch| {
            let keys = stored_keys(&round.identity, file, batch)?;
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

/// Gathers what was decided: rows kept, variants, counts per object.
fn finish(
    place: &Place<'_>,
    rows: &[RecordBatch],
    round: &Round,
    fates: &[Fate],
    variants: VariantRows,
) -> Result<Resolution> {
    let mut counts = vec![Counts::default(); place.object_keys.len()];
    let mut keep: Vec<Vec<bool>> = rows.iter().map(|batch| vec![false; batch.num_rows()]).collect();
    for (entry, fate) in (0u32..).zip(fates) {
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
