//! The ledger against itself, and against the rows of every table: each object's counts, and that
//! every row is some object's.
//!
//! Ids are held up to [`HELD_MAX`] at a time. A larger ledger is gone through several times, each
//! time for the ids of one share; of the other tables only the column of ids is read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{
    Array, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;

use super::finding::{Faults, OfTable};
use super::{HELD_MAX, StoreAudit, TableAudit, each, guarded};
use crate::data_file;
use crate::error::{Error, Result};
use crate::expire::{self, Expired};
use crate::input::ObjectState;
use crate::ledger::{objects_table, rejects_table, round_of_id};
use crate::snapshot::LiveFile;
use crate::spec::OBJECT;

/// What became of the records of an object, as the ledger's columns are called.
const FATES: [&str; 6] = ["stored", "duplicates", "respelled", "variants", "deselected", "rejects"];
/// The table of copies that differ.
const VARIANTS: &str = "variants";

/// An object of the ledger, and what was found of it in the tables.
struct Object {
    /// Which file of the ledger it stands in.
    file: usize,
    /// Rows there should be.
    told: Rows,
    found: Rows,
    /// Time of its earliest record, where known.
    first: Option<i64>,
}

/// Rows that belong to an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rows {
    stored: u32,
    variants: u32,
    rejects: u32,
}

/// Looks at the ledger of a store, and at the ids in all other tables.
pub(super) async fn audit(store: &mut StoreAudit<'_>, tables: &BTreeMap<String, TableAudit>) {
    let Some(ledger) = tables.get(objects_table().name) else { return };
    let Some(token) = ledger.log.state().map(crate::log::TableState::token) else { return };
    let mut expired = match Expiries::of(&store.records, tables).await {
        Ok(expired) => expired,
        Err(error) => {
            let folder = ledger.log.log().folder().clone();
            return store.findings.table(objects_table().name).damage(&folder, error.spelled_out());
        }
    };
    let mut is_all_complete = true;
    let count: u64 = ledger.log.files.iter().map(|(file, _)| file.rows).sum();
    let shares = (count / HELD_MAX as u64) + 1;
    for share in 0..shares {
        let is_of = |id: i64| mixed(id) % shares == share;
        let is_first = share == 0;
        let mut reading = Reading { token, is_first, is_of: &is_of, held: HashMap::new() };
        let mut findings = store.findings.table(objects_table().name);
        let mut is_complete = !ledger.log.is_torn;
        for (number, (file, _)) in ledger.log.files.iter().enumerate() {
            let mut faults = Faults::default();
            let read = rows_of_ledger(store.objects, file, |batch| {
                reading.take(batch, number, file, &mut faults)
            });
            if let Err(error) = guarded(&file.path, read).await {
                is_complete = false;
                faults.add("read", None, error.spelled_out());
            }
            findings.all(&file.path, faults);
        }
        // Of a ledger with a hole every row is a stranger: the hole is told, and that is enough.
        let (mut held, is_whole) = (reading.held, is_complete);
        let records = store.records.clone();
        for (name, table) in tables.iter().filter(|(name, _)| *name != objects_table().name) {
            let fate = match name.as_str() {
                VARIANTS => Some(Fate::Variant),
                name if name == rejects_table().name => Some(Fate::Reject),
                name if records.contains(&name) => Some(Fate::Stored),
                _ => None,
            };
            let mut findings = store.findings.table(name);
            is_complete &= table.log.state().is_some();
            let counted = Counted { fate, is_of: &is_of, is_whole };
            is_complete &= counted.rows(store.objects, table, &mut held, &mut findings).await;
        }
        is_all_complete &= is_complete;
        if is_complete {
            expired.forgive(&mut held);
            let mut findings = store.findings.table(objects_table().name);
            differences(store.objects, held, &ledger.log.files, &mut findings).await;
        }
    }
    if is_all_complete {
        let folder = ledger.log.log().folder().clone();
        let mut findings = store.findings.table(objects_table().name);
        expired.differences().into_iter().for_each(|what| findings.damage(&folder, what));
    }
}

/// What has left the tables, and what objects lack that may have.
struct Expiries {
    stored: Gone,
    variants: Gone,
}

#[derive(Default)]
struct Gone {
    /// As the logs of the tables say.
    expired: Expired,
    /// Rows that objects have no more and that may have expired.
    lacking: u64,
}

