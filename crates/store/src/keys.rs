//! A streaming look at the rows of live files that may share an identity with rows of a round.
//!
//! Files, row groups and pages that hold none of the round's times are not read; of the rest only
//! the columns asked for, one batch at a time.

use std::collections::HashSet;
use std::hash::Hasher;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use futures::TryStreamExt;
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::{ArrowPredicate, ArrowPredicateFn, RowFilter};
use parquet::arrow::{ProjectionMask, arrow_reader::statistics::StatisticsConverter};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::data_file::{self, OpenFile};
use crate::error::{Error, Result};
use crate::snapshot::{LiveFile, ScalarStat};
use crate::spec::Identity;

/// The columns of a batch that make rows the same record.
#[derive(Debug, Clone)]
pub(crate) struct KeyColumns {
    ids: StringArray,
    accounts: StringArray,
    times: TimestampMicrosecondArray,
    fingerprints: Option<Int64Array>,
}

impl KeyColumns {
    /// The key columns of `batch`; none when one is missing or of another type. A batch without
    /// fingerprints can only hold rows that have an id.
    pub fn of(identity: &Identity, batch: &RecordBatch) -> Option<KeyColumns> {
        let text = |name| batch.column_by_name(name)?.as_string_opt::<i32>().cloned();
        let [id, account, time] = identity.columns;
        Some(KeyColumns {
            ids: text(id)?,
            accounts: text(account)?,
            times: batch
                .column_by_name(time)?
                .as_primitive_opt::<TimestampMicrosecondType>()?
                .clone(),
            fingerprints: match batch.column_by_name(identity.fingerprint) {
                Some(array) => Some(array.as_primitive_opt::<Int64Type>()?.clone()),
                None => None,
            },
        })
    }

    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    /// The id of a row. An empty id names nothing and counts as none.
    pub fn id(&self, row: usize) -> Option<&str> {
        (self.ids.is_valid(row) && !self.ids.value(row).is_empty()).then(|| self.ids.value(row))
    }

    /// The time of a row, microseconds since 1970.
    pub fn time(&self, row: usize) -> Option<i64> {
        self.times.is_valid(row).then(|| self.times.value(row))
    }

    /// The hash of the row's record; 0 where the batch has none.
    pub fn fingerprint(&self, row: usize) -> i64 {
        self.fingerprints.as_ref().map_or(0, |fingerprints| fingerprints.value(row))
    }

    fn account(&self, row: usize) -> Option<&str> {
        self.accounts.is_valid(row).then(|| self.accounts.value(row))
    }

    /// Id, account and time of a row.
    pub fn values(&self, row: usize) -> (Option<&str>, Option<&str>, Option<i64>) {
        (self.id(row), self.account(row), self.time(row))
    }

    /// What two rows must share to be one record: id, account and time, null equal to null. The
    /// hash of the record stands in for a missing id.
    fn key(&self, row: usize) -> (Result<&str, i64>, Option<&str>, Option<i64>) {
        (self.id(row).ok_or(self.fingerprint(row)), self.account(row), self.time(row))
    }

    /// A hash of the row's key. Equal keys have equal hashes; the converse is for
    /// [`KeyColumns::same`] to confirm.
    pub fn hash(&self, row: usize, buffer: &mut Vec<u8>) -> u128 {
        let (id, account, time) = self.key(row);
        buffer.clear();
        match id {
            Ok(id) => {
                buffer.push(1);
                buffer.extend_from_slice(&(id.len() as u64).to_le_bytes());
                buffer.extend_from_slice(id.as_bytes());
            }
            Err(fingerprint) => {
                buffer.push(0);
                buffer.extend_from_slice(&fingerprint.to_le_bytes());
            }
        }
        buffer.push(u8::from(time.is_some()));
        buffer.extend_from_slice(&time.unwrap_or_default().to_le_bytes());
        buffer.push(u8::from(account.is_some()));
        buffer.extend_from_slice(account.unwrap_or_default().as_bytes());
        xxh3_128(buffer)
    }

    /// Whether two rows have the same identity.
    pub fn same(&self, row: usize, other: &KeyColumns, other_row: usize) -> bool {
        self.key(row) == other.key(other_row)
    }

    /// The order of two rows' keys; only its consistency matters.
    pub fn order(&self, row: usize, other: &KeyColumns, other_row: usize) -> std::cmp::Ordering {
        self.key(row).cmp(&other.key(other_row))
    }
}

/// What to look for in live files: every row whose time, and whose id if ids are given, is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    identity: Identity,
    times: Arc<HashSet<i64>>,
    sorted: Arc<Vec<i64>>,
    ids: Option<Arc<HashSet<u64>>>,
}

