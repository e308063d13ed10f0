//! One column chunk: how its values are encoded, and what is kept to prune by.
//!
//! Decided by looking at the values of the slice. Measured on real trails (bytes a value):
//!
//! - Text whose distinct values fit a dictionary: dictionary. Else lengths apart from bytes
//!   (`DELTA_LENGTH_BYTE_ARRAY`): a UUID costs 18.6 against 20.4 plain and 22.2 with a dictionary.
//! - Integers and times: `DELTA_BINARY_PACKED` (`eventTime` 1.5 against 2.6 with a dictionary).
//! - The fingerprint: plain; nothing makes a hash smaller.
//!
//!
//! Text outside a dictionary is compressed at level 1 or 8, whichever a sample of it says: level 8
//! makes request parameters 12 % smaller, and ids 2 % larger at eight times the cost.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use super::slices::Position;
use super::texts::{DICTIONARY_BYTES_MAX, LEVEL_HIGH, LEVEL_LOW, Texts};
use super::{column, input};
use crate::error::{Error, Result};
use crate::spec::TableSpec;

/// Rows of a page, at most: what one look-up decodes.
pub(crate) const PAGE_ROWS_MAX: usize = 8192;
/// Values the encoder takes between two looks at the size of the page.
const STEP_ROWS: usize = 1024;
/// False positives of a bloom filter, at most. Filters grow in powers of two: a full slice has 1 %
/// whatever stands here, and a slice of any other size would pay up to twice that filter for it.
const BLOOM_FPP: f64 = 0.02;
/// Bytes kept of long values in statistics.
const STATISTICS_BYTES_MAX: usize = 64;
/// Values longer than this on average are documents, which nobody compares as a whole.
const COMPARABLE_BYTES_MAX: usize = 128;
/// Slices below this are not worth a second thread.
const PARALLEL_ROWS_MIN: usize = 16_384;

/// Encodes every column of a slice, on several threads, and returns the chunks in Parquet's order.
pub(super) fn encode_all(
    table: &TableSpec,
    rows: &[RecordBatch],
    slice: &[Position],
) -> Result<Vec<ArrowColumnChunk>> {
    let fields = table.schema.fields();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(fields.len()));
    let work = || {
        while let Some(field) = fields.get(next.fetch_add(1, Ordering::Relaxed)) {
            let chunks = encode(table, field, rows, slice);
            let failed = chunks.is_err();
            done.lock().unwrap_or_else(PoisonError::into_inner).push((field.name(), chunks));
            if failed {
                next.store(fields.len(), Ordering::Relaxed);
            }
        }
    };
    let threads = match slice.len() {
        0..PARALLEL_ROWS_MIN => 1,
        _ => std::thread::available_parallelism().map_or(1, |n| n.get()).min(8),
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut chunks = Vec::with_capacity(done.len());
    for field in fields {
        let place = done.iter().position(|(name, result)| *name == field.name() || result.is_err());
        let Some(place) = place else {
            return Err(input(table, format!("column `{}` was not encoded", field.name())));
        };
        chunks.extend(done.swap_remove(place).1?);
    }
    Ok(chunks)
}

/// Gathers one column in the slice's order and encodes it.
fn encode(
    table: &TableSpec,
    field: &Arc<Field>,
    rows: &[RecordBatch],
    slice: &[Position],
) -> Result<Vec<ArrowColumnChunk>> {
    let arrays: Vec<&dyn Array> = rows
        .iter()
        .map(|batch| column(table, batch, field.name()).map(AsRef::as_ref))
        .collect::<Result<_>>()?;
    let values = interleave(&arrays, slice)
        .map_err(|e| input(table, format!("column `{}` cannot be sorted: {e}", field.name())))?;
    encode_values(table, field, &values)
        .map_err(|e| Error::storage(format!("encode column `{}`", field.name()), e))
}

fn encode_values(
    table: &TableSpec,
    field: &Arc<Field>,
    values: &ArrayRef,
) -> Result<Vec<ArrowColumnChunk>, ParquetError> {
    let schema = Arc::new(Schema::new(vec![field.clone()]));
    let parquet_schema = ArrowSchemaConverter::new().convert(&schema)?;
    let mut leaves = Vec::new();
    collect_leaves(values, &mut leaves);

    // A page is closed at the first step that reaches the limit, so it never exceeds the maximum.
    // A column of nulls needs no pages to choose from.
    let nothing = values.null_count() == values.len();
    let page_rows = if nothing { usize::MAX } else { PAGE_ROWS_MAX - STEP_ROWS + 1 };
    let mut properties = WriterProperties::builder()
        .set_write_batch_size(STEP_ROWS)
        .set_data_page_row_count_limit(page_rows)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        .set_statistics_truncate_length(Some(STATISTICS_BYTES_MAX))
        .set_column_index_truncate_length(Some(STATISTICS_BYTES_MAX));
    for (descriptor, leaf) in parquet_schema.columns().iter().zip(&leaves) {
        properties = describe(table, field, descriptor.path(), leaf, properties)?;
    }
    let sink = SerializedFileWriter::new(
        io::sink(),
        parquet_schema.root_schema_ptr(),
        Arc::new(properties.build()),
    )?;
    let writers = ArrowRowGroupWriterFactory::new(&sink, schema).create_column_writers(0)?;
    let levels = compute_leaves(field, values)?;
    let mut chunks = Vec::with_capacity(writers.len());
    for (mut writer, leaf) in writers.into_iter().zip(&levels) {
        writer.write(leaf)?;
        let mut chunk = writer.close()?;
        let index = &mut chunk.close_mut().column_index;
        *index = index.take().filter(tells_pages_apart);
        chunks.push(chunk);
    }
    Ok(chunks)
}

