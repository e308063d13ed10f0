//! What no state of a store needs any more: listed here, removed by whoever asked.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use crate::error::{Error, Result};
use crate::layout;
use crate::round::StoreWriter;
use crate::snapshot::TableSnapshot;

/// Commits read at the same time.
const COMMITS_AT_ONCE: usize = 16;

/// A file that nothing needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Full path in the lake's object store.
    pub path: Path,
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified_at: DateTime<Utc>,
}

impl StoreWriter {
    /// Files of this store that were written before `before` and that no state since then shows:
    /// left by rounds that were dropped or died, removed by rewrites, manifests of rounds that are
    /// over. `before` must leave rounds under way the time to commit what they have written, and
    /// queries the time to end; `now` tells commits whose time is still to come, for a clock that made
    /// them or one before them ran ahead.
    ///
    /// # Errors
    /// When the store cannot be listed or its logs cannot be read.
    pub async fn orphans(&self, before: DateTime<Utc>, now: DateTime<Utc>) -> Result<Vec<Orphan>> {
        let pin = self.publisher().pin(None).await?;
        let mut orphans = Vec::new();
        for table in pin.tables() {
            let needed = needed(table, before, now).await?;
            for file in self.old_files(table.prefix(), before).await? {
                let relative = layout::relative(table.prefix(), &file.path).unwrap_or_default();
                if !relative.starts_with(layout::LOG) && !needed.contains(&relative) {
                    orphans.push(file);
                }
            }
        }
        for manifest in self.old_files(&self.publisher().rounds(), before).await? {
            let number = layout::manifest_number(&manifest.path);
            if number.is_some_and(|number| number <= pin.token) {
                orphans.push(manifest);
            }
        }
        Ok(orphans)
    }

    async fn old_files(&self, folder: &Path, before: DateTime<Utc>) -> Result<Vec<Orphan>> {
        let listed = listed(self.objects(), folder).await?;
        let old = listed.into_iter().filter(|meta| meta.last_modified < before);
        let orphan = |meta: ObjectMeta| Orphan {
            path: meta.location,
            size: meta.size,
            modified_at: meta.last_modified,
        };
        Ok(old.map(orphan).collect())
    }
}

/// What lies under a folder.
///
/// # Errors
/// [`Error::Storage`] when it cannot be listed.
pub(crate) async fn listed(
    objects: &Arc<dyn ObjectStore>,
    folder: &Path,
) -> Result<Vec<ObjectMeta>> {
    let listed = objects.list(Some(folder)).try_collect::<Vec<_>>().await;
    listed.map_err(|error| Error::storage(format!("list `{folder}`"), error))
}

/// Paths that a state since `before` shows: live now, or removed since.
///
/// When a file was removed its commit says. Times of commits only grow: after a clock that ran ahead
/// once, all that follow say a time to come, and by them nothing would ever be old. Of such a commit the
/// time its object was put counts, by the storage's clock, which says how old data files are as well.
/// Nothing goes too early by that: only who saw a state before the commit needs what it removed, and
/// nobody has seen such a state as the newest since its object was put. It is put once and never
/// edited, so when that was before `before`, whatever round or query is meant has gone on for longer
/// than it may; and a copy of a lake can only make the object younger.
async fn needed(
    table: &TableSnapshot,
    before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<HashSet<String>> {
    let files = table.files().await?;
    let relative = |path: &Path| layout::relative(table.prefix(), path);
    let mut needed: HashSet<String> =
        files.iter().filter_map(|file| relative(&file.path)).collect();
    let log = table.log();
    let mut commits = stream::iter((1..=table.version()).rev())
        .map(|version| async move { Ok::<_, Error>((version, log.read_commit(version).await?)) })
        .buffered(COMMITS_AT_ONCE);
    let mut put: Option<HashMap<u64, DateTime<Utc>>> = None;
    while let Some((version, Some(entry))) = commits.try_next().await? {
        let is_ahead = entry.at.is_some_and(|at| at > now);
        if is_ahead && put.is_none() {
            put = Some(put_at(table).await?);
        }
        let at = match &put {
            Some(put) if is_ahead => put.get(&version).copied(),
            _ => entry.at,
        };
        if at.is_some_and(|at| at < before) {
            break;
        }
        needed.extend(entry.removed);
    }
    Ok(needed)
}

/// When each commit of a table was put.
async fn put_at(table: &TableSnapshot) -> Result<HashMap<u64, DateTime<Utc>>> {
    let log = table.prefix().clone().join(layout::LOG);
    let listed = listed(table.object_store(), &log).await?.into_iter();
    let commit =
        |meta: ObjectMeta| Some((layout::commit_version(&meta.location)?, meta.last_modified));
    Ok(listed.filter_map(commit).collect())
}
