//! One file of a fold, opened, and its rows, a batch at a time.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};
use parquet::errors::ParquetError;

use super::sizes::Sizes;
use super::times::Times;
use crate::data_file::{Footer, OpenFile};
use crate::error::{Error, Result};
use crate::round::same_type;
use crate::snapshot::LiveFile;
use crate::spec::TableSpec;

/// Rows of a batch, at most.
const BATCH_ROWS: usize = 4096;
/// Rows of a piece, at most: a page.
const PAGE_ROWS: usize = 8192;
/// Rows of a batch of times.
const TIMES_ROWS: usize = 65_536;

/// A file of a fold: what is in memory of it is its footer.
pub(super) struct Input {
    table: TableSpec,
    footer: Footer,
    rows: usize,
    /// First and last time of each row group, where known.
    spans: Vec<Option<(i64, i64)>>,
    sizes: Sizes,
}

impl Input {
    /// Opens a file of `table`.
    ///
    /// # Errors
    /// [`Error::Storage`] when it cannot be read.
    pub async fn open(
        objects: &Arc<dyn ObjectStore>,
        table: &TableSpec,
        file: &LiveFile,
    ) -> Result<Input> {
        let footer = Footer::read(objects, file).await?;
        let opened = footer.open();
        let metadata = opened.metadata();
        let spans = match table.time_column {
            Some(column) => bounds(&opened, column)
                .map_err(|error| Error::storage(format!("read `{}`", file.path), error))?,
            None => vec![None; metadata.num_row_groups()],
        };
        let rows = usize::try_from(metadata.file_metadata().num_rows()).unwrap_or_default();
        let sizes = Sizes::of(metadata);
        Ok(Input { table: table.clone(), footer, rows, spans, sizes })
    }

    /// How many rows it has, as its footer says.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// First and last time of each row group of which they are known.
    pub fn spans(&self) -> impl Iterator<Item = (i64, i64)> {
        self.spans.iter().copied().flatten()
    }

    /// Counts the rows from `range` by time.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file cannot be read.
    pub async fn count(&self, column: &str, range: &Range<i64>, times: &mut Times) -> Result<()> {
        let file = self.footer.open();
        let mask = ProjectionMask::columns(file.parquet_schema(), [column]);
        let file = file.with_row_groups(self.groups_in(range)).with_projection(mask);
        let mut rows = file.with_batch_size(TIMES_ROWS).build().map_err(self.failed())?;
        while let Some(batch) = rows.try_next().await.map_err(self.failed())? {
            let found = times_of(batch.column(0)).map_err(|error| self.failed()(error.into()))?;
            found.iter().filter(|time| within(range, *time)).for_each(|time| times.count(time));
        }
        Ok(())
    }

    /// Rows of `range`, in batches of about so many bytes.
    pub fn batches(&self, range: &Range<i64>, bytes: usize) -> Batches<'_> {
        let row_bytes = self.sizes.row_bytes(&self.groups_in(range));
        // A reader makes room for as many rows as it is asked for, in each column.
        let (range, rows) = (range.clone(), fitting(bytes, row_bytes).min(self.rows.max(1)));
        Batches { input: self, range, bytes, row_bytes, rows, given: 0, stream: None }
    }

    /// The rows from a row on, as many as fit into so many bytes, at least one and at most a page.
    /// Nothing of the file stays in memory but them.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file cannot be read, [`Error::Corrupt`] when it has no such row or
    /// is not the table's.
    pub async fn piece(&self, from: usize, bytes: usize) -> Result<RecordBatch> {
        let rows = self.sizes.fitting(from, PAGE_ROWS, bytes);
        let file = self.footer.open().with_offset(from).with_limit(rows).with_batch_size(rows);
        let mut batches = file.build().map_err(self.failed())?;
        let Some(batch) = batches.try_next().await.map_err(self.failed())? else {
            let reason = format!("its footer says {} rows, there is no row {from}", self.rows);
            return Err(Error::corrupt(format!("`{}`", self.path()), reason));
        };
        self.aligned(batch)
    }

    /// A batch with the columns the table has now. A column that is younger than the file has no
    /// value in it; a column this version does not know must not be lost.
    ///
    /// It comes without the room that its reader made for rows which are not in it: of a file that
    /// has few rows of a time, that would be most of what is in memory.
    fn aligned(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let schema = &self.table.schema;
        let not_of = |reason: String| Error::corrupt(format!("`{}`", self.path()), reason);
        if let Some(field) =
            batch.schema().fields().iter().find(|field| schema.index_of(field.name()).is_err())
        {
            return Err(not_of(format!("column `{}` is unknown", field.name())));
        }
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            columns.push(match batch.column_by_name(field.name()) {
                None => new_null_array(field.data_type(), batch.num_rows()),
                Some(column) if column.data_type() == field.data_type() => column.clone(),
                Some(column) if same_type(column.data_type(), field.data_type()) => {
                    cast(column, field.data_type()).map_err(|error| not_of(error.to_string()))?
                }
                Some(_) => {
                    return Err(not_of(format!("column `{}` is of another type", field.name())));
                }
            });
        }
        drop(batch); // what is shared is not made smaller
        columns.iter_mut().for_each(|column| column.shrink_to_fit());
        RecordBatch::try_new(schema.clone(), columns).map_err(|error| not_of(error.to_string()))
    }

    fn path(&self) -> &Path {
        &self.footer.file.path
    }

    fn failed(&self) -> impl Fn(ParquetError) -> Error {
        let path = self.path().clone();
        move |error| Error::storage(format!("read `{path}`"), error)
    }

    /// The row groups that may hold rows of a range.
    fn groups_in(&self, range: &Range<i64>) -> Vec<usize> {
        let apart = |(first, last): &(i64, i64)| *last < range.start || *first >= range.end;
        let may_hold = |group: &usize| !self.spans[*group].as_ref().is_some_and(apart);
        (0..self.spans.len()).filter(may_hold).collect()
    }
}

