//! What has left a table, written down: a file for each commit that took rows out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Expiry;
use super::examine::Leaving;
use crate::error::{Error, Result};
use crate::lake::{check_format, get, put_new, remove_file};
use crate::layout;
use crate::log::{TableLog, TableState};
use crate::snapshot::TableSnapshot;

/// What one commit took out of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tombstone {
    format: u64,
    /// The table.
    pub table: String,
    /// The version of the table that was the first without these rows.
    pub version: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// Records earlier than this left.
    pub before: DateTime<Utc>,
    /// Rows that left.
    pub rows: u64,
    /// The files that they left.
    pub files: Vec<TombstoneFile>,
}

/// A file that rows left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TombstoneFile {
    /// Path from the table's folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// XXH3-128 of its bytes, where the log has it.
    pub xxh3: Option<String>,
    /// Rows it had.
    pub rows: u64,
    /// Rows that left; the others stand in a new file.
    pub expired: u64,
    /// Time of the earliest that left, microseconds since 1970.
    pub first: i64,
    /// Time of the latest one.
    pub last: i64,
}

impl Tombstone {
    pub(super) fn of(
        table: &TableSnapshot,
        expiry: &Expiry,
        leaving: &[Leaving],
        checksums: &HashMap<String, String>,
    ) -> Tombstone {
        let files = leaving.iter().map(|of| {
            let path = layout::relative(table.prefix(), &of.file.path).unwrap_or_default();
            let xxh3 = checksums.get(&path).cloned();
            let (size, rows, expired) = (of.file.size, of.file.rows, of.rows);
            TombstoneFile { path, size, xxh3, rows, expired, first: of.first, last: of.last }
        });
        Tombstone {
            format: layout::FORMAT,
            table: table.name().to_string(),
            version: 0,
            at: expiry.before,
            before: expiry.before,
            rows: leaving.iter().map(|of| of.rows).sum(),
            files: files.collect(),
        }
    }

    /// The numbers that the commit on `on` carries: what had left before, and this.
    pub(crate) async fn carried_on(
        &self,
        log: &TableLog,
        on: &TableState,
    ) -> Result<[(String, i64); 2]> {
        let before = super::expired(log, on).await?;
        let rows = i64::try_from(before.rows + self.rows).unwrap_or(i64::MAX);
        let cutoff = self.before.timestamp_micros();
        let cutoff = before.before.map_or(cutoff, |earlier| earlier.max(cutoff));
        Ok([(log.expired_rows(), rows), (log.expired_before(), cutoff)])
    }

    /// Writes it down for the commit `commit` that is about to become `version`; where.
    pub(crate) async fn write(
        &mut self,
        log: &TableLog,
        version: u64,
        commit: Uuid,
        at: DateTime<Utc>,
    ) -> Result<Path> {
        (self.version, self.at) = (version, at);
        let path = layout::tombstone(log.folder(), log.name(), version, commit);
        let text = serde_json::to_string(&self)
            .map_err(|error| Error::corrupt(format!("`{path}`"), error))?;
        put_new(log.objects(), &path, text).await?;
        Ok(path)
    }

    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Tombstone> {
        check_format(path.as_ref(), bytes)?;
        serde_json::from_slice(bytes).map_err(|error| Error::corrupt(format!("`{path}`"), error))
    }
}

impl TableSnapshot {
    /// What has left the table, commit by commit.
    ///
    /// # Errors
    /// When the tombstones cannot be listed or read.
    pub async fn tombstones(&self) -> Result<Vec<Tombstone>> {
        let mut found = Vec::new();
        for (path, version, commit) in listed(self.log()).await? {
            if version > self.version() || !stands(self.log(), version, commit).await? {
                continue;
            }
            if let Some(bytes) = get(self.object_store(), &path).await? {
                found.push(Tombstone::parse(&path, &bytes)?);
            }
        }
        Ok(found)
    }
}

/// The tombstones of a table by version: paths, and the commits they were written for.
pub(crate) async fn listed(log: &TableLog) -> Result<Vec<(Path, u64, Uuid)>> {
    let folder = layout::tombstones(log.folder());
    let listed = log.objects().list(Some(&folder)).try_collect::<Vec<_>>().await;
    let listed = listed.map_err(|error| Error::storage(format!("list `{folder}`"), error))?;
    let of_table = listed.into_iter().filter_map(|meta| {
        let (version, commit) = layout::tombstone_of(&meta.location, log.name())?;
        Some((meta.location, version, commit))
    });
    let mut found: Vec<_> = of_table.collect();
    found.sort_unstable_by_key(|(_, version, _)| *version);
    Ok(found)
}

/// Whether the commit a tombstone was written for is the version it names. Of versions that were
/// cleaned up only such are left.
async fn stands(log: &TableLog, version: u64, commit: Uuid) -> Result<bool> {
    Ok(log.read_commit(version).await?.is_none_or(|entry| entry.round == Some(commit)))
}

/// The versions before `end` for which there is a tombstone whose commit lost against another.
pub(crate) async fn dead(log: &TableLog, end: u64) -> Result<HashSet<u64>> {
    let mut dead = HashSet::new();
    for (_, version, commit) in listed(log).await? {
        if version < end && !stands(log, version, commit).await? {
            dead.insert(version);
        }
    }
    Ok(dead)
}

/// Removes tombstones whose commit lost against another, and will never be.
pub(crate) async fn remove_dead(
    objects: &Arc<dyn ObjectStore>,
    table: &TableSnapshot,
    before: DateTime<Utc>,
) -> Result<()> {
    for (path, version, commit) in listed(table.log()).await? {
        if version <= table.version() && !stands(table.log(), version, commit).await? {
            let written = objects.head(&path).await;
            if written.is_ok_and(|meta| meta.last_modified < before) {
                remove_file(objects, &path).await?;
            }
        }
    }
    Ok(())
}
