//! Files of a table without a time: each is one run in the table's order, and so is what they
//! become.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow::array::RecordBatch;
use arrow::compute::{SortOptions, interleave_record_batch};
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};
use futures::StreamExt;
use futures::stream::BoxStream;

use super::fold::Output;
use super::read::Inputs;
use crate::data_file::SLICE_ROWS;
use crate::error::{Error, Result};
use crate::spec::TableSpec;

/// Rows gathered at a time.
const GATHERED_ROWS: usize = 4096;

/// Copies the rows of all files in the table's order. One batch of each file is in memory, and the
/// slice being gathered.
pub(super) async fn in_order(
    table: &TableSpec,
    inputs: &Inputs,
    limit: usize,
    output: &mut Output<'_>,
) -> Result<()> {
    let mut runs = Vec::with_capacity(inputs.len());
    for number in 0..inputs.len() {
        runs.push(Run::begin(table, inputs.stream(number)).await?);
    }
    let mut slice = Slice { batches: Vec::new(), rows: 0, bytes: 0 };
    let mut heads: BinaryHeap<Reverse<(Option<OwnedRow>, usize)>> = BinaryHeap::new();
    for (number, run) in runs.iter().enumerate() {
        heads.extend(run.head().map(|head| Reverse((head, number))));
    }
    let mut taken: Vec<(usize, usize)> = Vec::with_capacity(GATHERED_ROWS);
    while let Some(Reverse((_, number))) = heads.pop() {
        taken.push((number, runs[number].row));
        runs[number].row += 1;
        let ends = runs[number].is_read();
        if ends || taken.len() == GATHERED_ROWS {
            slice.gather(table, &runs, &mut taken)?;
        }
        if ends {
            runs[number].next().await?;
        }
        heads.extend(runs[number].head().map(|head| Reverse((head, number))));
        if slice.rows >= SLICE_ROWS || slice.bytes >= limit {
            output.add(slice.take(), false).await?;
        }
    }
    slice.gather(table, &runs, &mut taken)?;
    output.add(slice.take(), false).await
}

/// The rows of the slice to come.
struct Slice {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl Slice {
    fn gather(
        &mut self,
        table: &TableSpec,
        runs: &[Run<'_>],
        taken: &mut Vec<(usize, usize)>,
    ) -> Result<()> {
        if taken.is_empty() {
            return Ok(());
        }
        let batches: Vec<&RecordBatch> = runs.iter().map(|run| &run.batch).collect();
        let rows =
            interleave_record_batch(&batches, taken).map_err(|error| failed(table, error))?;
        taken.clear();
        self.rows += rows.num_rows();
        self.bytes += rows.get_array_memory_size();
        self.batches.push(rows);
        Ok(())
    }

    fn take(&mut self) -> Vec<RecordBatch> {
        (self.rows, self.bytes) = (0, 0);
        std::mem::take(&mut self.batches)
    }
}

/// The rows of one file, batch after batch.
struct Run<'a> {
    table: &'a TableSpec,
    stream: BoxStream<'a, Result<RecordBatch>>,
    converter: RowConverter,
    batch: RecordBatch,
    /// The sort columns of the batch, comparable; none in a table without an order.
    keys: Option<Rows>,
    /// The next row of the batch.
    row: usize,
}

impl<'a> Run<'a> {
    async fn begin(
        table: &'a TableSpec,
        stream: BoxStream<'a, Result<RecordBatch>>,
    ) -> Result<Run<'a>> {
        let order = SortOptions { descending: false, nulls_first: false };
        let field = |name: &&str| {
            let field = table.schema.field_with_name(name)?;
            Ok(SortField::new_with_options(field.data_type().clone(), order))
        };
        let fields = table.sort.iter().map(field).collect::<Result<_, _>>();
        let converter = fields.and_then(RowConverter::new).map_err(|error| failed(table, error))?;
        let batch = RecordBatch::new_empty(table.schema.clone());
        let mut run = Run { table, stream, converter, batch, keys: None, row: 0 };
        run.next().await?;
        Ok(run)
    }

    fn is_read(&self) -> bool {
        self.row >= self.batch.num_rows()
    }

    /// Goes to the next batch that has rows.
    async fn next(&mut self) -> Result<()> {
        while self.is_read() {
            let Some(batch) = self.stream.next().await else { return Ok(()) };
            self.batch = batch?;
            self.row = 0;
            let columns = self.table.sort.iter().filter_map(|name| self.batch.column_by_name(name));
            let columns: Vec<_> = columns.cloned().collect();
            if !columns.is_empty() {
                let keys = self.converter.convert_columns(&columns);
                self.keys = Some(keys.map_err(|error| failed(self.table, error))?);
            }
        }
        Ok(())
    }

    /// The sort columns of the next row, where the table has any; none when there is no row.
    fn head(&self) -> Option<Option<OwnedRow>> {
        (!self.is_read()).then(|| self.keys.as_ref().map(|keys| keys.row(self.row).owned()))
    }
}

fn failed(table: &TableSpec, error: arrow::error::ArrowError) -> Error {
    Error::corrupt(format!("table `{}`", table.name), format!("rows cannot be sorted: {error}"))
}
