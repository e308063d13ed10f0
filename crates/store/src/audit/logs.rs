//! The log of one table: every commit that stands, the state they come to, and whether checkpoints
//! say the same.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::path::Path;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use uuid::Uuid;

use super::finding::OfTable;
use super::guarded;
use super::names::Listed;
use super::tombstones::Removal;
use crate::error::{Error, Result};
use crate::history;
use crate::lake::get;
use crate::layout;
use crate::log::{Entry, TableLog, TableState};
use crate::snapshot::LiveFile;

/// A table's log, as far as it can be read.
pub(super) struct AuditedLog {
    log: TableLog,
    /// The state under audit; none when the log cannot be replayed.
    state: Option<Arc<TableState>>,
    /// Its live files, with their checksums where the log has them.
    pub files: Vec<(LiveFile, Option<String>)>,
    /// Rounds in the commits that stand: token, UUID and time.
    pub rounds: BTreeMap<i64, (Option<Uuid>, Option<DateTime<Utc>>)>,
    /// Whether files of it are missing.
    pub is_torn: bool,
    /// Files that later commits add.
    pub pending: HashSet<Path>,
    /// The commits up to that state that took rows out, by version.
    pub removals: BTreeMap<u64, Removal>,
    /// The first version whose commit is there.
    pub first: u64,
    /// The last round there is, which may still be under way.
    pub newest: i64,
}

impl AuditedLog {
    pub fn log(&self) -> &TableLog {
        &self.log
    }

    pub fn state(&self) -> Option<&TableState> {
        self.state.as_deref()
    }

    pub fn schema(&self) -> Option<&SchemaRef> {
        self.state.as_deref().map(TableState::schema)
    }
}

/// What the commits come to, one after the other.
#[derive(Default)]
struct Replay {
    /// Live files by path: the log's line about each.
    files: BTreeMap<String, crate::log::Addition>,
    rounds: BTreeMap<i64, (Option<Uuid>, Option<DateTime<Utc>>)>,
    pending: HashSet<Path>,
    removals: BTreeMap<u64, Removal>,
    token: i64,
    /// The version under audit.
    until: u64,
    /// Whether all commits since the first were read.
    is_whole: bool,
}

/// Looks at the log of a table, at the state that holds no round after `token`; none when there is
/// nothing of it.
pub(super) async fn audit(
    log: TableLog,
    token: Option<i64>,
    is_main: bool,
    listed: &Listed,
    findings: &mut OfTable<'_>,
) -> Result<Option<AuditedLog>> {
    let folder = log.folder().clone().join(layout::LOG);
    // In this order: whoever writes meanwhile commits before it checkpoints.
    let checkpoints = log.checkpoints().await?;
    let versions = log.versions().await?;
    if versions.is_empty() && checkpoints.is_empty() {
        let holds = listed.tables.get(log.name()).is_some_and(|names| !names.data.is_empty());
        if holds {
            findings.damage(&folder, "the log is gone");
        }
        return Ok(None);
    }
    gaps(&log, &versions, &checkpoints, findings);
    let state = match token {
        Some(token) => guarded(&folder, history::at_token(&log, token)).await,
        None => guarded(&folder, async { Ok(log.load(None).await?.map(Arc::new)) }).await,
    };
    let state = match state {
        // No damage: a later version knows what it is.
        Err(newer @ Error::TableFeatures { .. }) => return Err(newer),
        state => state,
    };
    let until = match &state {
        Ok(Some(state)) => state.version(),
        _ => u64::MAX,
    };
    let is_whole = versions.first() == Some(&0);
    let mut replay = Replay { is_whole, until, ..Replay::default() };
    for (place, version) in versions.iter().enumerate() {
        replay.is_whole &= place as u64 == *version;
        commit(&log, *version, is_main, &mut replay, findings).await;
    }
    named_checkpoint(&log, &checkpoints, findings).await?;
    for version in &checkpoints {
        decode_checkpoint(&log, *version, findings).await?;
    }
    // What no commit is to blame for, the newest checkpoint is.
    let culprit = match checkpoints.last() {
        Some(newest) => layout::checkpoint_file(log.folder(), *newest),
        None => folder.clone(),
    };
    let state = state.unwrap_or_else(|error| {
        if findings.damages == 0 {
            findings.damage(&culprit, error.spelled_out());
        }
        None
    });
    let files = files(&log, state.as_deref(), &replay, &culprit, findings).await;
    // A state whose files cannot be told is none.
    let (state, files) = match files {
        Some(files) => (state, files),
        None => (None, Vec::new()),
    };
    let newest = state.as_deref().map_or(0, TableState::token).max(replay.token);
    let Replay { rounds, pending, removals, .. } = replay;
    let first = versions.first().copied().unwrap_or(u64::MAX);
    let is_torn = false;
    let audited =
        AuditedLog { log, state, files, rounds, is_torn, pending, removals, first, newest };
    Ok(Some(audited))
}

