//! Which files of a snapshot can hold a row that a filter wants: decided from the log alone.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, ColumnStatistics, Result, ScalarValue, Statistics};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use traillake_store::{ColumnStats, LiveFile, ScalarStat};

/// Per-file statistics are handed to DataFusion while files times columns stay below this: they
/// let a scan skip files it has not opened, but each cell costs some 300 bytes of memory.
const STATISTICS_CELLS_MAX: usize = 200_000;

/// What a table says of its partition: the column, and the time column it is the month of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Partitioning {
    /// The partition column, `YYYY-MM`.
    pub(crate) column: Option<String>,
    /// The column whose month it is.
    pub(crate) time_column: Option<String>,
}

/// Keeps the files that may hold a row for which `predicate` is true.
///
/// # Errors
/// When the predicate does not fit `schema`.
pub(crate) fn prune<'a>(
    files: Vec<&'a LiveFile>,
    schema: &SchemaRef,
    partitioning: &Partitioning,
    predicate: &Arc<dyn PhysicalExpr>,
) -> Result<Vec<&'a LiveFile>> {
    let Some(pruning) = pruning(schema, predicate) else { return Ok(files) };
    let statistics = FileStatistics { files: &files, schema, partitioning };
    let keep = pruning.prune(&statistics)?;
    Ok(files.into_iter().zip(keep).filter_map(|(file, keep)| keep.then_some(file)).collect())
}

/// What statistics can tell of `predicate`; none when they can rule nothing out.
fn pruning(schema: &SchemaRef, predicate: &Arc<dyn PhysicalExpr>) -> Option<Arc<PruningPredicate>> {
    let pruning = PruningPredicateBuilder::new()
        .with_file_schema(Arc::clone(schema))
        .with_max_in_list_size(crate::runtime::IN_LIST_PRUNED_MAX);
    pruning.build(Arc::clone(predicate)).filter(|pruning| !pruning.always_true())
}

/// Whether statistics or bloom filters can rule `predicate` out of a file, a row group or a page.
pub(crate) fn can_prune(schema: &SchemaRef, predicate: &Arc<dyn PhysicalExpr>) -> bool {
    pruning(schema, predicate).is_some()
}

/// The statistics of `files` in the columnar form that pruning wants.
struct FileStatistics<'a> {
    files: &'a [&'a LiveFile],
    schema: &'a SchemaRef,
    partitioning: &'a Partitioning,
}

impl FileStatistics<'_> {
    fn bounds(&self, column: &Column, bound: Bound) -> Option<ArrayRef> {
        let data_type = self.schema.field_with_name(column.name()).ok()?.data_type();
        let null = ScalarValue::try_from(data_type).ok()?;
        let mut known = false;
        let values = self.files.iter().map(|file| {
            let value = file_bound(file, column.name(), data_type, self.partitioning, bound);
            known |= value.is_some();
            value.unwrap_or_else(|| null.clone())
        });
        let array = ScalarValue::iter_to_array(values.collect::<Vec<_>>()).ok()?;
        known.then_some(array)
    }
}

impl PruningStatistics for FileStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, Bound::Min)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, Bound::Max)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let is_partition = self.partitioning.column.as_deref() == Some(column.name());
        let nulls = self.files.iter().map(|file| match is_partition {
            true => Some(if file.partition.is_none() { file.rows } else { 0 }),
            false => file.stats(column.name()).and_then(|stats| stats.nulls),
        });
        let nulls = UInt64Array::from(nulls.collect::<Vec<_>>());
        Some(Arc::new(nulls))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(UInt64Array::from_iter_values(self.files.iter().map(|file| file.rows))))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Min,
    Max,
}

/// The smallest or largest value of `column` in `file`, as far as the log tells.
fn file_bound(
    file: &LiveFile,
    column: &str,
    data_type: &DataType,
    partitioning: &Partitioning,
    bound: Bound,
) -> Option<ScalarValue> {
    if partitioning.column.as_deref() == Some(column) {
        return text(file.partition.clone()?, data_type);
    }
    let stat = file.stats(column).and_then(|stats| bound_of(stats, bound));
    match stat {
        Some(stat) => scalar(stat, data_type),
        None if partitioning.time_column.as_deref() == Some(column) => {
            let (first, next) = month(file.partition.as_deref()?)?;
            let edge = if bound == Bound::Min { first } else { next - 1 };
            scalar(&ScalarStat::Time(edge), data_type)
        }
        None => None,
    }
}

fn bound_of(stats: &ColumnStats, bound: Bound) -> Option<&ScalarStat> {
    match bound {
        Bound::Min => stats.min.as_ref(),
        Bound::Max => stats.max.as_ref(),
    }
}

/// Microseconds at which the month `YYYY-MM` begins, and at which the next one does.
pub(crate) fn month(text: &str) -> Option<(i64, i64)> {
    let first = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok()?;
    let next = match first.month() {
        12 => NaiveDate::from_ymd_opt(first.year() + 1, 1, 1)?,
        month => NaiveDate::from_ymd_opt(first.year(), month + 1, 1)?,
    };
    let micros =
        |day: NaiveDate| day.and_hms_opt(0, 0, 0).map(|at| at.and_utc().timestamp_micros());
    Some((micros(first)?, micros(next)?))
}

