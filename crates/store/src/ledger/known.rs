//! What the ledger knows about keys.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use chrono::DateTime;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};
use xxhash_rust::xxh3::Xxh3Default;

use crate::data_file::{OpenFile, open};
use crate::error::{Error, Result};
use crate::input::{KnownObject, ObjectState};
use crate::snapshot::LiveFile;

/// Round, object id, and what that row of the ledger says.
type Row = (i64, i64, KnownObject);

/// Ledger files read at the same time.
const FILES_AT_ONCE: usize = 4;

/// Keys to look up, by their hash.
struct Wanted<'a> {
    keys: Vec<&'a str>,
    by_hash: HashMap<u64, Vec<usize>>,
}

impl<'a> Wanted<'a> {
    fn of(keys: &[&'a str]) -> Wanted<'a> {
        let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::new();
        for (place, key) in keys.iter().enumerate() {
            by_hash.entry(key_hash(key, "")).or_default().push(place);
        }
        Wanted { keys: keys.to_vec(), by_hash }
    }

    /// The key spelled `prefix` and `rest`, if it is wanted.
    fn find(&self, prefix: &str, rest: &str) -> Option<&'a str> {
        let spelled = |key: &&str| key.strip_prefix(prefix).is_some_and(|end| end == rest);
        self.by_hash
            .get(&key_hash(prefix, rest))?
            .iter()
            .map(|place| self.keys[*place])
            .find(spelled)
    }
}

fn key_hash(prefix: &str, rest: &str) -> u64 {
    let mut hash = Xxh3Default::new();
    hash.update(prefix.as_bytes());
    hash.update(rest.as_bytes());
    hash.digest()
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
    let wanted = Arc::new(Wanted::of(keys));
    let mut newest: HashMap<&str, Row> = HashMap::new();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let reads: Vec<_> = files.iter().map(|file| of_file(objects, file, &wanted)).collect();
    let mut reads = futures::stream::iter(reads).buffer_unordered(FILES_AT_ONCE);
    while let Some(found) = reads.try_next().await? {
        for (key, row) in found {
            let known = newest.entry(key).or_insert_with(|| row.clone());
            if (known.0, known.1) < (row.0, row.1) {
                *known = row;
            }
        }
    }
    Ok(newest.into_iter().map(|(key, (.., known))| (key.to_string(), known)).collect())
}

/// The rows of one file, with their keys.
async fn of_file<'a>(
    objects: &Arc<dyn ObjectStore>,
    file: &LiveFile,
    wanted: &Arc<Wanted<'a>>,
) -> Result<Vec<(&'a str, Row)>> {
    let failed = |e| Error::storage(format!("read `{}`", file.path), e);
    let builder = open(objects, file).await?;
    let groups = row_groups(&builder, wanted).map_err(failed)?;
    let columns = ["size_bytes", "etag", "modified_at", "sha256", "state", "round", "object_id"];
    let schema = builder.parquet_schema();
    let key = ProjectionMask::columns(schema, ["key_prefix", "logical_key"]);
    let mut all = ProjectionMask::columns(schema, columns);
    all.union(&key);
    // The predicate must own what it looks at: hashes suffice there, keys are compared below.
    let hashes: std::collections::HashSet<u64> = wanted.by_hash.keys().copied().collect();
    let filter = ArrowPredicateFn::new(key, move |batch| {
        let (prefixes, rests) =
            key_columns(&batch).ok_or_else(|| ArrowError::CastError("keys expected".into()))?;
        let rows = prefixes.iter().zip(rests.iter());
        let held = |(prefix, rest): (Option<&str>, Option<&str>)| {
            Some(hashes.contains(&key_hash(prefix.unwrap_or_default(), rest.unwrap_or_default())))
        };
        Ok(rows.map(held).collect::<BooleanArray>())
    });
    let mut stream = builder
        .with_row_groups(groups)
        .with_projection(all)
        .with_row_filter(RowFilter::new(vec![Box::new(filter)]))
        .build()
        .map_err(failed)?;
    let mut found = Vec::new();
    while let Some(batch) = stream.try_next().await.map_err(failed)? {
        let rows = known_rows(&batch, wanted).ok_or_else(|| {
            Error::corrupt(format!("`{}`", file.path), "not a file of the ledger")
        })?;
        found.extend(rows);
    }
    Ok(found)
}

fn known_rows<'a>(batch: &RecordBatch, wanted: &Wanted<'a>) -> Option<Vec<(&'a str, Row)>> {
    let (prefixes, rests) = key_columns(batch)?;
    let int = |name| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>();
    let text = |name| batch.column_by_name(name)?.as_string_opt::<i32>();
    let (sizes, rounds, ids) = (int("size_bytes")?, int("round")?, int("object_id")?);
    let (etags, states) = (text("etag")?, text("state")?);
    let modified = batch.column_by_name("modified_at")?;
    let modified = modified.as_primitive_opt::<TimestampMicrosecondType>()?;
    let hashes = batch.column_by_name("sha256")?.as_binary_opt::<i32>()?;
    let mut rows = Vec::new();
    for row in 0..batch.num_rows() {
        let Some(key) = wanted.find(prefixes.value(row), rests.value(row)) else { continue };
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
        rows.push((key, (rounds.value(row), ids.value(row), known)));
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
    wanted: &Wanted<'_>,
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
        let in_range = |rest: &str| min.as_str() <= rest && rest <= max.as_str();
        wanted.keys.iter().any(|key| key.strip_prefix(prefix.as_str()).is_some_and(in_range))
    };
    Ok((0..groups.len()).filter(may_hold).collect())
}