/// The properties of one leaf column.
fn describe(
    table: &TableSpec,
    field: &Field,
    path: &ColumnPath,
    leaf: &ArrayRef,
    properties: WriterPropertiesBuilder,
) -> Result<WriterPropertiesBuilder, ParquetError> {
    let name = field.name().as_str();
    let wanted = table.time_column == Some(name)
        || table.sort.contains(&name)
        || table.stats.contains(&name);
    let nested = field.data_type().is_nested();
    let values = leaf.len() - leaf.null_count();
    let path = || path.clone();

    let mut dictionary = false;
    let mut encoding = Encoding::PLAIN;
    let mut level = LEVEL_LOW;
    let mut comparable = !nested;
    match leaf.data_type() {
        DataType::Utf8 | DataType::Binary => {
            let texts = Texts::of(leaf);
            dictionary = texts.dictionary_pays();
            encoding = Encoding::DELTA_LENGTH_BYTE_ARRAY;
            if !dictionary && texts.longer_search_pays() {
                level = LEVEL_HIGH;
            }
            comparable &= dictionary && texts.mean_bytes <= COMPARABLE_BYTES_MAX;
        }
        DataType::Int32 | DataType::Int64 | DataType::Timestamp(..) => {
            let hash = table.identity.is_some_and(|identity| identity.fingerprint == name);
            encoding = if hash { Encoding::PLAIN } else { Encoding::DELTA_BINARY_PACKED };
            comparable = false;
        }
        _ => {}
    }
    let statistics = match () {
        () if wanted || comparable => EnabledStatistics::Page,
        () if values == 0 => EnabledStatistics::Chunk,
        () => EnabledStatistics::None,
    };
    let mut properties = properties
        .set_column_compression(path(), Compression::ZSTD(ZstdLevel::try_new(level)?))
        .set_column_dictionary_enabled(path(), dictionary)
        .set_column_encoding(path(), encoding)
        .set_column_statistics_enabled(path(), statistics);
    if table.bloom.contains(&name) && !nested && values > 0 {
        // The writer folds a filter down to what its distinct values need.
        properties = properties
            .set_column_bloom_filter_enabled(path(), true)
            .set_column_bloom_filter_fpp(path(), BLOOM_FPP)
            .set_column_bloom_filter_max_ndv(path(), values as u64);
    }
    Ok(properties)
}

/// Whether page statistics tell the pages of a chunk apart. Where every page has the same bounds,
/// they only cost bytes.
fn tells_pages_apart(index: &ColumnIndexMetaData) -> bool {
    fn differ<T: PartialEq>(mut bounds: impl Iterator<Item = T>) -> bool {
        let first = bounds.next();
        bounds.any(|bound| Some(bound) != first)
    }
    macro_rules! differ {
        ($index:expr) => {
            differ($index.min_values_iter().zip($index.max_values_iter()))
        };
    }
    match index {
        ColumnIndexMetaData::BOOLEAN(index) => differ!(index),
        ColumnIndexMetaData::INT32(index) => differ!(index),
        ColumnIndexMetaData::INT64(index) => differ!(index),
        ColumnIndexMetaData::BYTE_ARRAY(index) => differ!(index),
        _ => true,
    }
}

/// The leaf arrays of a column, in the order of Parquet's leaf columns.
fn collect_leaves(array: &ArrayRef, leaves: &mut Vec<ArrayRef>) {
    match array.data_type() {
        DataType::List(_) => collect_leaves(array.as_list::<i32>().values(), leaves),
        DataType::Struct(_) => {
            array.as_struct().columns().iter().for_each(|child| collect_leaves(child, leaves));
        }
        _ => leaves.push(array.clone()),
    }
}

/// Leaf columns that a column of this type has.
pub(super) fn leaf_count(data_type: &DataType) -> i32 {
    match data_type {
        DataType::List(child) => leaf_count(child.data_type()),
        DataType::Struct(fields) => fields.iter().map(|f| leaf_count(f.data_type())).sum(),
        _ => 1,
    }
}