/// Versions follow one another; those behind a checkpoint may have been cleaned up, oldest first.
fn gaps(log: &TableLog, versions: &[u64], checkpoints: &[u64], findings: &mut OfTable<'_>) {
    let missing = |findings: &mut OfTable<'_>, from: u64, to: u64| {
        let path = layout::commit_file(log.folder(), from);
        match to - from {
            1 => findings.damage(&path, "it is missing"),
            many => findings.damage(&path, format!("it and {} after it are missing", many - 1)),
        }
    };
    for pair in versions.windows(2) {
        if pair[1] > pair[0] + 1 {
            missing(findings, pair[0] + 1, pair[1]);
        }
    }
    let newest = checkpoints.last().copied();
    let (Some(first), Some(last)) = (versions.first().copied(), versions.last().copied()) else {
        return missing(findings, newest.unwrap_or_default(), newest.unwrap_or_default() + 1);
    };
    if first > 0 && !checkpoints.iter().any(|checkpoint| *checkpoint >= first) {
        missing(findings, 0, first);
    }
    if let Some(newest) = newest.filter(|newest| *newest > last) {
        missing(findings, last + 1, newest + 1);
    }
}

/// One commit: by itself, and as the next after those before.
async fn commit(
    log: &TableLog,
    version: u64,
    is_main: bool,
    replay: &mut Replay,
    findings: &mut OfTable<'_>,
) {
    let path = layout::commit_file(log.folder(), version);
    let entry = match log.read_commit(version).await {
        Ok(Some(entry)) => entry,
        Ok(None) => {
            replay.is_whole = false;
            return; // cleaned up since it was listed
        }
        Err(error) => {
            replay.is_whole = false;
            return findings.damage(&path, error.spelled_out());
        }
    };
    let ill = match get(log.objects(), &path).await {
        Ok(bytes) => bytes.and_then(|bytes| ill_formed(&bytes, version)),
        Err(error) => Some(error.spelled_out()),
    };
    if let Some(what) = ill {
        findings.damage(&path, what);
    }
    if let Some(token) = log.token_of(&entry) {
        let before = replay.token;
        if token <= before || (is_main && before > 0 && token != before + 1) {
            findings.damage(&path, format!("it is of round {token}, after round {before}"));
        }
        replay.token = token.max(before);
        replay.rounds.insert(token, (entry.round, entry.at));
    }
    if version > replay.until {
        let added = entry.adds.iter().map(|add| layout::absolute(log.folder(), &add.path));
        replay.pending.extend(added);
    } else {
        let removal = Removal::of(log, &entry, &replay.files);
        replay.removals.extend(removal.map(|removal| (version, removal)));
        files_of(&entry, &path, replay, findings);
    }
}

fn files_of(entry: &Entry, path: &Path, replay: &mut Replay, findings: &mut OfTable<'_>) {
    for gone in &entry.removed {
        if replay.files.remove(gone).is_none() && replay.is_whole {
            findings.damage(path, format!("it removes `{gone}`, which is not there"));
        }
    }
    for add in &entry.adds {
        if replay.files.insert(add.path.clone(), add.clone()).is_some() {
            findings.damage(path, format!("it adds `{}`, which is there already", add.path));
        }
    }
}

