//! Objects whose inflated bytes are already in the store.

use std::collections::{HashMap, HashSet};
use std::io;
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
use super::prefixes::Prefixes;
use crate::data_file::{OpenFile, open, open_whole};
use crate::error::{Error, Result};
use crate::input::ObjectState;
use crate::snapshot::LiveFile;

/// Ledger files read at the same time.
const FILES_AT_ONCE: usize = 4;
/// Up to this many hashes, filters are asked; for more, the hashes of a file are read and kept,
/// because one of many misses a filter of 1 % only by luck.
const ASK_FILTERS_MAX: usize = 32;
/// A file of at most so many bytes is read whole, once, and its hashes are kept: to open it takes as
/// long, and a lake that nobody has tended yet has thousands.
const SMALL_BYTES: u64 = 1 << 20;
/// A file whose filters were asked so often is read, too: filters take a twenty-fifth of the bytes.
const ASKED_MAX: u32 = 25;
/// Bytes of hashes kept in memory, 8 an object: of eight million. Those of others are set aside on
/// disk, or a lake of half a billion objects would be read again for every few that come.
const KEPT_BYTES_MAX: usize = 64 << 20;

type Hash = [u8; 32];

/// Finds objects by the SHA-256 of their inflated bytes, and remembers what it read: the files of a
/// ledger never change.
#[derive(Debug, Default)]
pub(crate) struct InflatedIndex {
    kept: Mutex<Kept>,
    /// Whose turn it is to read the hashes of a file, 32 bytes an object: one at a time.
    reading: tokio::sync::Mutex<()>,
    /// Bytes of hashes kept in memory; none: [`KEPT_BYTES_MAX`].
    bytes_max: Option<usize>,
}

#[derive(Debug, Default)]
struct Kept {
    /// What is known of the hashes of a file's objects.
    files: HashMap<Path, Prefixes>,
    bytes: usize,
    /// How often the filters of the other files were asked.
    asked: HashMap<Path, u32>,
}

impl InflatedIndex {
    /// One that keeps fewer bytes of hashes in memory.
    #[cfg(test)]
    pub(crate) fn with_bytes_max(bytes: usize) -> InflatedIndex {
        InflatedIndex { bytes_max: Some(bytes), ..InflatedIndex::default() }
    }

    /// Of how many files the hashes are kept.
    #[cfg(test)]
    pub(crate) fn files_kept(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).files.len()
    }

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
        let due = match hashes.len() > ASK_FILTERS_MAX {
            true => Due::All,
            false => self.count_asks(files),
        };
        let reads: Vec<_> =
            files.iter().map(|file| self.find_in_file(objects, file, hashes, due)).collect();
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
        due: Due<'_>,
    ) -> Result<Vec<(Hash, (i64, String))>> {
        let candidates: HashSet<Hash> = match self.kept(&file.path) {
            Some(prefixes) => held(&prefixes, hashes)?,
            None if is_small(file) || due.is(file) => {
                held(&self.read(objects, file).await?, hashes)?
            }
            None => ask_filters(objects, file, hashes).await?,
        };
        if candidates.is_empty() {
            Ok(Vec::new())
        } else {
            read_rows(objects, file, candidates).await
        }
    }

    /// Counts that the filters of large files are asked once more. One file at a time is due to be
    /// read instead: the next find need not wait for them all.
    fn count_asks<'a>(&self, files: &'a [LiveFile]) -> Due<'a> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { files: known, asked, .. } = &mut *kept;
        let mut due = Due::None;
        for file in files {
            if !is_small(file) && !known.contains_key(&file.path) {
                let times = asked.entry(file.path.clone()).or_default();
                *times += 1;
                if *times > ASKED_MAX {
                    due = Due::One(&file.path);
                }
            }
        }
        due
    }

    /// The hashes of a file, kept from then on.
    async fn read(&self, objects: &Arc<dyn ObjectStore>, file: &LiveFile) -> Result<Prefixes> {
        if is_small(file) {
            return self.keep(&file.path, read_few_prefixes(objects, file).await?);
        }
        let _turn = self.reading.lock().await;
        if let Some(prefixes) = self.kept(&file.path) {
            return Ok(prefixes); // somebody else has read them meanwhile
        }
        let prefixes = read_prefixes(objects, file).await?;
        self.keep(&file.path, prefixes)
    }

    fn kept(&self, path: &Path) -> Option<Prefixes> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).files.get(path).cloned()
    }

    /// Forgets files that were replaced since, which would leave no room for those that are.
    fn forget_all_but(&self, files: &[LiveFile]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.files.len().max(kept.asked.len()) > files.len() {
            let live: HashSet<&Path> = files.iter().map(|file| &file.path).collect();
            kept.files.retain(|path, _| live.contains(path));
            kept.asked.retain(|path, _| live.contains(path));
            kept.bytes = kept.files.values().map(Prefixes::bytes).sum();
        }
    }

    fn keep(&self, path: &Path, sorted: Vec<u64>) -> Result<Prefixes> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let fits =
            kept.bytes + size_of_val(&sorted[..]) <= self.bytes_max.unwrap_or(KEPT_BYTES_MAX);
        let prefixes = match fits {
            true => Prefixes::Held(sorted.into()),
            false => Prefixes::set_aside(&sorted).map_err(set_aside_failed)?,
        };
        kept.bytes += prefixes.bytes();
        if let Some(same) = kept.files.insert(path.clone(), prefixes.clone()) {
            kept.bytes -= same.bytes(); // somebody else has read them meanwhile
        }
        kept.asked.remove(path);
        Ok(prefixes)
    }
}

