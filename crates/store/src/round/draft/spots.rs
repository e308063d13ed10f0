//! The rows of each spot: which of a part's are kept, and their files.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int32Type, Int64Type};
use xxhash_rust::xxh3::xxh3_64;

use super::{Draft, Fate, Spot, VARIANTS, Written, refused};
use crate::data_file;
use crate::duplicates::{self, Place};
use crate::error::{Error, Result};
use crate::input::{PartRows, RoundPart};
use crate::ledger::ObjectIds;
use crate::round::cutoffs::since;
use crate::snapshot::{LiveFile, StoreSnapshot};
use crate::spec::{self, TableSpec};

impl Draft<'_> {
    pub(super) async fn write_part(
        &mut self,
        part: usize,
        ids: ObjectIds,
        pin: &StoreSnapshot,
    ) -> Result<()> {
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
