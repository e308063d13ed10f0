//! Objects whose inflated bytes are already in the store.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{AsArray, BinaryArray, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};

use super::known::key_columns;
use crate::data_file::open;
use crate::error::{Error, Result};
use crate::input::ObjectState;
use crate::snapshot::LiveFile;

/// Ledger files read at the same time.
const FILES_AT_ONCE: usize = 4;
/// Up to this many hashes, filters are asked; for more, the hashes of a file are read and kept,
/// because one of many misses a filter of 1 % only by luck.
const ASK_FILTERS_MAX: usize = 32;
/// Bytes of hashes kept, 8 an object.
const KEPT_BYTES_MAX: usize = 64 << 20;

type Hash = [u8; 32];

/// Finds objects by the SHA-256 of their inflated bytes, and remembers what it read: the files of a
/// ledger never change.
#[derive(Debug, Default)]
pub(crate) struct InflatedIndex {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The first 8 bytes of the hashes of a file's objects, sorted.
    files: HashMap<Path, Arc<[u64]>>,
    bytes: usize,
}

impl InflatedIndex {
    /// The `object_key` of an object whose rows stand, for each of `hashes` that has one. Of
    /// several the first committed. An object that was refused, or is a copy itself, is never the
    /// answer: nothing of it is in the store.
    ///
    /// # Errors
    /// [`Error::Storage`] when a file cannot be read, [`Error::Corrupt`] when it is not the
    /// ledger's.
    pub async fn find(
        &self,
        objects: &Arc<dyn ObjectStore>,
        files: &[LiveFile],
        hashes: &[Hash],
    ) -> Result<HashMap<Hash, String>> {
        if hashes.is_empty() {
            return Ok(HashMap::new());
        }
        self.forget_all_but(files);
        let mut first: HashMap<Hash, (i64, String)> = HashMap::new();
        let reads: Vec<_> =
            files.iter().map(|file| self.find_in_file(objects, file, hashes)).collect();
        let mut reads = futures::stream::iter(reads).buffer_unordered(FILES_AT_ONCE);
        while let Some(found) = reads.try_next().await? {
            for (hash, object) in found {
                let known = first.entry(hash).or_insert_with(|| object.clone());
                if object < *known {
                    *known = object;
                }
            }
        }
        Ok(first.into_iter().map(|(hash, (_, key))| (hash, key)).collect())
    }

    async fn find_in_file(
        &self,
        objects: &Arc<dyn ObjectStore>,
        file: &LiveFile,
        hashes: &[Hash],
    ) -> Result<Vec<(Hash, (i64, String))>> {
        let kept = self.kept(&file.path);
        let candidates: HashSet<Hash> = match kept {
            Some(prefixes) => held(&prefixes, hashes),
            None if hashes.len() <= ASK_FILTERS_MAX => ask_filters(objects, file, hashes).await?,
            None => {
                let prefixes = read_prefixes(objects, file).await?;
                self.keep(&file.path, &prefixes);
                held(&prefixes, hashes)
            }
        };
        if candidates.is_empty() {
            Ok(Vec::new())
        } else {
            read_rows(objects, file, candidates).await
        }
    }

    fn kept(&self, path: &Path) -> Option<Arc<[u64]>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).files.get(path).cloned()
    }

    /// Forgets files that were replaced since, which would leave no room for those that are.
    fn forget_all_but(&self, files: &[LiveFile]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.files.len() > files.len() {
            let live: HashSet<&Path> = files.iter().map(|file| &file.path).collect();
            kept.files.retain(|path, _| live.contains(path));
            kept.bytes = kept.files.values().map(|prefixes| size_of_val::<[u64]>(prefixes)).sum();
        }
    }

    fn keep(&self, path: &Path, prefixes: &Arc<[u64]>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = size_of_val::<[u64]>(prefixes);
        if kept.bytes + bytes <= KEPT_BYTES_MAX
            && kept.files.insert(path.clone(), prefixes.clone()).is_none()
        {
            kept.bytes += bytes;
        }
    }
}