impl Expiries {
    async fn of(
        records: &[&'static str],
        tables: &BTreeMap<String, TableAudit>,
    ) -> Result<Expiries> {
        let (mut stored, mut variants) = (Gone::default(), Gone::default());
        for (name, table) in tables {
            let gone = match name.as_str() {
                VARIANTS => &mut variants,
                name if records.contains(&name) => &mut stored,
                _ => continue,
            };
            let Some(state) = table.log.state() else { continue };
            let expired = expire::expired(table.log.log(), state).await?;
            gone.expired.rows += expired.rows;
            gone.expired.before = gone.expired.before.max(expired.before);
        }
        Ok(Expiries { stored, variants })
    }

    /// Takes for found what may have left: rows of objects with records from before the cut-off.
    fn forgive(&mut self, held: &mut HashMap<i64, Object>) {
        for object in held.values_mut() {
            let Object { told, found, first, .. } = object;
            for (gone, told, found) in [
                (&mut self.stored, told.stored, &mut found.stored),
                (&mut self.variants, told.variants, &mut found.variants),
            ] {
                let may =
                    gone.expired.before.is_some_and(|before| first.is_none_or(|at| at < before));
                if may && *found < told {
                    gone.lacking += u64::from(told - *found);
                    *found = told;
                }
            }
        }
    }

    fn differences(&self) -> Vec<String> {
        let of = |what: &str, gone: &Gone| {
            let (lacking, expired) = (gone.lacking, gone.expired.rows);
            (lacking != expired).then(|| {
                format!("{lacking} {what} of its objects are gone, of which {expired} have expired")
            })
        };
        of("rows", &self.stored).into_iter().chain(of("variants", &self.variants)).collect()
    }
}

/// Ids of one round differ only in their last bits.
fn mixed(id: i64) -> u64 {
    (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

async fn rows_of_ledger(
    objects: &Arc<dyn ObjectStore>,
    file: &LiveFile,
    mut take: impl FnMut(&RecordBatch) -> Option<()>,
) -> Result<()> {
    let failed = |error| Error::storage(format!("read `{}`", file.path), error);
    let open = data_file::open(objects, file).await?;
    let mut columns = vec!["object_id", "key_prefix", "logical_key", "records", "state", "copy_of"];
    columns.extend(["detail", "round", "delivered_at", "first_event_at"]);
    columns.extend(FATES);
    let mask = ProjectionMask::columns(open.parquet_schema(), columns);
    let mut batches = open.with_projection(mask).build().map_err(failed)?;
    while let Some(batch) = batches.try_next().await.map_err(failed)? {
        let what = || Error::corrupt(format!("`{}`", file.path), "it is no file of the ledger");
        take(&batch).ok_or_else(what)?;
    }
    Ok(())
}

/// One reading of the ledger.
struct Reading<'a, F> {
    /// The last round it may hold.
    token: i64,
    /// Whether what a row says of itself is judged.
    is_first: bool,
    /// Whether an id is of the share that is held.
    is_of: &'a F,
    held: HashMap<i64, Object>,
}

impl<F: Fn(i64) -> bool> Reading<'_, F> {
    /// Takes a batch of file `number`; none when it is no part of a ledger.
    fn take(
        &mut self,
        batch: &RecordBatch,
        number: usize,
        file: &LiveFile,
        faults: &mut Faults,
    ) -> Option<()> {
        let rows = LedgerRows::of(batch)?;
        for row in 0..batch.num_rows() {
            let place = || Some(format!("object `{}`", rows.key(row)));
            if self.is_first {
                for (kind, what) in rows.contradictions(row, self.token, file) {
                    faults.add(kind, place(), what);
                }
            }
            let id = rows.ids.value(row);
            if !(self.is_of)(id) {
                continue;
            }
            let (told, found) = (rows.told(row), Rows::default());
            let object = Object { file: number, told, found, first: rows.first(row) };
            if self.held.insert(id, object).is_some() {
                faults.add("id", place(), format!("another object has the id {id} too"));
            }
        }
        Some(())
    }
}

/// The columns of a batch of the ledger.
struct LedgerRows {
    ids: Int64Array,
    rounds: Int64Array,
    records: Int64Array,
    fates: [Int64Array; 6],
    prefixes: StringArray,
    keys: StringArray,
    states: StringArray,
    details: StringArray,
    copies: StringArray,
    delivered: TimestampMicrosecondArray,
    firsts: TimestampMicrosecondArray,
}

impl LedgerRows {
    fn of(batch: &RecordBatch) -> Option<LedgerRows> {
        let ints =
            |name| Some(batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?.clone());
        let texts = |name| Some(batch.column_by_name(name)?.as_string_opt::<i32>()?.clone());
        let times = |name| {
            Some(
                batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?.clone(),
            )
        };
        let fates: Vec<Int64Array> = FATES.into_iter().map(ints).collect::<Option<_>>()?;
        Some(LedgerRows {
            ids: ints("object_id")?,
            rounds: ints("round")?,
            records: ints("records")?,
            fates: fates.try_into().ok()?,
            prefixes: texts("key_prefix")?,
            keys: texts("logical_key")?,
            states: texts("state")?,
            details: texts("detail")?,
            copies: texts("copy_of")?,
            delivered: times("delivered_at")?,
            firsts: times("first_event_at")?,
        })
    }

