//! One fold: the rows of some files, copied into new ones in the order that files have.
//!
//! Rows are taken by windows of time, each of which becomes one slice of a new file. A window is in
//! memory at a time, and it is made so small that it fits the budget: first by how many rows there
//! are, counted from the time column alone; then, where those turn out large, by halving it. One
//! instant whose rows do not fit becomes files of its own, for slices of a file are disjoint in time.
//! What retention leaves of a file is copied day by day, each to a file of its own.
//!
//! What is in memory is measured, not reckoned ([`Memory`]), and passes the budget by one batch at most.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::filter_record_batch;
use object_store::ObjectStore;
use object_store::path::Path;

use super::memory::{HeldRows, Memory};
use super::merge;
use super::plan::Group;
use super::read::{Inputs, batches};
use super::times::Times;
use crate::data_file::{DataFile, FileWriter, SLICE_ROWS};
use crate::error::{Error, Result};
use crate::expire::{Expiry, staying};
use crate::snapshot::LiveFile;
use crate::spec::TableSpec;

/// Of the budget so much may be rows; the rest is for encoding them and for what is being read.
const ROWS_SHARE: usize = 2;

/// Which rows of a fold's files are copied.
pub(crate) enum Kept<'a> {
    /// All.
    All,
    /// Those that stay; so many leave.
    Without(&'a Expiry, u64),
}

/// The files of a group, copied into new ones; nothing shows these yet.
///
/// # Errors
/// When a file cannot be read or written; [`Error::Corrupt`] when one holds other rows than the log
/// says.
pub(crate) async fn fold(
    objects: &Arc<dyn ObjectStore>,
    folder: &Path,
    table: &TableSpec,
    group: &Group,
    inputs: &[LiveFile],
    memory_bytes: usize,
    kept: &Kept<'_>,
) -> Result<Vec<DataFile>> {
    let memory = Memory::of(memory_bytes / ROWS_SHARE);
    let written = fold_within(objects, folder, table, group, inputs, &memory, kept).await;
    tracing::debug!(table = table.name, bytes = memory.most(), "rows in memory at most");
    written
}

/// As [`fold`], with so much memory for rows.
pub(super) async fn fold_within(
    objects: &Arc<dyn ObjectStore>,
    folder: &Path,
    table: &TableSpec,
    group: &Group,
    inputs: &[LiveFile],
    memory: &Memory,
    kept: &Kept<'_>,
) -> Result<Vec<DataFile>> {
    let opened = Inputs::open(objects, table, inputs).await?;
    let mut output =
        Output { objects, folder, table, group, kept, file: None, done: Vec::new(), rows: 0 };
    match table.time_column {
        Some(_) => by_time(&opened, group, memory, &mut output).await?,
        None => merge::in_order(table, &opened, memory, &mut output).await?,
    }
    output.end_file().await?;
    let leave = match kept {
        Kept::All => 0,
        Kept::Without(_, rows) => *rows,
    };
    let expected = inputs.iter().map(|file| file.rows).sum::<u64>().saturating_sub(leave);
    if output.rows != expected {
        let reason = format!("its files hold {} rows, its log says {expected}", output.rows);
        return Err(Error::corrupt(format!("table `{}`", table.name), reason));
    }
    Ok(output.done)
}

/// The files being written.
pub(super) struct Output<'a> {
    objects: &'a Arc<dyn ObjectStore>,
    folder: &'a Path,
    table: &'a TableSpec,
    group: &'a Group,
    kept: &'a Kept<'a>,
    file: Option<FileWriter>,
    done: Vec<DataFile>,
    rows: u64,
}

