//! The files of a fold together: their rows by time.

use std::ops::Range;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;

use super::input::{Batches, Input};
use super::memory::{HeldRows, Memory};
use super::times::Times;
use crate::error::Result;
use crate::snapshot::LiveFile;
use crate::spec::TableSpec;

/// Files read at the same time.
const FILES_AT_ONCE: usize = 4;
/// Bytes of a batch, about.
const BATCH_BYTES: usize = 1 << 20;
/// Of the memory a batch has so much, at most.
const BATCH_SHARE: usize = 8;

/// The files of a fold, opened.
pub(super) struct Inputs {
    time_column: Option<&'static str>,
    files: Vec<Input>,
}

impl Inputs {
    /// Opens files of `table`.
    ///
    /// # Errors
    /// [`crate::Error::Storage`] when one cannot be read.
    pub async fn open(
        objects: &Arc<dyn ObjectStore>,
        table: &TableSpec,
        files: &[LiveFile],
    ) -> Result<Inputs> {
        let opened = files.iter().map(|file| Input::open(objects, table, file));
        let opened = opened.collect::<Vec<_>>();
        let files = stream::iter(opened).buffered(FILES_AT_ONCE).try_collect().await?;
        Ok(Inputs { time_column: table.time_column, files })
    }

    /// The files.
    pub fn files(&self) -> &[Input] {
        &self.files
    }

    /// First and last time in them, as far as it is known.
    pub fn span(&self) -> Option<(i64, i64)> {
        let known = self.files.iter().flat_map(Input::spans);
        known.reduce(|all, of| (all.0.min(of.0), all.1.max(of.1)))
    }

    /// Counts the rows from `range` by time.
    ///
    /// # Errors
    /// [`crate::Error::Storage`] when a file cannot be read.
    pub async fn count(&self, range: Range<i64>, times: &mut Times) -> Result<()> {
        let Some(column) = self.time_column else { return Ok(()) };
        for input in &self.files {
            input.count(column, &range, times).await?;
        }
        Ok(())
    }

    /// The rows of `range`, file after file; none when they do not fit into memory.
    ///
    /// # Errors
    /// [`crate::Error::Storage`] when a file cannot be read, [`crate::Error::Corrupt`] when it is not
    /// the table's.
    pub async fn rows<'m>(
        &self,
        range: &Range<i64>,
        memory: &'m Memory,
    ) -> Result<Option<HeldRows<'m>>> {
        let reads = self.files.iter().map(|input| rows_of(batches(input, range, memory), memory));
        let reads = reads.collect::<Vec<_>>();
        let mut reads = stream::iter(reads).buffered(FILES_AT_ONCE);
        let mut rows = HeldRows::none(memory);
        while let Some(read) = reads.try_next().await? {
            let Some(read) = read else { return Ok(None) };
            rows.append(read);
        }
        Ok(Some(rows))
    }
}

/// Rows of one file, in batches that are a small part of the memory.
pub(super) fn batches<'a>(input: &'a Input, range: &Range<i64>, memory: &Memory) -> Batches<'a> {
    input.batches(range, BATCH_BYTES.min(memory.limit() / BATCH_SHARE))
}

/// All rows; none when there are too many in memory, these and others.
async fn rows_of<'m>(mut batches: Batches<'_>, memory: &'m Memory) -> Result<Option<HeldRows<'m>>> {
    let mut rows = HeldRows::none(memory);
    while let Some(batch) = batches.next().await? {
        rows.push(batch);
        if memory.is_over() {
            return Ok(None);
        }
    }
    Ok(Some(rows))
}
