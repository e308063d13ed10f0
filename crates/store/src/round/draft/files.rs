//! The files of a table, month by month, and what the ledger and the rejects get.

use arrow::array::RecordBatch;

use super::{Draft, Fate, OBJECTS, REJECTS};
use crate::data_file::{self, DataFile};
use crate::error::Result;
use crate::input::{Counts, ObjectRow, RejectRow};
use crate::ledger::{self, ObjectIds};
use crate::round::table_of;
use crate::snapshot::StoreSnapshot;
use crate::spec::TableSpec;

impl Draft<'_> {
    /// Counts of every object, summed over its spots.
    pub(super) fn add_counts(&mut self) {
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

    pub(super) async fn write_rejects(
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

    pub(super) async fn write_ledger(
        &mut self,
        ids: ObjectIds,
        pin: &StoreSnapshot,
    ) -> Result<Vec<DataFile>> {
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

    pub(super) async fn write_months(
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

    pub(super) async fn write_file(
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
}
