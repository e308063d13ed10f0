//! Which files can hold a wanted value, by their Bloom filters: asked before anything is scanned.
//!
//! A scan asks them too, but opens each file for it, which costs more than the filter. A lake that
//! nobody has tended yet has hundreds of files, and most questions of an audit are about one key,
//! address or event. What was read of a filter is kept: the files of a lake never change, and a file
//! that is lost is told by whatever reads it, and by `check`.
//!
//! Some files are asked first: of a value that most of them hold no other is, for a scan that has
//! found enough opens no further file.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::ScalarValue;
use datafusion::common::runtime::SpawnedTask;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::{Guarantee, LiteralGuarantee};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use object_store::path::Path;
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::basic::Type;
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::ColumnChunkMetaData;

use crate::runtime::IN_LIST_PRUNED_MAX;

/// Fewer files are opened by the scan at once.
const FILES_MIN: usize = 16;
/// Of more files not all filters are read.
const FILES_MAX: usize = 4_096;
/// Bytes of filters that are read for one question, about.
const BYTES_MAX: usize = 128 << 20;
/// Files that are asked first.
const ASKED_FIRST: usize = 16;

/// What the filter of a column says of a row group.
#[derive(Debug)]
enum Held {
    /// There is none.
    Unknown,
    /// The column has no value there.
    Nothing,
    Among(Sbbf),
}

/// What the filters of a column say in a file, by row group.
#[derive(Debug)]
struct Column {
    groups: Vec<Held>,
    bytes: usize,
}

/// Filters that were read.
#[derive(Debug)]
pub(crate) struct BloomFilters {
    kept: Mutex<Kept>,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Kept {
    columns: HashMap<Path, HashMap<String, Arc<Column>>>,
    bytes: usize,
}

impl BloomFilters {
    /// Returns room for so many bytes of filters.
    pub(crate) fn new(bytes_max: usize) -> BloomFilters {
        BloomFilters { kept: Mutex::default(), bytes_max }
    }

    fn get(&self, path: &Path, name: &str) -> Option<Arc<Column>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.columns.get(path)?.get(name).cloned()
    }

    fn keep(&self, path: &Path, name: &str, column: &Arc<Column>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + column.bytes > self.bytes_max {
            *kept = Kept::default();
        }
        let columns = kept.columns.entry(path.clone()).or_default();
        if columns.insert(name.to_owned(), Arc::clone(column)).is_none() {
            kept.bytes += column.bytes;
        }
    }
}

/// What a condition wants: of each of these columns one of its texts.
#[derive(Debug, Clone)]
pub(crate) struct Wanted(Arc<[(String, Vec<String>)]>);

impl Wanted {
    /// Returns what `predicate` wants; none where it names no text that a row must have.
    pub(crate) fn of(predicate: &Arc<dyn PhysicalExpr>) -> Option<Wanted> {
        let texts = |guarantee: LiteralGuarantee| {
            let LiteralGuarantee { column, guarantee, literals } = guarantee;
            let text = |literal: &ScalarValue| literal.try_as_str().flatten().map(str::to_owned);
            let texts: Option<Vec<String>> = literals.iter().map(text).collect();
            let is_one_of = guarantee == Guarantee::In && literals.len() <= IN_LIST_PRUNED_MAX;
            Some((column.name, texts.filter(|_| is_one_of)?))
        };
        let wanted: Vec<_> =
            LiteralGuarantee::analyze(predicate).into_iter().filter_map(texts).collect();
        (!wanted.is_empty()).then(|| Wanted(wanted.into()))
    }

    /// Whether any row group of a file can hold it: one that can by the filters of each column.
    fn is_in(&self, columns: &[Arc<Column>]) -> bool {
        let groups = columns.first().map_or(0, |column| column.groups.len());
        let can = |group: usize| {
            self.0.iter().zip(columns).all(|((_, texts), column)| match column.groups.get(group) {
                Some(Held::Among(filter)) => texts.iter().any(|text| filter.check(text.as_str())),
                Some(Held::Nothing) => false,
                Some(Held::Unknown) | None => true,
            })
        };
        // A file that says nothing of its row groups says nothing at all.
        groups == 0 || (0..groups).any(can)
    }
}

/// Whether so many files are asked by their filters at all.
pub(crate) fn is_asked(files: usize) -> bool {
    (FILES_MIN..=FILES_MAX).contains(&files)
}

/// How filters are read.
#[derive(Clone)]
pub(crate) struct Reading {
    /// Opens files.
    pub(crate) readers: Arc<dyn ParquetFileReaderFactory>,
    /// Those that were read before.
    pub(crate) filters: Arc<BloomFilters>,
    /// Files that are asked beside one another.
    pub(crate) at_once: usize,
}

