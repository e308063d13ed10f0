//! What no state of a store needs any more: listed here, removed by whoever asked.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;

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
    /// queries the time to end.
    ///
    /// # Errors
    /// When the store cannot be listed or its logs cannot be read.
    pub async fn orphans(&self, before: DateTime<Utc>) -> Result<Vec<Orphan>> {
        let pin = self.publisher().pin(None).await?;
        let mut orphans = Vec::new();
        for table in pin.tables() {
            let needed = needed(table, before).await?;
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
        let listed = self.objects().list(Some(folder)).try_collect::<Vec<_>>().await;
        let listed = listed.map_err(|error| Error::storage(format!("list `{folder}`"), error))?;
        let old = listed.into_iter().filter(|meta| meta.last_modified < before);
        let orphan = |meta: object_store::ObjectMeta| Orphan {
            path: meta.location,
            size: meta.size,
            modified_at: meta.last_modified,
        };
        Ok(old.map(orphan).collect())
    }
}

/// Paths that a state since `before` shows: live now, or removed since.
async fn needed(table: &TableSnapshot, before: DateTime<Utc>) -> Result<HashSet<String>> {
    let files = table.files().await?;
    let relative = |path: &Path| layout::relative(table.prefix(), path);
    let mut needed: HashSet<String> =
        files.iter().filter_map(|file| relative(&file.path)).collect();
    let log = table.log();
    let mut commits = stream::iter((1..=table.version()).rev())
        .map(|version| log.read_commit(version))
        .buffered(COMMITS_AT_ONCE);
    while let Some(Some(entry)) = commits.try_next().await? {
        if entry.at.is_some_and(|at| at < before) {
            break;
        }
        needed.extend(entry.removed);
    }
    Ok(needed)
}
