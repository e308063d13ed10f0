//! What a log holds that nobody can ask for any more.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::TableLog;
use crate::error::{Error, Result};
use crate::expire::tombstone;
use crate::layout;

/// Of so many versions one checkpoint stays, when it is no longer one of the last.
const VERSIONS_OF_A_CHECKPOINT: u64 = 100;

/// The commits of a log by version, and the files of its checkpoints.
type Commits = BTreeMap<u64, ObjectMeta>;
type Checkpoints = BTreeMap<u64, Vec<Path>>;

impl TableLog {
    /// Commits and checkpoints that may go: those behind a checkpoint whose own commit was made
    /// before `before`, from the oldest on, as long as they are older than `before` too. Commits
    /// first, and none where `_last_checkpoint` does not name that checkpoint or a later one: it is
    /// what keeps others from taking the free names (docs/format.md, "Clean-up of a log").
    /// Then checkpoints of commits made before `superseded_before` that others stand beside.
    ///
    /// # Errors
    /// When the log cannot be listed.
    pub(crate) async fn expired(
        &self,
        before: DateTime<Utc>,
        superseded_before: DateTime<Utc>,
    ) -> Result<Vec<Path>> {
        let Some(newest) = self.last_checkpoint().await? else { return Ok(Vec::new()) };
        let folder = self.folder().clone().join(layout::LOG);
        let listed = self.objects().list(Some(&folder)).try_collect::<Vec<ObjectMeta>>().await;
        let listed = listed.map_err(|error| Error::storage(format!("list `{folder}`"), error))?;
        let (mut commits, mut checkpoints) = (Commits::new(), Checkpoints::new());
        for meta in listed {
            if let Some(version) = layout::commit_version(&meta.location) {
                commits.insert(version, meta);
            } else if let Some(version) = layout::checkpoint_version(&meta.location) {
                checkpoints.entry(version).or_default().push(meta.location);
            }
        }
        let old = |version: &u64| {
            commits.get(version).is_some_and(|commit| commit.last_modified < before)
        };
        let Some(base) = checkpoints.keys().rev().find(|of| **of <= newest && old(of)).copied()
        else {
            return Ok(superseded(&commits, &checkpoints, None, newest, superseded_before));
        };
        // A commit that tells a tombstone for nothing from one that stands goes after it.
        let dead: HashSet<u64> = tombstone::dead(self, base).await?;
        let may_go = |version: &u64| old(version) && !dead.contains(version);
        let behind = commits.range(..base).take_while(|(version, _)| may_go(version));
        let behind: Vec<Path> = behind.map(|(_, commit)| commit.location.clone()).collect();
        let all = behind.len() == commits.range(..base).count();
        let mut expired = behind;
        // An older checkpoint is what the commits after it stand on: it goes when they are gone.
        if all {
            expired.extend(checkpoints.range(..base).flat_map(|(_, paths)| paths.iter().cloned()));
        }
        let base = Some(base);
        expired.extend(superseded(&commits, &checkpoints, base, newest, superseded_before));
        Ok(expired)
    }
}

/// Checkpoints between `base`, on which the oldest commits stand that stay, and the newest: a table
/// in a bucket has one for every other commit, each as large as its list of files, and few of them
/// serve whoever reads an earlier state.
fn superseded(
    commits: &Commits,
    checkpoints: &Checkpoints,
    base: Option<u64>,
    newest: u64,
    before: DateTime<Utc>,
) -> Vec<Path> {
    let mut served = base.map(|base| base / VERSIONS_OF_A_CHECKPOINT);
    let mut superseded = Vec::new();
    // The newest may be what the oldest commits stand on.
    let first = base.map_or(0, |base| base + 1).min(newest);
    for (version, paths) in checkpoints.range(first..newest) {
        let versions = Some(version / VERSIONS_OF_A_CHECKPOINT);
        if served != versions {
            served = versions;
        } else if commits.get(version).is_some_and(|commit| commit.last_modified < before) {
            superseded.extend(paths.iter().cloned());
        }
    }
    superseded
}