impl Reading {
    /// Returns which of `files` can hold what is wanted, by number: at least one, which the scan then
    /// finds out by itself. None where that is not worth asking (see [`is_asked`] too), or cannot be
    /// told. A file that cannot be read can: the scan will say why.
    pub(crate) async fn keep(
        &self,
        wanted: &Wanted,
        files: Vec<PartitionedFile>,
    ) -> Option<HashSet<usize>> {
        if !self.is_worth(wanted, &files).await {
            return None;
        }
        let last = files.len().checked_sub(1)?;
        let numbered: Vec<(usize, PartitionedFile)> = files.into_iter().enumerate().collect();
        let part = numbered.len().div_ceil(self.at_once.max(1));
        let parts = numbered.chunks(part).map(|part| {
            let (reading, wanted, part) = (self.clone(), wanted.clone(), part.to_vec());
            SpawnedTask::spawn(async move {
                let mut kept = Vec::new();
                for (number, file) in part {
                    tokio::task::consume_budget().await;
                    let columns = reading.columns(&wanted, &file).await;
                    if columns.is_none_or(|columns| wanted.is_in(&columns)) {
                        kept.push(number);
                    }
                }
                kept
            })
        });
        let parts: Vec<_> = parts.collect();
        let mut kept = HashSet::new();
        for part in parts {
            kept.extend(part.await.ok()?);
        }
        if kept.is_empty() {
            kept.insert(last);
        }
        Some(kept)
    }

    /// Asks some files from everywhere: whether there are filters, whether they rule out half of them,
    /// and how much there would be to read.
    async fn is_worth(&self, wanted: &Wanted, files: &[PartitionedFile]) -> bool {
        let (mut asked, mut can, mut bytes) = (0, 0, 0);
        for file in files.iter().step_by(files.len().div_ceil(ASKED_FIRST)) {
            let Some(columns) = self.columns(wanted, file).await else { continue };
            asked += 1;
            can += usize::from(wanted.is_in(&columns));
            bytes += columns.iter().map(|column| column.bytes).sum::<usize>();
        }
        2 * can <= asked && bytes / asked.max(1) * files.len() <= BYTES_MAX
    }

    /// Returns what the filters of each wanted column say in a file; none where they cannot be read.
    async fn columns(&self, wanted: &Wanted, file: &PartitionedFile) -> Option<Vec<Arc<Column>>> {
        let path = &file.object_meta.location;
        let known = wanted.0.iter().map(|(name, _)| self.filters.get(path, name));
        if let Some(known) = known.collect::<Option<Vec<_>>>() {
            return Some(known);
        }
        let metrics = ExecutionPlanMetricsSet::new();
        let reader: Box<dyn AsyncFileReader> =
            self.readers.create_reader(0, file.clone(), None, &metrics).ok()?;
        let mut opened = ParquetRecordBatchStreamBuilder::new(reader).await.ok()?;
        let mut all = Vec::with_capacity(wanted.0.len());
        for (name, _) in wanted.0.iter() {
            let column = Arc::new(read(&mut opened, name).await?);
            self.filters.keep(path, name, &column);
            all.push(column);
        }
        Some(all)
    }
}

/// Reads the filters of a column of text.
async fn read(
    opened: &mut ParquetRecordBatchStreamBuilder<Box<dyn AsyncFileReader>>,
    name: &str,
) -> Option<Column> {
    // What is kept beside the filters themselves.
    let (mut groups, mut bytes) = (Vec::new(), 256);
    for group in 0..opened.metadata().num_row_groups() {
        let chunks = opened.metadata().row_group(group).columns();
        let is_it = |chunk: &ColumnChunkMetaData| {
            chunk.column_path().parts() == [name] && chunk.column_type() == Type::BYTE_ARRAY
        };
        let Some(place) = chunks.iter().position(is_it) else {
            groups.push(Held::Unknown);
            continue;
        };
        let chunk = &chunks[place];
        let nulls = chunk.statistics().and_then(|statistics| statistics.null_count_opt());
        // The writer makes no filter for it.
        if nulls.is_some_and(|nulls| i64::try_from(nulls) == Ok(chunk.num_values())) {
            groups.push(Held::Nothing);
            continue;
        }
        let filter = opened.get_row_group_column_bloom_filter(group, place).await.ok()?;
        bytes += filter.as_ref().map_or(0, |filter| filter.num_blocks() * 32);
        groups.push(filter.map_or(Held::Unknown, Held::Among));
    }
    Some(Column { groups, bytes })
}
