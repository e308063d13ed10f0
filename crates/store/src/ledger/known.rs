//! What the ledger knows about keys.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use chrono::DateTime;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use xxhash_rust::xxh3::xxh3_64;

use crate::data_file::{Footer, OpenFile};
use crate::error::{Error, Result};
use crate::input::{KnownObject, ObjectState};
use crate::keys::HashItself;
use crate::snapshot::LiveFile;

/// Round, object id, and what that row of the ledger says.
type Row = (i64, i64, KnownObject);

/// Ledger files read at the same time.
const FILES_AT_ONCE: usize = 4;
/// Their row groups that are read at the same time, on a machine with as many cores: each takes some
/// megabytes.
const ROW_GROUPS_AT_ONCE_MAX: usize = 8;

/// Keys to look up.
struct Wanted {
    /// In their order.
    keys: Vec<Box<str>>,
    /// Their places, by their hash.
    by_hash: HashMap<u64, Vec<usize>, BuildHasherDefault<HashItself>>,
}

impl Wanted {
    fn of(keys: &[&str]) -> Wanted {
        let mut keys: Vec<Box<str>> = keys.iter().map(|key| Box::from(*key)).collect();
        keys.sort_unstable();
        let mut by_hash: HashMap<u64, Vec<usize>, _> = HashMap::default();
        for (place, key) in keys.iter().enumerate() {
            by_hash.entry(xxh3_64(key.as_bytes())).or_default().push(place);
        }
        Wanted { keys, by_hash }
    }

    /// The place of a key that is wanted.
    fn find(&self, key: &str) -> Option<usize> {
        let places = self.by_hash.get(&xxh3_64(key.as_bytes()))?;
        places.iter().copied().find(|place| &*self.keys[*place] == key)
    }

    /// Whether a wanted key begins with `prefix`, and its rest stands from `min` to `max`.
    fn any_between(&self, prefix: &str, min: &str, max: &str) -> bool {
        let from = [prefix, min].concat();
        let first = self.keys.partition_point(|key| **key < *from);
        self.keys
            .get(first)
            .and_then(|key| key.strip_prefix(prefix))
            .is_some_and(|rest| rest <= max)
    }
}

/// What the ledger's `files` know about `keys`; a key that is not in the answer is in none of them.
/// Only row groups that may hold one of the keys are read, and of those only the columns asked for.
///
/// # Errors
/// [`Error::Storage`] when a file cannot be read, [`Error::Corrupt`] when it is not the ledger's.
pub(crate) async fn known(
    objects: &Arc<dyn ObjectStore>,
    files: &[LiveFile],
    keys: &[&str],
) -> Result<HashMap<String, KnownObject>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let wanted = Arc::new(Wanted::of(keys));
    let mut newest: HashMap<usize, Row> = HashMap::new();
    // Of a long listing nothing takes as long as to hash every key of the ledger.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let turns = Arc::new(Semaphore::new(cores.min(ROW_GROUPS_AT_ONCE_MAX)));
    let reads: Vec<_> = files.iter().map(|file| of_file(objects, file, &wanted, &turns)).collect();
    let mut reads = futures::stream::iter(reads).buffer_unordered(FILES_AT_ONCE);
    while let Some(found) = reads.try_next().await? {
        for (place, row) in found {
            let known = newest.entry(place).or_insert_with(|| row.clone());
            if (known.0, known.1) < (row.0, row.1) {
                *known = row;
            }
        }
    }
    let named = |(place, (.., known)): (usize, Row)| (wanted.keys[place].to_string(), known);
    Ok(newest.into_iter().map(named).collect())
}

/// The rows of one file, with the places of their keys. Its row groups are read one by one as `turns`
/// allow, on whatever core is idle.
async fn of_file(
    objects: &Arc<dyn ObjectStore>,
    file: &LiveFile,
    wanted: &Arc<Wanted>,
    turns: &Arc<Semaphore>,
) -> Result<Vec<(usize, Row)>> {
    let footer = Footer::read(objects, file).await?;
    let groups = row_groups(&footer.open(), wanted)
        .map_err(|e| Error::storage(format!("read `{}`", file.path), e))?;
    let mut reads = JoinSet::new();
    for group in groups {
        let (wanted, turns, path) = (wanted.clone(), turns.clone(), file.path.clone());
        let opened = footer.open();
        reads.spawn(async move {
            let _turn = turns.acquire().await;
            of_row_group(opened, group, path, wanted).await
        });
    }
    let mut found = Vec::new();
    while let Some(read) = reads.join_next().await {
        let read = read.map_err(|e| Error::storage(format!("read `{}`", file.path), e))?;
        found.extend(read?);
    }
    Ok(found)
}

