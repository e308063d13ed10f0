//! Every row of every file: bytes against their checksum, rows against their order, statistics and
//! proof.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, AsArray, DynComparator, RecordBatch, make_comparator};
use arrow::compute::SortOptions;
use arrow::datatypes::TimestampMicrosecondType;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;

use super::finding::{Faults, OfTable};
use super::footers::Group;
use super::{Proof, TableAudit, each, guarded};
use crate::data_file;
use crate::error::{Error, Result};
use crate::log;
use crate::snapshot::{ColumnStats, LiveFile};
use crate::spec::TableSpec;

/// Reads all files of a table.
pub(super) async fn audit(
    objects: &Arc<dyn ObjectStore>,
    table: &TableAudit,
    proof: &Arc<dyn Proof>,
    findings: &mut OfTable<'_>,
) {
    let mut looks = each(&table.log.files, |number, (file, checksum)| async move {
        let mut faults = Faults::default();
        if let Some(checksum) = checksum {
            match data_file::checksum_of(objects, &file.path).await {
                Ok(found) if found == *checksum => {}
                Ok(_) => faults.add("bytes", None, "its bytes are not those that were written"),
                Err(error) => faults.add("read", None, error.spelled_out()),
            }
        }
        if let Some(spec) = &table.spec {
            let groups = table.groups.iter().filter(|group| group.file == number);
            let mut rows = Rows::new(spec, proof.clone());
            for group in groups {
                rows.read(objects, file, group, &mut faults).await;
            }
            rows.end(table, file, &mut faults);
        }
        (file, faults)
    });
    while let Some((file, faults)) = looks.next().await {
        findings.all(&file.path, faults);
    }
}

/// The rows of one file, as they are read.
struct Rows<'a> {
    spec: &'a TableSpec,
    proof: Arc<dyn Proof>,
    /// Statistics of what was read so far.
    stats: Option<Vec<ColumnStats>>,
    count: u64,
    is_whole: bool,
    /// The last row of the run, of which a row group of a file without slices is a part.
    last: Option<RecordBatch>,
}

impl<'a> Rows<'a> {
    fn new(spec: &'a TableSpec, proof: Arc<dyn Proof>) -> Rows<'a> {
        Rows { spec, proof, stats: None, count: 0, is_whole: true, last: None }
    }

    async fn read(
        &mut self,
        objects: &Arc<dyn ObjectStore>,
        file: &LiveFile,
        group: &Group,
        faults: &mut Faults,
    ) {
        if self.spec.time_column.is_some() {
            self.last = None;
        }
        let place = || Some(format!("row group {}", group.number));
        let mut first = 0;
        let read = async {
            let failed = |error| Error::storage(format!("read `{}`", file.path), error);
            let open = data_file::open(objects, file).await?;
            let mut batches = open.with_row_groups(vec![group.number]).build().map_err(failed)?;
            while let Some(batch) = batches.try_next().await.map_err(failed)? {
                let rows = batch.num_rows();
                self.batch(batch, group, first, faults).await?;
                first += rows;
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = guarded(&file.path, read).await {
            self.is_whole = false;
            faults.add("read", place(), error.spelled_out());
        }
    }

    async fn batch(
        &mut self,
        batch: RecordBatch,
        group: &Group,
        first: usize,
        faults: &mut Faults,
    ) -> Result<()> {
        let number = group.number;
        let place = |row: usize| Some(format!("row group {number}, row {}", first + row));
        if let Some(row) = out_of_order(self.spec, self.last.as_ref(), &batch) {
            faults.add("order", place(row), "it stands before a row that comes after it");
        }
        if let Some(row) = out_of_time(self.spec, group, &batch) {
            faults.add("time", place(row), "its time is not in the row group's range");
        }
        let stats = data_file::statistics_of(self.spec, std::slice::from_ref(&batch))?;
        let count = batch.num_rows() as u64;
        self.stats = Some(match self.stats.take() {
            Some(known) => data_file::merge_statistics((self.count, known), (count, stats)),
            None => stats,
        });
        self.count += count;
        self.last = (batch.num_rows() > 0).then(|| batch.slice(batch.num_rows() - 1, 1));
        let (proof, table) = (self.proof.clone(), self.spec.name);
        let judged = tokio::task::spawn_blocking(move || proof.faults(table, &batch)).await;
        for (row, what) in judged.map_err(|error| Error::storage("prove rows", error))? {
            faults.add("proof", place(row), what);
        }
        Ok(())
    }

    /// Holds what all rows come to against the log.
    fn end(self, table: &TableAudit, file: &LiveFile, faults: &mut Faults) {
        let (Some(stats), Some(schema), true) = (self.stats, table.log.schema(), self.is_whole)
        else {
            return;
        };
        if self.count != file.rows {
            let what = format!("{} rows can be read, the log says {}", self.count, file.rows);
            faults.add("read rows", None, what);
        }
        let text = data_file::statistics_json(self.count, &stats);
        let Ok((_, stats)) = log::parse_statistics(schema, &text) else { return };
        for told in file.stats.iter() {
            let found = stats.iter().find(|stats| stats.column == told.column);
            if found.is_some_and(|found| found != told) {
                let what = format!("statistics of `{}` in the log are not its rows'", told.column);
                faults.add("statistics of rows", None, what);
            }
        }
    }
}

/// The first row that should stand before the one before it.
fn out_of_order(
    spec: &TableSpec,
    last: Option<&RecordBatch>,
    batch: &RecordBatch,
) -> Option<usize> {
    if spec.sort.is_empty() || batch.num_rows() == 0 {
        return None;
    }
    let options = SortOptions { descending: false, nulls_first: false };
    let comparators = |before: &RecordBatch| -> Option<Vec<DynComparator>> {
        let of = |name: &&str| {
            let (before, after) = (before.column_by_name(name)?, batch.column_by_name(name)?);
            make_comparator(before, after, options).ok()
        };
        spec.sort.iter().map(of).collect()
    };
    let is_after = |comparators: &[DynComparator], before: usize, row: usize| {
        let orders = comparators.iter().map(|compare| compare(before, row));
        orders.into_iter().find(|order| order.is_ne()) == Some(Ordering::Greater)
    };
    if let Some(last) = last
        && is_after(&comparators(last)?, 0, 0)
    {
        return Some(0);
    }
    let within = comparators(batch)?;
    (1..batch.num_rows()).find(|row| is_after(&within, row - 1, *row))
}

/// The first row whose time is outside of what its row group's footer says.
fn out_of_time(spec: &TableSpec, group: &Group, batch: &RecordBatch) -> Option<usize> {
    let (first, last) = group.times?;
    let times = batch.column_by_name(spec.time_column?)?;
    let times = times.as_primitive_opt::<TimestampMicrosecondType>()?;
    let is_out = |row: &usize| times.is_valid(*row) && !(first..=last).contains(&times.value(*row));
    (0..times.len()).find(is_out)
}