fn prefix(hash: &[u8]) -> u64 {
    hash.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn held(prefixes: &[u64], hashes: &[Hash]) -> HashSet<Hash> {
    hashes.iter().filter(|hash| prefixes.binary_search(&prefix(*hash)).is_ok()).copied().collect()
}

/// The hashes that the filters of a file do not rule out; all where it has no filter.
async fn ask_filters(
    objects: &Arc<dyn ObjectStore>,
    file: &LiveFile,
    hashes: &[Hash],
) -> Result<HashSet<Hash>> {
    let failed = |e| Error::storage(format!("read `{}`", file.path), e);
    let mut builder = open(objects, file).await?;
    let columns = builder.parquet_schema().columns();
    let column = columns.iter().position(|column| column.name() == "inflated_sha256");
    let column = column.ok_or_else(|| not_ledger(file))?;
    let mut held = HashSet::new();
    for group in 0..builder.metadata().num_row_groups() {
        let filter =
            builder.get_row_group_column_bloom_filter(group, column).await.map_err(failed)?;
        let may_hold = |hash: &&Hash| filter.as_ref().is_none_or(|f| f.check(hash.as_slice()));
        held.extend(hashes.iter().filter(may_hold));
    }
    Ok(held)
}

/// The first bytes of every hash in a file.
async fn read_prefixes(objects: &Arc<dyn ObjectStore>, file: &LiveFile) -> Result<Arc<[u64]>> {
    let failed = |e| Error::storage(format!("read `{}`", file.path), e);
    let builder = open(objects, file).await?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["inflated_sha256"]);
    let mut stream = builder.with_projection(mask).build().map_err(failed)?;
    let mut prefixes = Vec::new();
    while let Some(batch) = stream.try_next().await.map_err(failed)? {
        let hashes = hash_column(&batch).ok_or_else(|| not_ledger(file))?;
        prefixes.extend(hashes.iter().flatten().map(prefix));
    }
    prefixes.sort_unstable();
    Ok(prefixes.into())
}

/// The objects of a file with one of these hashes whose rows stand: their round and key.
async fn read_rows(
    objects: &Arc<dyn ObjectStore>,
    file: &LiveFile,
    hashes: HashSet<Hash>,
) -> Result<Vec<(Hash, (i64, String))>> {
    let failed = |e| Error::storage(format!("read `{}`", file.path), e);
    let builder = open(objects, file).await?;
    let schema = builder.parquet_schema();
    let columns = ["inflated_sha256", "key_prefix", "logical_key", "state", "round"];
    let all = ProjectionMask::columns(schema, columns);
    let only_hash = ProjectionMask::columns(schema, ["inflated_sha256"]);
    let filter = ArrowPredicateFn::new(only_hash, move |batch| {
        let column =
            hash_column(&batch).ok_or_else(|| ArrowError::CastError("hashes expected".into()))?;
        let wanted = |hash: Option<&[u8]>| Some(hash.is_some_and(|hash| hashes.contains(hash)));
        Ok(column.iter().map(wanted).collect::<BooleanArray>())
    });
    let mut stream = builder
        .with_projection(all)
        .with_row_filter(RowFilter::new(vec![Box::new(filter)]))
        .build()
        .map_err(failed)?;
    let mut found = Vec::new();
    while let Some(batch) = stream.try_next().await.map_err(failed)? {
        found.extend(standing(&batch).ok_or_else(|| not_ledger(file))?);
    }
    Ok(found)
}

fn standing(batch: &RecordBatch) -> Option<Vec<(Hash, (i64, String))>> {
    let hashes = hash_column(batch)?;
    let (prefixes, rests) = key_columns(batch)?;
    let states: &StringArray = batch.column_by_name("state")?.as_string_opt::<i32>()?;
    let rounds = batch.column_by_name("round")?.as_primitive_opt::<Int64Type>()?;
    let stands = |row: &usize| {
        let state = ObjectState::parse(states.value(*row));
        matches!(state, Some(ObjectState::Read | ObjectState::Changed))
    };
    let object = |row: usize| {
        let key = format!("{}{}", prefixes.value(row), rests.value(row));
        Some((hashes.value(row).try_into().ok()?, (rounds.value(row), key)))
    };
    (0..batch.num_rows()).filter(stands).map(object).collect()
}

fn hash_column(batch: &RecordBatch) -> Option<&BinaryArray> {
    batch.column_by_name("inflated_sha256")?.as_binary_opt::<i32>()
}

fn not_ledger(file: &LiveFile) -> Error {
    Error::corrupt(format!("`{}`", file.path), "not a file of the ledger")
}