async fn of_row_group(
    file: OpenFile,
    group: usize,
    path: Path,
    wanted: Arc<Wanted>,
) -> Result<Vec<(usize, Row)>> {
    let failed = |e| Error::storage(format!("read `{path}`"), e);
    let columns = ["size_bytes", "etag", "modified_at", "sha256", "state", "round", "object_id"];
    let schema = file.parquet_schema();
    let key = ProjectionMask::columns(schema, ["key_prefix", "logical_key"]);
    let mut all = ProjectionMask::columns(schema, columns);
    all.union(&key);
    let sought = wanted.clone();
    let filter = ArrowPredicateFn::new(key, move |batch| {
        let places = places(&batch, &sought);
        let places = places.ok_or_else(|| ArrowError::CastError("keys expected".into()))?;
        Ok(places.into_iter().map(|place| Some(place.is_some())).collect::<BooleanArray>())
    });
    let mut stream = file
        .with_row_groups(vec![group])
        .with_projection(all)
        .with_row_filter(RowFilter::new(vec![Box::new(filter)]))
        .build()
        .map_err(failed)?;
    let mut found = Vec::new();
    while let Some(batch) = stream.try_next().await.map_err(failed)? {
        let rows = known_rows(&batch, &wanted)
            .ok_or_else(|| Error::corrupt(format!("`{path}`"), "not a file of the ledger"))?;
        found.extend(rows);
    }
    Ok(found)
}

/// For each row of a batch, the place of its key if that is wanted.
fn places(batch: &RecordBatch, wanted: &Wanted) -> Option<Vec<Option<usize>>> {
    let (prefixes, rests) = key_columns(batch)?;
    let mut key = String::new();
    let place = |row| {
        key.clear();
        key.push_str(prefixes.value(row));
        key.push_str(rests.value(row));
        wanted.find(&key)
    };
    Some((0..batch.num_rows()).map(place).collect())
}

fn known_rows(batch: &RecordBatch, wanted: &Wanted) -> Option<Vec<(usize, Row)>> {
    let int = |name| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>();
    let text = |name| batch.column_by_name(name)?.as_string_opt::<i32>();
    let (sizes, rounds, ids) = (int("size_bytes")?, int("round")?, int("object_id")?);
    let (etags, states) = (text("etag")?, text("state")?);
    let modified = batch.column_by_name("modified_at")?;
    let modified = modified.as_primitive_opt::<TimestampMicrosecondType>()?;
    let hashes = batch.column_by_name("sha256")?.as_binary_opt::<i32>()?;
    let mut rows = Vec::new();
    for (row, place) in places(batch, wanted)?.into_iter().enumerate() {
        let Some(place) = place else { continue };
        let known = KnownObject {
            size_bytes: sizes.value(row) as u64,
            etag: etags.is_valid(row).then(|| etags.value(row).to_string()),
            modified_at: modified
                .is_valid(row)
                .then(|| DateTime::from_timestamp_micros(modified.value(row)))
                .flatten(),
            sha256: hashes.is_valid(row).then(|| hashes.value(row).try_into().ok()).flatten(),
            state: ObjectState::parse(states.value(row))?,
        };
        rows.push((place, (rounds.value(row), ids.value(row), known)));
    }
    Some(rows)
}

/// The two halves of the keys of a batch.
pub(super) fn key_columns(
    batch: &RecordBatch,
) -> Option<(&arrow::array::StringArray, &arrow::array::StringArray)> {
    let text = |name| batch.column_by_name(name)?.as_string_opt::<i32>();
    Some((text("key_prefix")?, text("logical_key")?))
}

/// The row groups that may hold one of the keys. Statistics are bounds, possibly cut short, so a row
/// group can be left out when all its keys begin alike and the rest of no wanted key is in range.
fn row_groups(
    file: &OpenFile,
    wanted: &Wanted,
) -> Result<Vec<usize>, parquet::errors::ParquetError> {
    let groups = file.metadata().row_groups();
    let bounds = |name| -> Result<(ArrayRef, ArrayRef), parquet::errors::ParquetError> {
        let converter = StatisticsConverter::try_new(name, file.schema(), file.parquet_schema())?;
        Ok((converter.row_group_mins(groups)?, converter.row_group_maxes(groups)?))
    };
    let (prefix_min, prefix_max) = bounds("key_prefix")?;
    let (rest_min, rest_max) = bounds("logical_key")?;
    let bound = |bounds: &'_ ArrayRef, group: usize| {
        let bounds = bounds.as_string_opt::<i32>()?;
        bounds.is_valid(group).then(|| bounds.value(group).to_string())
    };
    let may_hold = |group: &usize| {
        let same = bound(&prefix_min, *group).zip(bound(&prefix_max, *group));
        let Some((prefix, _)) = same.filter(|(min, max)| min == max) else { return true };
        let range = bound(&rest_min, *group).zip(bound(&rest_max, *group));
        let Some((min, max)) = range else { return true };
        wanted.any_between(&prefix, &min, &max)
    };
    Ok((0..groups.len()).filter(may_hold).collect())
}