/// Rows of a file by time. How many a batch has goes by the footer, and by what the last one was in
/// memory where that is more.
pub(super) struct Batches<'a> {
    input: &'a Input,
    range: Range<i64>,
    /// Bytes that a batch should have.
    bytes: usize,
    /// Bytes of a row, as the footer tells.
    row_bytes: usize,
    /// Rows that the next one has.
    rows: usize,
    /// Rows so far.
    given: usize,
    /// Batches of so many rows; none before the first and when they should have another number.
    stream: Option<BoxStream<'a, Result<RecordBatch, ParquetError>>>,
}

impl Batches<'_> {
    /// The next rows; none behind the last.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file cannot be read, [`Error::Corrupt`] when it is not the table's.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let failed = self.input.failed();
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.open().map_err(&failed)?,
        };
        let Some(batch) = stream.try_next().await.map_err(failed)? else { return Ok(None) };
        let batch = self.input.aligned(batch)?;
        let rows = batch.num_rows();
        self.given += rows;
        let measured = batch.get_array_memory_size() / rows.max(1);
        let fitting = fitting(self.bytes, measured.max(self.row_bytes));
        // The last rows of a row group say little of those that come.
        match self.rows {
            now if rows == now && (fitting < now / 2 || fitting / 2 > now) => self.rows = fitting,
            _ => self.stream = Some(stream),
        }
        Ok(Some(batch))
    }

    fn open(&self) -> Result<BoxStream<'static, Result<RecordBatch, ParquetError>>, ParquetError> {
        let file = self.input.footer.open().with_row_groups(self.input.groups_in(&self.range));
        let file = file.with_batch_size(self.rows).with_offset(self.given);
        // The reader would keep what the condition has read and, at each batch, look through all batches
        // before: of a large file in small batches that took most of the time.
        let file = file.with_max_predicate_cache_size(0);
        let file = match self.input.table.time_column {
            Some(column) => {
                let mask = ProjectionMask::columns(file.parquet_schema(), [column]);
                let range = self.range.clone();
                let filter = ArrowPredicateFn::new(mask, move |batch| {
                    let times = times_of(batch.column(0))?;
                    let here = times.iter().map(|time| Some(within(&range, time)));
                    Ok(here.collect::<BooleanArray>())
                });
                file.with_row_filter(RowFilter::new(vec![Box::new(filter)]))
            }
            None => file,
        };
        Ok(file.build()?.boxed())
    }
}

/// How many rows of a batch fit into so many bytes: at least one.
fn fitting(bytes: usize, row_bytes: usize) -> usize {
    (bytes / row_bytes.max(1)).clamp(1, BATCH_ROWS)
}

/// First and last time of each row group; none where rows without a time are among them.
fn bounds(file: &OpenFile, column: &str) -> Result<Vec<Option<(i64, i64)>>, ParquetError> {
    let groups = file.metadata().row_groups();
    let converter = StatisticsConverter::try_new(column, file.schema(), file.parquet_schema())?;
    let (mins, maxes) = (converter.row_group_mins(groups)?, converter.row_group_maxes(groups)?);
    let nulls = converter.row_group_null_counts(groups)?;
    let (mins, maxes) = (times_of(&mins)?, times_of(&maxes)?);
    let bound = |times: &TimestampMicrosecondArray, group| {
        times.is_valid(group).then(|| times.value(group))
    };
    let whole = |group: &usize| nulls.is_valid(*group) && nulls.value(*group) == 0;
    let of_group = |group| {
        Some(group).filter(whole).and_then(|group| bound(mins, group).zip(bound(maxes, group)))
    };
    Ok((0..groups.len()).map(of_group).collect())
}

fn times_of(column: &ArrayRef) -> Result<&TimestampMicrosecondArray, ArrowError> {
    let times = column.as_primitive_opt::<TimestampMicrosecondType>();
    times.ok_or_else(|| ArrowError::CastError("times expected".to_string()))
}

/// Whether a time is in a range; the range without end has what has no time.
fn within(range: &Range<i64>, time: Option<i64>) -> bool {
    match time {
        Some(time) => range.contains(&time) || (time == i64::MAX && range.end == i64::MAX),
        None => range.end == i64::MAX,
    }
}