/// What is not as commits are written. All times in one are the same, and the first makes the table.
fn ill_formed(bytes: &[u8], version: u64) -> Option<String> {
    let lines: Vec<Value> = serde_json::Deserializer::from_slice(bytes)
        .into_iter::<Value>()
        .collect::<Result<_, _>>()
        .ok()?;
    let Some(info) = lines.first().and_then(|line| line.get("commitInfo")) else {
        return Some("it does not begin with its `commitInfo`".to_string());
    };
    let Some(at) = info["timestamp"].as_i64() else {
        return Some("it does not say when it was made".to_string());
    };
    let is_ours = info["engineInfo"].as_str().is_some_and(|by| by.starts_with("traillake/"));
    if !is_ours {
        return Some("it does not say that TrailLake wrote it".to_string());
    }
    let mut kinds = HashSet::new();
    for line in &lines {
        let Some((kind, body)) = line.as_object().and_then(|line| line.iter().next()) else {
            return Some("a line of it is no action".to_string());
        };
        kinds.insert(kind.as_str());
        let time = match kind.as_str() {
            "txn" => "lastUpdated",
            "add" => "modificationTime",
            "remove" => "deletionTimestamp",
            "metaData" => "createdTime",
            "commitInfo" | "protocol" => continue,
            other => return Some(format!("`{other}` is no action")),
        };
        if body[time].as_i64() != Some(at) {
            return Some(format!("`{time}` is not the time of the commit"));
        }
    }
    let first = kinds.contains("protocol") && kinds.contains("metaData");
    if (version == 0) != first {
        return Some("the first commit, and no other, says what the table is".to_string());
    }
    let is_round = info["traillake.round"].as_str().is_some_and(|id| Uuid::try_parse(id).is_ok());
    if version > 0 && !is_round {
        return Some("it names no round".to_string());
    }
    None
}

/// What `_last_checkpoint` says.
async fn named_checkpoint(
    log: &TableLog,
    checkpoints: &[u64],
    findings: &mut OfTable<'_>,
) -> Result<()> {
    let path = layout::last_checkpoint_file(log.folder());
    let Some(bytes) = get(log.objects(), &path).await? else { return Ok(()) };
    let named: Option<Value> = serde_json::from_slice(&bytes).ok();
    match named.and_then(|named| named["version"].as_u64()) {
        None => findings.damage(&path, "it cannot be read"),
        // One that was not listed may have been written since.
        Some(version)
            if !checkpoints.contains(&version)
                && get(log.objects(), &layout::checkpoint_file(log.folder(), version))
                    .await?
                    .is_none() =>
        {
            findings.damage(&path, format!("it names version {version}, which has no checkpoint"));
        }
        Some(_) => {}
    }
    Ok(())
}

/// Reads all of a checkpoint.
async fn decode_checkpoint(log: &TableLog, version: u64, findings: &mut OfTable<'_>) -> Result<()> {
    let path = layout::checkpoint_file(log.folder(), version);
    let Some(bytes) = get(log.objects(), &path).await? else { return Ok(()) };
    let read = guarded(&path, async {
        let failed = |error| Error::storage(format!("read `{path}`"), error);
        let rows = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes));
        let mut rows = rows.and_then(ParquetRecordBatchReaderBuilder::build).map_err(failed)?;
        rows.try_for_each(|batch| batch.map(drop)).map_err(|error| failed(error.into()))
    });
    if let Err(error) = read.await {
        findings.damage(&path, format!("it cannot be read: {}", error.spelled_out()));
    }
    Ok(())
}

/// The live files: as replay has them, held against what the commits alone come to.
async fn files(
    log: &TableLog,
    state: Option<&TableState>,
    replay: &Replay,
    culprit: &Path,
    findings: &mut OfTable<'_>,
) -> Option<Vec<(LiveFile, Option<String>)>> {
    let folder = log.folder().clone().join(layout::LOG);
    let commits = || -> HashMap<&str, &crate::log::Addition> {
        replay.files.iter().map(|(path, add)| (path.as_str(), add)).collect()
    };
    let state = state?;
    let read =
        guarded(&folder, async { Ok((log.files(state).await?, log.checksums(state).await?)) });
    let (files, mut checksums) = match read.await {
        Ok(read) => read,
        Err(error) => {
            if findings.damages == 0 {
                findings.damage(culprit, error.spelled_out());
            }
            return None;
        }
    };
    let of = |file: &LiveFile| layout::relative(log.folder(), &file.path).unwrap_or_default();
    let files: Vec<(LiveFile, Option<String>)> =
        files.iter().map(|file| (file.clone(), checksums.remove(&of(file)))).collect();
    if replay.is_whole {
        let mut told = commits();
        for (file, checksum) in &files {
            let path = of(file);
            let same = told.remove(path.as_str()).is_some_and(|add| {
                add.size == file.size
                    && add.partition == file.partition
                    && add.checksum == *checksum
                    && crate::log::parse_statistics(state.schema(), &add.stats)
                        .is_ok_and(|(rows, stats)| rows == file.rows && stats[..] == file.stats[..])
            });
            if !same {
                let what = format!("a checkpoint says of `{path}` what its commit does not");
                findings.damage(&folder, what);
            }
        }
        for path in told.into_keys() {
            findings.damage(&folder, format!("a checkpoint says nothing of `{path}`"));
        }
    }
    Some(files)
}