impl Search {
    /// A search for rows at any of `times`.
    pub fn at(identity: Identity, times: HashSet<i64>) -> Search {
        let mut sorted: Vec<i64> = times.iter().copied().collect();
        sorted.sort_unstable();
        Search { identity, times: Arc::new(times), sorted: Arc::new(sorted), ids: None }
    }

    /// The same search, for rows with one of `ids` only. Not every row found has one of them.
    pub fn with_ids<'a>(mut self, ids: impl Iterator<Item = Option<&'a str>>) -> Search {
        self.ids = Some(Arc::new(ids.map(id_hash).collect()));
        self
    }

    /// Whether a file may hold what is looked for.
    pub fn may_hold(&self, file: &LiveFile) -> bool {
        let bound = |stat: Option<&ScalarStat>| match stat {
            Some(ScalarStat::Time(micros)) => Some(*micros),
            _ => None,
        };
        let stats = file.stats(self.identity.columns[2]);
        let min = bound(stats.and_then(|stats| stats.min.as_ref()));
        let max = bound(stats.and_then(|stats| stats.max.as_ref()));
        self.any_between(min, max)
    }

    fn any_between(&self, min: Option<i64>, max: Option<i64>) -> bool {
        let first = min.map_or(0, |min| self.sorted.partition_point(|time| *time < min));
        self.sorted.get(first).is_some_and(|time| max.is_none_or(|max| *time <= max))
    }

    /// Calls `on_batch` with the rows found in `file`, its key columns and those of `more` (none:
    /// every column).
    ///
    /// # Errors
    /// [`Error::Storage`] when the file cannot be read; whatever `on_batch` returns.
    pub async fn scan(
        &self,
        objects: &Arc<dyn ObjectStore>,
        file: &LiveFile,
        more: Option<&[&str]>,
        mut on_batch: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let failed = |e| Error::storage(format!("read `{}`", file.path), e);
        let builder = data_file::open(objects, file).await?;
        let groups = self.row_groups(&builder).map_err(failed)?;
        let schema = builder.parquet_schema();
        let [id, account, time] = self.identity.columns;
        let only = |names: Vec<&str>| ProjectionMask::columns(schema, names);
        let mask = match more {
            Some(more) => {
                only([id, account, time].into_iter().chain(more.iter().copied()).collect())
            }
            None => ProjectionMask::all(),
        };
        let mut filters = vec![self.time_filter(only(vec![time]))];
        filters.extend(self.id_filter(only(vec![id])));
        let mut stream = builder
            .with_row_groups(groups)
            .with_projection(mask)
            .with_row_filter(RowFilter::new(filters))
            .build()
            .map_err(failed)?;
        while let Some(batch) = stream.try_next().await.map_err(failed)? {
            on_batch(&batch)?;
        }
        Ok(())
    }

    /// The row groups that may hold a time looked for.
    fn row_groups(&self, file: &OpenFile) -> Result<Vec<usize>, parquet::errors::ParquetError> {
        let time = self.identity.columns[2];
        let groups = file.metadata().row_groups();
        let converter = StatisticsConverter::try_new(time, file.schema(), file.parquet_schema())?;
        let mins = converter.row_group_mins(groups)?;
        let maxes = converter.row_group_maxes(groups)?;
        let bound = |bounds: &ArrayRef, group: usize| {
            let bounds = bounds.as_primitive_opt::<TimestampMicrosecondType>()?;
            bounds.is_valid(group).then(|| bounds.value(group))
        };
        let held = |group: &usize| self.any_between(bound(&mins, *group), bound(&maxes, *group));
        Ok((0..groups.len()).filter(held).collect())
    }

    fn time_filter(&self, mask: ProjectionMask) -> Box<dyn ArrowPredicate> {
        let times = self.times.clone();
        Box::new(ArrowPredicateFn::new(mask, move |batch| {
            let column = batch.column(0).as_primitive_opt::<TimestampMicrosecondType>();
            let column = column.ok_or_else(|| ArrowError::CastError("times expected".into()))?;
            Ok(column.iter().map(|time| Some(time.is_none_or(|t| times.contains(&t)))).collect())
        }))
    }

    fn id_filter(&self, mask: ProjectionMask) -> Option<Box<dyn ArrowPredicate>> {
        let ids = self.ids.clone()?;
        Some(Box::new(ArrowPredicateFn::new(mask, move |batch| {
            let column = batch.column(0).as_string_opt::<i32>();
            let column = column.ok_or_else(|| ArrowError::CastError("ids expected".into()))?;
            let wanted = |id| Some(ids.contains(&id_hash(id)));
            Ok(column.iter().map(wanted).collect::<BooleanArray>())
        })))
    }
}

fn id_hash(id: Option<&str>) -> u64 {
    xxh3_64(id.unwrap_or_default().as_bytes())
}

/// For maps whose keys are hashes already.
#[derive(Default)]
pub(crate) struct HashItself(u64);

impl Hasher for HashItself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
