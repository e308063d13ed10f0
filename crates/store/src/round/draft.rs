//! A round before its commit: which objects it still holds, which rows it keeps, which files it has
//! written. A rebase changes as little of it as it can.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int32Type, Int64Type};
use chrono::{DateTime, Utc};
use object_store::ObjectStore;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::cutoffs::since;
use super::manifest::TableAdds;
use super::winners::Winners;
use super::{ledger_of, table_of};
use crate::data_file::{self, DataFile};
use crate::duplicates::{self, Place};
use crate::error::{Error, Result};
use crate::input::{
    Content, Counts, KnownObject, ObjectRow, ObjectState, PartRows, RejectRow, RoundInput,
    RoundPart, RoundReceipt,
};
use crate::ledger::{self, InflatedIndex, ObjectIds};
use crate::log::Addition;
use crate::snapshot::{LiveFile, ScalarStat, StoreSnapshot};
use crate::spec::{self, TableSpec};

/// Tables of the store's own.
const VARIANTS: &str = "variants";
const REJECTS: &str = "rejects";
const OBJECTS: &str = "objects";

/// Objects that fit in a round: the width of an ordinal in an object's id.
const OBJECTS_MAX: usize = 1 << 23;

/// Rows that belong together: a part of the round, a table, a month.
type Spot = (usize, &'static str, Option<String>);

/// A round before its commit.
pub(super) struct Draft<'a> {
    objects: &'a Arc<dyn ObjectStore>,
    tables: &'a [TableSpec],
    content: &'a dyn Content,
    now: DateTime<Utc>,
    parts: Vec<RoundPart>,
    sources: Vec<Source>,
    keys: Vec<String>,
    rejects: Vec<RejectRow>,
    /// By table, the time before which rows are left out.
    cutoffs: BTreeMap<&'static str, i64>,
    ids: Option<ObjectIds>,
    written: BTreeMap<Spot, Written>,
    bytes_written: u64,
}

/// A source object and what is left of it in the round.
struct Source {
    row: ObjectRow,
    /// Records that whoever read it left out.
    deselected: u64,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    /// Its rows and its ledger row.
    Here,
    /// Its ledger row: somebody else brought the same bytes under another key.
    Copy,
    /// Nothing: somebody else brought this very object.
    Known,
}

/// What was written for one spot.
struct Written {
    /// Which rows were kept.
    digest: u64,
    files: Vec<DataFile>,
    variants: Vec<DataFile>,
    counts: Vec<Counts>,
    /// Ordinals of the objects of rows that were left out, one for each.
    left_out: Vec<u32>,
    /// Whether somebody else's files may change what is kept.
    stale: bool,
}

