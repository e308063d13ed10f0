//! The files of a fold: their rows by time, or one file's in order.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};
use parquet::errors::ParquetError;

use super::times::Times;
use crate::data_file::{Footer, OpenFile};
use crate::error::{Error, Result};
use crate::round::same_type;
use crate::snapshot::LiveFile;
use crate::spec::TableSpec;

/// Files read at the same time.
const FILES_AT_ONCE: usize = 4;
/// Rows of a batch, at most.
const BATCH_ROWS: usize = 4096;
/// Bytes of a batch, about.
const BATCH_BYTES: usize = 256 << 10;
/// Rows of a page: what is read of a file at a time where all files are read side by side.
const PAGE_ROWS: usize = 8192;

/// The files of a fold, opened: what is in memory of them is their footers.
pub(super) struct Inputs {
    table: TableSpec,
    files: Vec<Input>,
}

struct Input {
    footer: Footer,
    /// First and last time of each row group, where known.
    groups: Vec<Option<(i64, i64)>>,
    /// Rows of a batch.
    batch_rows: usize,
}

impl Inputs {
    /// Opens files of `table`.
    ///
    /// # Errors
    /// [`Error::Storage`] when one cannot be read.
    pub async fn open(
        objects: &Arc<dyn ObjectStore>,
        table: &TableSpec,
        files: &[LiveFile],
    ) -> Result<Inputs> {
        let opened = files.iter().map(|file| Input::open(objects, table, file));
        let opened = opened.collect::<Vec<_>>();
        let files = stream::iter(opened).buffered(FILES_AT_ONCE).try_collect().await?;
        Ok(Inputs { table: table.clone(), files })
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// First and last time in them, as far as it is known.
    pub fn span(&self) -> Option<(i64, i64)> {
        let known = self.files.iter().flat_map(|input| &input.groups).flatten();
        known.copied().reduce(|all, of| (all.0.min(of.0), all.1.max(of.1)))
    }

    /// Counts the rows from `range` by time.
    ///
    /// # Errors
    /// [`Error::Storage`] when a file cannot be read.
    pub async fn count(&self, range: Range<i64>, times: &mut Times) -> Result<()> {
        let Some(column) = self.table.time_column else { return Ok(()) };
        for input in &self.files {
            let file = input.footer.open();
            let mask = ProjectionMask::columns(file.parquet_schema(), [column]);
            let file = file.with_row_groups(input.groups_in(&range)).with_projection(mask);
            let mut rows = file.with_batch_size(BATCH_ROWS * 16).build().map_err(input.failed())?;
            while let Some(batch) = rows.try_next().await.map_err(input.failed())? {
                let found = times_of(batch.column(0)).map_err(|e| input.failed()(e.into()))?;
                let here = found.iter().filter(|time| within(&range, *time));
                here.for_each(|time| times.count(time));
            }
        }
        Ok(())
    }

    /// The rows of `range`, file after file; none when they take more than `limit` bytes.
    ///
    /// # Errors
    /// [`Error::Storage`] when a file cannot be read, [`Error::Corrupt`] when it is not the table's.
    pub async fn rows(
        &self,
        range: &Range<i64>,
        limit: usize,
    ) -> Result<Option<(Vec<RecordBatch>, usize)>> {
        let bytes = AtomicUsize::new(0);
        let reads: Vec<_> =
            self.files.iter().map(|input| self.rows_of(input, range, &bytes, limit)).collect();
        let read: Vec<Vec<RecordBatch>> =
            stream::iter(reads).buffered(FILES_AT_ONCE).try_collect().await?;
        let bytes = bytes.into_inner();
        Ok((bytes <= limit).then(|| (read.into_iter().flatten().collect(), bytes)))
    }

    async fn rows_of(
        &self,
        input: &Input,
        range: &Range<i64>,
        bytes: &AtomicUsize,
        limit: usize,
    ) -> Result<Vec<RecordBatch>> {
        let groups = input.groups_in(range);
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let file = input.footer.open().with_row_groups(groups).with_batch_size(input.batch_rows);
        let filter = self.table.time_column.map(|column| {
            let mask = ProjectionMask::columns(file.parquet_schema(), [column]);
            let range = range.clone();
            ArrowPredicateFn::new(mask, move |batch| {
                let times = times_of(batch.column(0))?;
                Ok(times.iter().map(|time| Some(within(&range, time))).collect::<BooleanArray>())
            })
        });
        let file = match filter {
            Some(filter) => file.with_row_filter(RowFilter::new(vec![Box::new(filter)])),
            None => file,
        };
        let mut stream = file.build().map_err(input.failed())?;
        let mut rows = Vec::new();
        while let Some(batch) = stream.try_next().await.map_err(input.failed())? {
            let size = batch.get_array_memory_size();
            if bytes.fetch_add(size, Ordering::Relaxed) + size > limit {
                return Ok(Vec::new());
            }
            rows.push(self.aligned(input, &batch)?);
        }
        Ok(rows)
    }

    /// The rows of one file in the order they stand in, a page of them in memory at a time.
    pub fn stream(&self, number: usize) -> BoxStream<'_, Result<RecordBatch>> {
        let input = &self.files[number];
        let starts = (0..input.footer.file.rows as usize).step_by(PAGE_ROWS);
        let pages = stream::iter(starts).then(move |start| async move {
            let file = input.footer.open().with_batch_size(input.batch_rows);
            let page = file.with_offset(start).with_limit(PAGE_ROWS);
            let page = page.build().map_err(input.failed())?.map_err(input.failed());
            Ok::<_, Error>(page.and_then(async |batch| self.aligned(input, &batch)))
        });
        pages.try_flatten().boxed()
    }