    /// Time of the earliest record of an object, where known.
    fn first(&self, row: usize) -> Option<i64> {
        self.firsts.is_valid(row).then(|| self.firsts.value(row))
    }

    fn key(&self, row: usize) -> String {
        format!("{}{}", self.prefixes.value(row), self.keys.value(row))
    }

    /// What a row says against itself, its ledger and its file.
    fn contradictions(
        &self,
        row: usize,
        token: i64,
        file: &LiveFile,
    ) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let records = self.records.value(row);
        let counts = self.fates.each_ref().map(|fate| fate.value(row));
        if counts.iter().sum::<i64>() != records || counts.iter().any(|count| *count < 0) {
            let parts: Vec<String> =
                FATES.iter().zip(counts).map(|(fate, count)| format!("{count} {fate}")).collect();
            found.push(("counts", format!("{records} records are not {}", parts.join(" + "))));
        }
        let (id, round) = (self.ids.value(row), self.rounds.value(row));
        if !(1..=token).contains(&round) || !(1..=round).contains(&round_of_id(id)) {
            let what = format!("its id {id} and its round {round} are not of this ledger");
            found.push(("round", what));
        }
        let state = ObjectState::parse(self.states.value(row));
        if state.is_none() || (state == Some(ObjectState::Copy)) != self.copies.is_valid(row) {
            let of = if self.copies.is_valid(row) { "a copy" } else { "no copy" };
            found.push(("state", format!("its state is `{}`, it is {of}", self.states.value(row))));
        }
        let is_known = self.delivered.is_valid(row);
        let month = is_known.then(|| data_file::month_of(self.delivered.value(row)));
        if month != file.partition {
            found.push(("month", "it was delivered in another month".to_string()));
        }
        found
    }

    /// The rows there should be of an object.
    fn told(&self, row: usize) -> Rows {
        let [stored, _, _, variants, _, rejects] = self.fates.each_ref().map(|of| of.value(row));
        let count = |count: i64| u32::try_from(count).unwrap_or_default();
        let detail = self.details.is_valid(row).then(|| self.details.value(row));
        let kept = detail.and_then(|detail| kept_of(detail, rejects));
        let (stored, variants) = (count(stored), count(variants));
        Rows { stored, variants, rejects: kept.unwrap_or_else(|| count(rejects)) }
    }
}

/// How many rejects are kept of an object that has too many, as its detail tells.
fn kept_of(detail: &str, rejects: i64) -> Option<u32> {
    let end = format!(" of {rejects} rejects are kept");
    let before = &detail[..detail.find(&end)?];
    before.rsplit(' ').next()?.parse().ok()
}

/// What a row of a table is to its object.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Stored,
    Variant,
    Reject,
}

/// What of a table is counted.
struct Counted<'a, F> {
    fate: Option<Fate>,
    /// Whether an id is of the share that is held.
    is_of: &'a F,
    /// Whether an id that is not held is of no object.
    is_whole: bool,
}