impl<'a> Draft<'a> {
    /// A round as it was planned.
    pub(super) fn new(
        objects: &'a Arc<dyn ObjectStore>,
        tables: &'a [TableSpec],
        content: &'a dyn Content,
        round: RoundInput,
        now: DateTime<Utc>,
    ) -> Result<Draft<'a>> {
        let RoundInput { parts, objects: rows, rejects, planned_at: _ } = round;
        if rows.len() > OBJECTS_MAX {
            return Err(refused(format!("{} objects are more than {OBJECTS_MAX}", rows.len())));
        }
        if let Some(reject) = rejects.iter().find(|reject| reject.object as usize >= rows.len()) {
            return Err(refused(format!("a reject names object {}, which is none", reject.object)));
        }
        let keys = rows.iter().map(|row| row.object_key.clone()).collect();
        let source = |row: ObjectRow| Source { deselected: row.deselected, row, fate: Fate::Here };
        let sources = rows.into_iter().map(source).collect();
        let (ids, written, cutoffs) = (None, BTreeMap::new(), BTreeMap::new());
        let bytes_written = 0;
        Ok(Draft {
            objects,
            tables,
            content,
            now,
            parts,
            sources,
            keys,
            rejects,
            cutoffs,
            ids,
            written,
            bytes_written,
        })
    }

    /// Whether nothing is left to commit.
    pub(super) fn is_empty(&self) -> bool {
        self.sources.iter().all(|source| source.fate == Fate::Known)
    }

    /// What happened, once the round is committed.
    pub(super) fn receipt(self, token: i64, version: u64, rebased: u32) -> RoundReceipt {
        let (mut objects, mut known) = (Vec::new(), Vec::new());
        for (ordinal, source) in (0u32..).zip(self.sources) {
            match source.fate {
                Fate::Known => known.push(ordinal),
                Fate::Here | Fate::Copy => objects.push(source.row),
            }
        }
        let bytes_written = self.bytes_written;
        RoundReceipt { token, version, objects, known, rebased, bytes_written }
    }

    /// Gives way to what others committed: drops objects they brought, and notes which rows must be
    /// looked at again.
    pub(super) async fn give_way(&mut self, winners: &Winners<'_>) -> Result<()> {
        if !winners.any() {
            return Ok(());
        }
        let ledger = winners.ledger().await?;
        let fewer = self.drop_objects(&ledger).await?;
        let reused = self.ids.is_some_and(|ids| ids.clash(&ledger));
        if reused {
            self.ids = None;
        }
        if fewer || reused {
            self.written.values_mut().for_each(|written| written.stale = true);
            return Ok(());
        }
        let mut stale = HashSet::new();
        for ((_, table, month), written) in &self.written {
            if !stale.contains(table) && self.touched(table, month, written, winners).await? {
                stale.insert(*table);
            }
        }
        for ((_, table, _), written) in &mut self.written {
            written.stale |= stale.contains(table);
        }
        Ok(())
    }

    /// Drops what the winners' ledger holds: by key the object, by hash its rows. Whether rows went.
    async fn drop_objects(&mut self, ledger: &[LiveFile]) -> Result<bool> {
        let here = || self.sources.iter().filter(|source| source.fate != Fate::Known);
        let keys: Vec<&str> = here().map(|source| source.row.object_key.as_str()).collect();
        let known = ledger::known(self.objects, ledger, &keys).await?;
        let standing = here().filter(|source| source.fate == Fate::Here && source.has_rows());
        let hashes: Vec<[u8; 32]> =
            standing.filter_map(|source| source.row.inflated_sha256).collect();
        let copies = InflatedIndex::default().find(self.objects, ledger, &hashes).await?;
        let mut fewer = false;
        for source in self.sources.iter_mut().filter(|source| source.fate != Fate::Known) {
            let had_rows = source.fate == Fate::Here;
            if let Some(known) = known.get(&source.row.object_key) {
                if is_same_object(&source.row, known) {
                    source.fate = Fate::Known;
                    fewer |= had_rows;
                    continue;
                }
                if source.row.state == ObjectState::Read {
                    source.row.state = ObjectState::Changed;
                }
            }
            let original = source.row.inflated_sha256.and_then(|hash| copies.get(&hash));
            if let Some(original) = original.filter(|_| had_rows && source.has_rows()) {
                source.become_copy(original);
                fewer = true;
            }
        }
        Ok(fewer)
    }

    /// Whether files of winners may change what is kept of a spot.
    async fn touched(
        &self,
        table: &str,
        month: &Option<String>,
        written: &Written,
        winners: &Winners<'_>,
    ) -> Result<bool> {
        let Some(spec) = self.spec(table).filter(|spec| spec.identity.is_some()) else {
            return Ok(false);
        };
        let theirs = winners.files(table).await?;
        let near = |ours: &DataFile| theirs.iter().any(|file| overlap(spec, &ours.file, file));
        if written.files.iter().any(near) {
            return Ok(true);
        }
        // A copy that differs from a stored row may equal a variant they brought.
        let theirs = match self.spec(VARIANTS) {
            Some(_) => winners.files(VARIANTS).await?,
            None => return Ok(false),
        };
        Ok(!written.variants.is_empty() && theirs.iter().any(|file| file.partition == *month))
    }

    /// Leaves out rows from before the time given for their table: such have left it. They count as
    /// deselected.
    pub(super) fn leave_out_before(&mut self, cutoffs: BTreeMap<&'static str, i64>) {
        for ((_, table, _), written) in &mut self.written {
            written.stale |= cutoffs.get(table) != self.cutoffs.get(table);
        }
        self.cutoffs = cutoffs;
    }

    /// Forgets what was written: vacuum may have taken it.
    pub(super) fn write_anew(&mut self) {
        self.written.clear();
    }

    /// Writes what is not written yet, on the pinned state; returns what each table gets, in the
    /// order of commits.
    pub(super) async fn write(&mut self, pin: &StoreSnapshot) -> Result<Vec<TableAdds>> {
        let ids = match self.ids {
            Some(ids) => ids,
            None => {
                let ledger = ledger_of(pin)?.files().await?;
                let random = || Uuid::new_v4().as_u64_pair().0 as u16;
                ObjectIds::claim(pin.token + 1, &ledger, random)?
            }
        };
        if self.ids != Some(ids) {
            self.written.clear();
            self.ids = Some(ids);
        }
        for part in 0..self.parts.len() {
            self.write_part(part, ids, pin).await?;
        }
        let mut files: HashMap<&str, Vec<DataFile>> = HashMap::new();
        self.add_counts();
        for ((_, table, _), written) in &self.written {
            files.entry(*table).or_default().extend(written.files.iter().cloned());
            files.entry(VARIANTS).or_default().extend(written.variants.iter().cloned());
        }
        files.insert(REJECTS, self.write_rejects(ids, pin).await?);
        files.insert(OBJECTS, self.write_ledger(ids, pin).await?);
        let mut adds = Vec::new();
        for (position, table) in self.tables.iter().enumerate() {
            let files = files.remove(table.name).unwrap_or_default();
            if position > 0 && files.is_empty() {
                continue; // only the main table is committed to for its token alone
            }
            let log = table_of(pin, table.name)?.log();
            let additions = files.iter().map(|file| log.addition(file));
            let additions = additions.collect::<Result<Vec<Addition>>>()?;
            adds.push(TableAdds { table: table.name.to_string(), adds: additions });
        }
        Ok(adds)
    }

    async fn write_part(&mut self, part: usize, ids: ObjectIds, pin: &StoreSnapshot) -> Result<()> {
        let mut of_part = self.written.range((part, "", None)..(part + 1, "", None)).peekable();
        let settled = of_part.peek().is_some() && of_part.all(|(_, written)| !written.stale);
        if settled {
            return Ok(());
        }
        let rows = match &self.parts[part] {
            RoundPart::Held(rows) => rows.clone(),
            RoundPart::Spilled(part) => {
                part.load().map_err(|error| Error::storage("read back a part of a round", error))?
            }
        };
        let PartRows { records, plain } = rows;
        for (table, batches) in records.into_iter().chain(plain) {
            let spec = self.spec(&table);
            let spec = spec.ok_or_else(|| refused(format!("there is no table `{table}`")))?.clone();
            let batches = self.stamp(&spec, batches, ids)?;
            for (month, rows) in data_file::by_month(&spec, batches)? {
                self.write_spot((part, spec.name, month), &spec, rows, ids, pin).await?;
            }
        }
        // Spots that no row is left for, since their objects fell away.
        self.written.retain(|(of, ..), written| *of != part || !written.stale);
        Ok(())
    }

    async fn write_spot(
        &mut self,
        spot: Spot,
        spec: &TableSpec,
        rows: Vec<RecordBatch>,
        ids: ObjectIds,
        pin: &StoreSnapshot,
    ) -> Result<()> {
        let before = self.written.remove(&spot);
        let (rows, left_out) = match self.cutoffs.get(spec.name) {
            Some(cutoff) => since(*cutoff, spec, rows, ids)?,
            None => (rows, Vec::new()),
        };
        let (rows, variants, counts) = match spec.identity {
            None => (rows, Vec::new(), Vec::new()),
            Some(identity) => {
                let stored = self.neighbours(pin, spec.name, &spot).await?;
                let near = self.neighbours(pin, VARIANTS, &spot).await?;
                let place = Place {
                    table: spec,
                    content: self.content,
                    objects: self.objects,
                    stored: &stored,
                    variants: &near,
                    object_keys: &self.keys,
                    ids,
                };
                let found = duplicates::resolve(&place, rows).await?;
                let variants = match found.variants.len() {
                    0 => Vec::new(),
                    _ => vec![found.variants.into_rows(&identity, self.now)?],
                };
                (found.rows, variants, found.counts)
            }
        };
        let digest = digest(&rows);
        let files = match before.filter(|before| before.digest == digest) {
            Some(before) => before.files,
            None if rows.is_empty() => Vec::new(),
            None => vec![self.write_file(pin, spec, spot.2.as_deref(), rows).await?],
        };
        let variants = self.write_months(pin, VARIANTS, variants).await?;
        let written = Written { digest, files, variants, counts, left_out, stale: false };
        self.written.insert(spot, written);
        Ok(())
    }

    /// The files of a table in a spot's month: live ones, and those of the round's earlier parts.
    async fn neighbours(
        &self,
        pin: &StoreSnapshot,
        table: &'static str,
        spot: &Spot,
    ) -> Result<Vec<LiveFile>> {
        let Some(pinned) = pin.table(table) else { return Ok(Vec::new()) };
        let partitioned = pinned.partition_column().is_some();
        let here = |file: &&LiveFile| !partitioned || file.partition == spot.2;
        let live = pinned.files().await?;
        let earlier = self.written.iter().filter(|((part, ..), _)| *part < spot.0);
        let earlier = earlier.flat_map(|((_, of, _), written)| match *of == table {
            true => written.files.iter(),
            false if table == VARIANTS => written.variants.iter(),
            false => [].iter(),
        });
        let files = live.iter().chain(earlier.map(|file| &file.file));
        Ok(files.filter(here).cloned().collect())
    }

    /// Rows with the ids of their objects in place of ordinals, without those of dropped objects.
    fn stamp(
        &self,
        spec: &TableSpec,
        batches: Vec<RecordBatch>,
        ids: ObjectIds,
    ) -> Result<Vec<RecordBatch>> {
        if spec.schema.index_of(spec::OBJECT).is_err() {
            return Ok(batches);
        }
        let stamped = batches.into_iter().map(|batch| self.stamp_batch(spec, batch, ids));
        stamped.collect()
    }

    fn stamp_batch(
        &self,
        spec: &TableSpec,
        batch: RecordBatch,
        ids: ObjectIds,
    ) -> Result<RecordBatch> {
        let failed = |error| refused(format!("rows of table `{}`: {error}", spec.name));
        let schema = batch.schema();
        let at = schema.index_of(spec::OBJECT).map_err(failed)?;
        let ordinals =
            batch.column(at).as_primitive_opt::<Int64Type>().filter(|o| o.null_count() == 0);
        let ordinals = ordinals.ok_or_else(|| {
            refused(format!("`{}` of table `{}` must be int64", spec::OBJECT, spec.name))
        })?;
        let source = |ordinal: i64| usize::try_from(ordinal).ok().and_then(|o| self.sources.get(o));
        let mut here = Vec::with_capacity(ordinals.len());
        for ordinal in ordinals.values() {
            let source = source(*ordinal)
                .ok_or_else(|| refused(format!("a row names object {ordinal}, which is none")))?;
            here.push(source.fate == Fate::Here);
        }
        let stamped: Int64Array = ordinals.unary(|ordinal| ids.id(ordinal as u32));
        let mut columns = batch.columns().to_vec();
        columns[at] = Arc::new(stamped);
        let batch = RecordBatch::try_new(schema, columns).map_err(failed)?;
        match here.iter().all(|here| *here) {
            true => Ok(batch),
            false => filter_record_batch(&batch, &BooleanArray::from(here)).map_err(failed),
        }
    }

    /// Counts of every object, summed over its spots.
    fn add_counts(&mut self) {
        for source in &mut self.sources {
            source.row.counts = Counts::default();
            source.row.deselected = source.deselected;
        }
        for written in self.written.values() {
            for ordinal in &written.left_out {
                self.sources[*ordinal as usize].row.deselected += 1;
            }
            for (source, counts) in self.sources.iter_mut().zip(&written.counts) {
                let sum = &mut source.row.counts;
                sum.stored += counts.stored;
                sum.duplicates += counts.duplicates;
                sum.respelled += counts.respelled;
                sum.variants += counts.variants;
            }
        }
    }

    async fn write_rejects(
        &mut self,
        ids: ObjectIds,
        pin: &StoreSnapshot,
    ) -> Result<Vec<DataFile>> {
        let here = |reject: &&RejectRow| self.sources[reject.object as usize].fate == Fate::Here;
        let rejects: Vec<RejectRow> = self.rejects.iter().filter(here).cloned().collect();
        if rejects.is_empty() {
            return Ok(Vec::new());
        }
        let rows = ledger::reject_rows(&rejects, ids, self.now)?;
        self.write_months(pin, REJECTS, vec![rows]).await
    }

    async fn write_ledger(&mut self, ids: ObjectIds, pin: &StoreSnapshot) -> Result<Vec<DataFile>> {
        let Some(spec) = self.spec(OBJECTS).cloned() else { return Ok(Vec::new()) };
        let rows = (0u32..).zip(&self.sources).filter(|(_, source)| source.fate != Fate::Known);
        let rows: Vec<(u32, &ObjectRow)> =
            rows.map(|(ordinal, source)| (ordinal, &source.row)).collect();
        let mut files = Vec::new();
        for (month, rows) in ledger::object_rows(&rows, ids, pin.token + 1, self.now)? {
            files.push(self.write_file(pin, &spec, month.as_deref(), vec![rows]).await?);
        }
        Ok(files)
    }

    async fn write_months(
        &mut self,
        pin: &StoreSnapshot,
        table: &str,
        rows: Vec<RecordBatch>,
    ) -> Result<Vec<DataFile>> {
        let Some(spec) = self.spec(table).cloned() else { return Ok(Vec::new()) };
        let mut files = Vec::new();
        for (month, rows) in data_file::by_month(&spec, rows)? {
            files.push(self.write_file(pin, &spec, month.as_deref(), rows).await?);
        }
        Ok(files)
    }

    async fn write_file(
        &mut self,
        pin: &StoreSnapshot,
        spec: &TableSpec,
        month: Option<&str>,
        rows: Vec<RecordBatch>,
    ) -> Result<DataFile> {
        let folder = table_of(pin, spec.name)?.prefix();
        let file = data_file::write(self.objects, folder, spec, month, rows).await?;
        self.bytes_written += file.file.size;
        Ok(file)
    }

    fn spec(&self, table: &str) -> Option<&'a TableSpec> {
        self.tables.iter().find(|spec| spec.name == table)
    }
}