fn text(value: String, data_type: &DataType) -> Option<ScalarValue> {
    match data_type {
        DataType::Utf8View => Some(ScalarValue::Utf8View(Some(value))),
        DataType::Utf8 => Some(ScalarValue::Utf8(Some(value))),
        _ => None,
    }
}

fn scalar(stat: &ScalarStat, data_type: &DataType) -> Option<ScalarValue> {
    match (stat, data_type) {
        (ScalarStat::Time(micros), DataType::Timestamp(TimeUnit::Microsecond, zone)) => {
            Some(ScalarValue::TimestampMicrosecond(Some(*micros), zone.clone()))
        }
        (ScalarStat::Bool(value), DataType::Boolean) => Some(ScalarValue::Boolean(Some(*value))),
        (ScalarStat::Int(value), DataType::Int64) => Some(ScalarValue::Int64(Some(*value))),
        (ScalarStat::Int(value), DataType::Int32) => {
            i32::try_from(*value).ok().map(|value| ScalarValue::Int32(Some(value)))
        }
        (ScalarStat::Text(value), data_type) => text(value.clone(), data_type),
        _ => None,
    }
}

/// The statistics of one file over the columns of `schema` (without the partition column), none
/// where that would cost too much memory.
pub(crate) fn file_statistics(
    files: &[&LiveFile],
    schema: &SchemaRef,
) -> Vec<Option<Arc<Statistics>>> {
    if files.len().saturating_mul(schema.fields().len() + 1) > STATISTICS_CELLS_MAX {
        return vec![None; files.len()];
    }
    files
        .iter()
        .map(|file| {
            let column_statistics = schema
                .fields()
                .iter()
                .map(|field| match file.stats(field.name()) {
                    Some(stats) => column_statistics(stats, field.data_type(), Use::Skip),
                    None => ColumnStatistics::new_unknown(),
                })
                .collect();
            Some(Arc::new(Statistics {
                num_rows: Precision::Exact(file.rows as usize),
                total_byte_size: Precision::Absent,
                column_statistics,
            }))
        })
        .collect()
}

/// What a column's statistics in the log are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// To skip a file: bounds may be wider than the values. DataFusion skips by `Exact` ones only;
    /// should both bounds be equal, then so is every value.
    Skip,
    /// To answer `min` and `max` without reading: they must be values. Text in the log may be cut
    /// short, and times are kept in milliseconds there, so only those of other types are.
    Answer,
}

fn column_statistics(stats: &ColumnStats, data_type: &DataType, purpose: Use) -> ColumnStatistics {
    let precision = |stat: &Option<ScalarStat>| match stat.as_ref() {
        None => Precision::Absent,
        Some(stat) => match scalar(stat, data_type) {
            None => Precision::Absent,
            Some(value) if purpose == Use::Answer && is_rounded(stat) => Precision::Inexact(value),
            Some(value) => Precision::Exact(value),
        },
    };
    ColumnStatistics {
        null_count: stats.nulls.map_or(Precision::Absent, |n| Precision::Exact(n as usize)),
        min_value: precision(&stats.min),
        max_value: precision(&stats.max),
        ..ColumnStatistics::new_unknown()
    }
}

fn is_rounded(stat: &ScalarStat) -> bool {
    matches!(stat, ScalarStat::Text(_) | ScalarStat::Time(_))
}

/// The statistics of all `files` together over the columns of `schema`: exact row counts, so that
/// `count(*)`, `min` and `max` of an unfiltered table read no data.
pub(crate) fn table_statistics(files: &[&LiveFile], schema: &SchemaRef) -> Statistics {
    let column_statistics = schema
        .fields()
        .iter()
        .map(|field| {
            files
                .iter()
                .filter(|file| file.rows > 0)
                .map(|file| match file.stats(field.name()) {
                    Some(stats) => column_statistics(stats, field.data_type(), Use::Answer),
                    None => ColumnStatistics::new_unknown(),
                })
                .reduce(|a, b| merge(&a, &b))
                .unwrap_or_else(ColumnStatistics::new_unknown)
        })
        .collect();
    Statistics {
        num_rows: Precision::Exact(files.iter().map(|file| file.rows as usize).sum()),
        total_byte_size: Precision::Inexact(files.iter().map(|file| file.size as usize).sum()),
        column_statistics,
    }
}

fn merge(a: &ColumnStatistics, b: &ColumnStatistics) -> ColumnStatistics {
    ColumnStatistics {
        null_count: a.null_count.add(&b.null_count),
        min_value: a.min_value.min(&b.min_value),
        max_value: a.max_value.max(&b.max_value),
        ..ColumnStatistics::new_unknown()
    }
}

/// The time range of `column` over `files`, from the log; none when no file tells.
pub(crate) fn time_range(
    files: &[LiveFile],
    column: &str,
) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let edge = |bound| {
        files.iter().filter_map(move |file| match bound_of(file.stats(column)?, bound)? {
            ScalarStat::Time(micros) => Some(*micros),
            _ => None,
        })
    };
    let first = edge(Bound::Min).min().and_then(DateTime::from_timestamp_micros)?;
    let last = edge(Bound::Max).max().and_then(DateTime::from_timestamp_micros)?;
    Some((first, last))
}