impl<F: Fn(i64) -> bool> Counted<'_, F> {
    /// Counts the rows of a table by object; whether all of them could be read.
    async fn rows(
        &self,
        objects: &Arc<dyn ObjectStore>,
        table: &TableAudit,
        held: &mut HashMap<i64, Object>,
        findings: &mut OfTable<'_>,
    ) -> bool {
        let column = match self.fate {
            Some(Fate::Variant | Fate::Reject) => "object_id",
            Some(Fate::Stored) | None => OBJECT,
        };
        let mut looks = each(&table.log.files, |_, (file, _)| async move {
            (file, guarded(&file.path, ids_of(objects, file, column, self.is_of)).await)
        });
        let mut is_complete = true;
        while let Some((file, ids)) = looks.next().await {
            let ids = match ids {
                Ok(ids) => ids,
                Err(error) => {
                    is_complete = false;
                    findings.damage(&file.path, error.spelled_out());
                    continue;
                }
            };
            let mut faults = Faults::default();
            for (id, rows) in ids {
                match (held.get_mut(&id), self.fate) {
                    (Some(object), Some(Fate::Stored)) => object.found.stored += rows,
                    (Some(object), Some(Fate::Variant)) => object.found.variants += rows,
                    (Some(object), Some(Fate::Reject)) => object.found.rejects += rows,
                    (Some(_), None) => {}
                    (None, _) if self.is_whole => {
                        let what = format!("{rows} rows are of object {id}, not in the ledger");
                        faults.add("object", None, what);
                    }
                    (None, _) => {}
                }
            }
            findings.all(&file.path, faults);
        }
        is_complete
    }
}

/// The objects in a file, and how many rows are of each.
async fn ids_of(
    objects: &Arc<dyn ObjectStore>,
    file: &LiveFile,
    column: &str,
    is_of: &impl Fn(i64) -> bool,
) -> Result<HashMap<i64, u32>> {
    let failed =
        |error| Error::storage(format!("read column `{column}` of `{}`", file.path), error);
    let open = data_file::open(objects, file).await?;
    let mask = ProjectionMask::columns(open.parquet_schema(), [column]);
    let mut batches = open.with_projection(mask).build().map_err(failed)?;
    let mut ids = HashMap::new();
    let mut last: Option<(i64, u32)> = None;
    while let Some(batch) = batches.try_next().await.map_err(failed)? {
        let values = batch.column_by_name(column);
        let values = values.and_then(|values| values.as_primitive_opt::<Int64Type>());
        let none = || Error::corrupt(format!("`{}`", file.path), format!("no column `{column}`"));
        for id in values.ok_or_else(none)?.values().iter().filter(|id| is_of(**id)) {
            // Rows are sorted: those of one object often follow one another.
            last = match last {
                Some((last, rows)) if last == *id => Some((last, rows + 1)),
                before => {
                    before.into_iter().for_each(|(id, rows)| *ids.entry(id).or_insert(0) += rows);
                    Some((*id, 1))
                }
            };
        }
    }
    last.into_iter().for_each(|(id, rows)| *ids.entry(id).or_insert(0) += rows);
    Ok(ids)
}

/// Objects of which other rows are there than the ledger says.
async fn differences(
    objects: &Arc<dyn ObjectStore>,
    mut held: HashMap<i64, Object>,
    files: &[(LiveFile, Option<String>)],
    findings: &mut OfTable<'_>,
) {
    held.retain(|_, object| object.told != object.found);
    let mut in_files: Vec<usize> = held.values().map(|object| object.file).collect();
    in_files.sort_unstable();
    in_files.dedup();
    for (file, _) in in_files.iter().filter_map(|number| files.get(*number)) {
        let mut faults = Faults::default();
        // Keys are long, and are read again only for the few that differ.
        let read = rows_of_ledger(objects, file, |batch| {
            let ids = batch.column_by_name("object_id")?.as_primitive_opt::<Int64Type>()?;
            let text = |name| batch.column_by_name(name)?.as_string_opt::<i32>();
            let (prefixes, keys) = (text("key_prefix")?, text("logical_key")?);
            for (row, id) in ids.values().iter().enumerate() {
                let Some(object) = held.get(id) else { continue };
                let (told, found) = (object.told, object.found);
                for (name, told, found) in [
                    ("stored", told.stored, found.stored),
                    ("variants", told.variants, found.variants),
                    ("rejects", told.rejects, found.rejects),
                ] {
                    if told != found {
                        let place = format!("object `{}{}`", prefixes.value(row), keys.value(row));
                        let what = format!("{told} {name}, of which {found} are in the tables");
                        faults.add(name, Some(place), what);
                    }
                }
            }
            Some(())
        });
        if let Err(error) = guarded(&file.path, read).await {
            faults.add("read", None, error.spelled_out());
        }
        findings.all(&file.path, faults);
    }
}