/// The large files whose hashes are due to be read.
#[derive(Debug, Clone, Copy)]
enum Due<'a> {
    None,
    One(&'a Path),
    All,
}

impl Due<'_> {
    fn is(self, file: &LiveFile) -> bool {
        match self {
            Due::None => false,
            Due::One(path) => *path == file.path,
            Due::All => true,
        }
    }
}

fn is_small(file: &LiveFile) -> bool {
    file.size <= SMALL_BYTES
}

fn prefix(hash: &[u8]) -> u64 {
    hash.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The hashes that may be among those of a file.
fn held(prefixes: &Prefixes, hashes: &[Hash]) -> Result<HashSet<Hash>> {
    let mut held = HashSet::new();
    for hash in hashes {
        if prefixes.hold(prefix(hash)).map_err(set_aside_failed)? {
            held.insert(*hash);
        }
    }
    Ok(held)
}

fn set_aside_failed(error: io::Error) -> Error {
    Error::storage("set hashes aside in the folder for temporary files", error)
}

/// The hashes that the filters of a file do not rule out; all where it has no filter.
async fn ask_filters(
    objects: &Arc<dyn ObjectStore>,
    file: &LiveFile,
    hashes: &[Hash],
) -> Result<HashSet<Hash>> {
    let mut builder = open(objects, file).await?;
    let mut held = HashSet::new();
    for group in 0..builder.metadata().num_row_groups() {
        held.extend(in_group(&mut builder, file, group, hashes).await?);
    }
    Ok(held)
}

/// The hashes that the filter of a row group does not rule out.
async fn in_group(
    builder: &mut OpenFile,
    file: &LiveFile,
    group: usize,
    hashes: &[Hash],
) -> Result<Vec<Hash>> {
    let failed = |e| Error::storage(format!("read `{}`", file.path), e);
    let columns = builder.parquet_schema().columns();
    let column = columns.iter().position(|column| column.name() == "inflated_sha256");
    let column = column.ok_or_else(|| not_ledger(file))?;
    let filter = builder.get_row_group_column_bloom_filter(group, column).await.map_err(failed)?;
    let may_hold = |hash: &&Hash| filter.as_ref().is_none_or(|f| f.check(hash.as_slice()));
    Ok(hashes.iter().filter(may_hold).copied().collect())
}

/// The first bytes of every hash in a file, sorted.
async fn read_prefixes(objects: &Arc<dyn ObjectStore>, file: &LiveFile) -> Result<Vec<u64>> {
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
    Ok(prefixes)
}

/// As [`read_prefixes`], of a file that is read whole in one request.
async fn read_few_prefixes(objects: &Arc<dyn ObjectStore>, file: &LiveFile) -> Result<Vec<u64>> {
    let failed = |e| Error::storage(format!("read `{}`", file.path), e);
    let builder = open_whole(objects, file).await?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["inflated_sha256"]);
    let mut prefixes = Vec::new();
    for batch in builder.with_projection(mask).build().map_err(failed)? {
        let batch = batch.map_err(|e| Error::storage(format!("read `{}`", file.path), e))?;
        let hashes = hash_column(&batch).ok_or_else(|| not_ledger(file))?;
        prefixes.extend(hashes.iter().flatten().map(prefix));
    }
    prefixes.sort_unstable();
    Ok(prefixes)
}

/// The objects of a file with one of these hashes whose rows stand: their round and key.
async fn read_rows(
    objects: &Arc<dyn ObjectStore>,
    file: &LiveFile,
    hashes: HashSet<Hash>,
) -> Result<Vec<(Hash, (i64, String))>> {
    let failed = |e| Error::storage(format!("read `{}`", file.path), e);
    let wanted: Vec<Hash> = hashes.iter().copied().collect();
    let mut builder = open(objects, file).await?;
    let groups: Vec<usize> = (0..builder.metadata().num_row_groups()).collect();
    let mut hit = Vec::new();
    for group in groups {
        if !in_group(&mut builder, file, group, &wanted).await?.is_empty() {
            hit.push(group);
        }
    }
    let builder = builder.with_row_groups(hit);
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