impl Source {
    /// Whether it may have brought rows: what a copy of it would bring again.
    fn has_rows(&self) -> bool {
        matches!(self.row.state, ObjectState::Read | ObjectState::Changed)
    }

    fn become_copy(&mut self, original: &str) {
        self.fate = Fate::Copy;
        self.deselected = 0;
        let row = &mut self.row;
        (row.records, row.rejects, row.deselected) = (0, 0, 0);
        (row.first_event_at, row.last_event_at) = (None, None);
        (row.state, row.copy_of) = (ObjectState::Copy, Some(original.to_string()));
    }
}

/// Whether the ledger knows this very object, and not an earlier or later one of its key.
fn is_same_object(row: &ObjectRow, known: &KnownObject) -> bool {
    let same_bytes = row.sha256.zip(known.sha256).is_none_or(|(ours, theirs)| ours == theirs);
    // Whole seconds and microseconds both occur in listings; the ledger keeps microseconds.
    let micros = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp_micros());
    same_bytes
        && row.size_bytes == known.size_bytes
        && row.etag == known.etag
        && micros(row.modified_at) == micros(known.modified_at)
}

/// Whether two files of a table may hold rows of one identity.
fn overlap(spec: &TableSpec, a: &LiveFile, b: &LiveFile) -> bool {
    let bounds = |file: &LiveFile| {
        let stats = file.stats(spec.time_column?)?;
        match (stats.min.as_ref()?, stats.max.as_ref()?) {
            (ScalarStat::Time(min), ScalarStat::Time(max)) => Some((*min, *max)),
            _ => None,
        }
    };
    let apart = match bounds(a).zip(bounds(b)) {
        Some((a, b)) => a.1 < b.0 || b.1 < a.0,
        None => false,
    };
    a.partition == b.partition && !apart
}

/// A number for a set of rows, whatever their order: where each was read.
fn digest(rows: &[RecordBatch]) -> u64 {
    let mut sum = 0u64;
    for batch in rows {
        let objects = batch.column_by_name(spec::OBJECT);
        let objects = objects.and_then(|column| column.as_primitive_opt::<Int64Type>());
        let indexes = batch.column_by_name(spec::INDEX);
        let indexes = indexes.and_then(|column| column.as_primitive_opt::<Int32Type>());
        for row in 0..batch.num_rows() {
            let object = objects.map_or(0, |objects| objects.value(row));
            let index = indexes.map_or(row as i32, |indexes| indexes.value(row));
            let place = [object.to_le_bytes(), i64::from(index).to_le_bytes()].concat();
            sum = sum.wrapping_add(xxh3_64(&place) | 1);
        }
    }
    sum
}

fn refused(reason: String) -> Error {
    Error::Input { reason }
}