    /// A batch with the columns the table has now. A column that is younger than the file has no
    /// value in it; a column this version does not know must not be lost.
    fn aligned(&self, input: &Input, batch: &RecordBatch) -> Result<RecordBatch> {
        let schema = &self.table.schema;
        let not_of = |reason: String| Error::corrupt(format!("`{}`", input.path()), reason);
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
        RecordBatch::try_new(schema.clone(), columns).map_err(|error| not_of(error.to_string()))
    }
}

impl Input {
    async fn open(
        objects: &Arc<dyn ObjectStore>,
        table: &TableSpec,
        file: &LiveFile,
    ) -> Result<Input> {
        let footer = Footer::read(objects, file).await?;
        let opened = footer.open();
        let groups = match table.time_column {
            Some(column) => bounds(&opened, column)
                .map_err(|error| Error::storage(format!("read `{}`", file.path), error))?,
            None => vec![None; opened.metadata().num_row_groups()],
        };
        let groups_of = opened.metadata().row_groups().iter();
        let bytes = groups_of.map(|group| group.total_byte_size()).sum::<i64>().max(0) as usize;
        let row_bytes = bytes / usize::try_from(file.rows).unwrap_or(usize::MAX).max(1);
        let batch_rows = (BATCH_BYTES / row_bytes.max(1)).clamp(16, BATCH_ROWS);
        Ok(Input { footer, groups, batch_rows })
    }

    fn path(&self) -> &object_store::path::Path {
        &self.footer.file.path
    }

    fn failed(&self) -> impl Fn(ParquetError) -> Error {
        let path = self.path().clone();
        move |error| Error::storage(format!("read `{path}`"), error)
    }

    /// The row groups that may hold rows of a range.
    fn groups_in(&self, range: &Range<i64>) -> Vec<usize> {
        let apart = |(first, last): &(i64, i64)| *last < range.start || *first >= range.end;
        let may_hold = |group: &usize| !self.groups[*group].as_ref().is_some_and(apart);
        (0..self.groups.len()).filter(may_hold).collect()
    }
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