impl Output<'_> {
    /// Adds rows as the next slice; `alone` says that there are no others.
    pub async fn add(&mut self, mut held: HeldRows<'_>, alone: bool) -> Result<()> {
        let rows = self.kept_of(held.take())?;
        let count: u64 = rows.iter().map(|batch| batch.num_rows() as u64).sum();
        if count == 0 {
            return Ok(());
        }
        if self.file.as_ref().is_some_and(|file| file.size() >= self.group.file_bytes) {
            self.end_file().await?;
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let Group { partition, rewrites, .. } = self.group;
                let in_order = alone || self.table.time_column.is_none();
                let (objects, folder, month) = (self.objects, self.folder, partition.as_deref());
                FileWriter::create(objects, folder, self.table, month, *rewrites, in_order)?
            }
        };
        self.file = Some(file.add(rows).await?);
        self.rows += count;
        Ok(())
    }

    fn kept_of(&self, rows: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
        let (Kept::Without(expiry, _), Some(column)) = (self.kept, self.table.time_column) else {
            return Ok(rows);
        };
        let failed = |reason| Error::corrupt(format!("table `{}`", self.table.name), reason);
        let kept = |rows: RecordBatch| {
            let stays = staying(&rows, column, expiry).map_err(failed)?;
            filter_record_batch(&rows, &stays).map_err(|error| failed(error.to_string()))
        };
        rows.into_iter().map(kept).collect()
    }

    /// Ends the file being written, if there is one: the next slice begins another.
    async fn end_file(&mut self) -> Result<()> {
        if let Some(file) = self.file.take() {
            self.done.push(file.finish().await?);
        }
        Ok(())
    }
}

/// Copies rows window after window.
async fn by_time(
    inputs: &Inputs,
    group: &Group,
    memory: &Memory,
    output: &mut Output<'_>,
) -> Result<()> {
    let span = inputs.span().unwrap_or((0, 0));
    let all = i64::MIN..i64::MAX;
    let ranges = match output.kept {
        Kept::All => vec![all],
        Kept::Without(expiry, _) => group.left_by_day(expiry.before.timestamp_micros(), span.1),
    };
    let mut aim = SLICE_ROWS;
    for range in ranges {
        let (first, last) = (span.0.max(range.start), span.1.min(range.end - 1));
        let mut times = Times::of(&range, first, last);
        inputs.count(range, &mut times).await?;
        let cut = group.cut.filter(|cut| (first..last).contains(cut)).map(|cut| times.part(cut));
        let cut = cut.filter(|part| *part > 0);
        for parts in [0..cut.unwrap_or(0), cut.unwrap_or(0)..times.parts()] {
            windows(inputs, &times, parts, memory, &mut aim, output).await?;
            output.end_file().await?;
        }
    }
    Ok(())
}

/// Copies the rows of some parts of `times`. `aim` is how many rows a window should have; it shrinks
/// where rows are large.
async fn windows(
    inputs: &Inputs,
    times: &Times,
    parts: Range<usize>,
    memory: &Memory,
    aim: &mut usize,
    output: &mut Output<'_>,
) -> Result<()> {
    let mut from = parts.start;
    while from < parts.end {
        let window = times.window(from, parts.end, *aim);
        let range = times.range(&window);
        let alone = times.are_all() && window.len() == times.parts();
        if let Some(rows) = inputs.rows(&range, memory).await? {
            let row_bytes = rows.bytes() / rows.rows().max(1);
            *aim = (memory.limit() / row_bytes.max(1)).clamp(1, SLICE_ROWS);
            output.add(rows, alone).await?;
            from = window.end;
        } else if let Some(part) = times.only(&window).filter(|_| times.divides()) {
            let (first, last) = times.nominal(part);
            let mut within = Times::of(&range, first, last);
            inputs.count(range, &mut within).await?;
            let all = 0..within.parts();
            Box::pin(windows(inputs, &within, all, memory, aim, output)).await?;
            from = window.end;
        } else if times.only(&window).is_none() {
            *aim = (*aim / 2).max(1);
        } else {
            instant(inputs, &range, memory, output).await?;
            from = window.end;
        }
    }
    Ok(())
}

/// Copies the rows of one instant, which do not fit into memory: to files of their own, each of one
/// slice.
async fn instant(
    inputs: &Inputs,
    range: &Range<i64>,
    memory: &Memory,
    output: &mut Output<'_>,
) -> Result<()> {
    output.end_file().await?;
    let mut rows = HeldRows::none(memory);
    for input in inputs.files() {
        let mut batches = batches(input, range, memory);
        while let Some(batch) = batches.next().await? {
            rows.push(batch);
            if memory.is_over() {
                output.add(std::mem::replace(&mut rows, HeldRows::none(memory)), true).await?;
                output.end_file().await?;
            }
        }
    }
    output.add(rows, true).await?;
    output.end_file().await
}
