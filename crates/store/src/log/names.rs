//! What is in a log's folder, by the names of its files.

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use uuid::Uuid;

use super::TableLog;
use crate::error::{Error, Result};
use crate::latest::Listing;
use crate::layout::{self, Kept};

impl TableLog {
    /// The versions whose commit files exist, ascending.
    pub(crate) async fn versions(&self) -> Result<Vec<u64>> {
        self.listed(layout::commit_version).await
    }

    /// The versions whose states can be read, ascending: not those of commits that stand on ones that
    /// were cleaned up.
    ///
    /// # Errors
    /// When the log cannot be listed.
    pub(crate) async fn readable(&self) -> Result<Vec<u64>> {
        // In this order: a clean-up in between takes commits before it takes checkpoints.
        let mut versions = self.versions().await?;
        let checkpoints = self.checkpoints().await?;
        let stands = |version: &u64| {
            let before = version.checked_sub(1);
            let is_on = |at: u64| checkpoints.binary_search(&at).is_ok();
            before.is_none_or(is_on) || is_on(*version)
        };
        // What stands before the last gap stands on nothing.
        let gap = versions.windows(2).rposition(|pair| pair[0] + 1 != pair[1]);
        versions.drain(..gap.map_or(0, |gap| gap + 1));
        let first = versions.iter().position(stands).unwrap_or(versions.len());
        versions.drain(..first);
        Ok(versions)
    }

    /// The files of the log that say what the table is, from version `from` on. Asked as replay
    /// asks: what is remembered of its listing answers this one too.
    pub(crate) async fn listing(&self, from: u64) -> Result<Listing> {
        let offset = layout::before_version(&self.folder, from);
        let folder = layout::log(&self.folder);
        let found = self.objects.list_with_offset(Some(&folder), &offset).try_collect().await;
        let mut found: Vec<ObjectMeta> =
            found.map_err(|error| Error::storage(format!("list `{folder}`"), error))?;
        let newest_checkpoint = layout::last_checkpoint_file(&self.folder);
        found.retain(|file| {
            let path = &file.location;
            path.parts_count() == folder.parts_count() + 1
                && (layout::kept(path) == Kept::Listed || *path == newest_checkpoint)
        });
        Ok(Listing::new(&self.application, from, found))
    }

    /// The versions that have checkpoints, ascending.
    pub(crate) async fn checkpoints(&self) -> Result<Vec<u64>> {
        self.listed(layout::checkpoint_version).await
    }

    /// The versions of the log's files of one kind, ascending.
    pub(super) async fn listed(&self, version_of: fn(&Path) -> Option<u64>) -> Result<Vec<u64>> {
        let offset = layout::before_version(&self.folder, 0);
        let folder = layout::log(&self.folder);
        let found = self.objects.list_with_offset(Some(&folder), &offset).try_collect().await;
        self.versions_of(found, version_of)
    }

    fn versions_of(
        &self,
        found: object_store::Result<Vec<ObjectMeta>>,
        version_of: fn(&Path) -> Option<u64>,
    ) -> Result<Vec<u64>> {
        let folder = layout::log(&self.folder);
        let beside = |path: &Path| path.parts_count() == folder.parts_count() + 1;
        let found = found.map_err(|error| Error::storage(format!("list `{folder}`"), error))?;
        let here = found.iter().map(|meta| &meta.location).filter(|path| beside(path));
        let mut versions: Vec<u64> = here.filter_map(version_of).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// The id of the store whose commits these are, by its newest; none when it has none yet.
    pub(crate) async fn store_id(&self) -> Result<Option<Uuid>> {
        let Some(newest) = self.versions().await?.pop() else { return Ok(None) };
        let entry = self.read_entry(newest).await?.unwrap_or_default();
        let id = |application: &String| application.split('/').next()?.parse().ok();
        Ok(entry.tokens.keys().find_map(id))
    }

    /// The id of the store whose commits these are, by the newest that can be read.
    pub(crate) async fn any_store_id(&self) -> Option<Uuid> {
        let id = |application: &String| application.split('/').next()?.parse().ok();
        for version in self.versions().await.ok()?.into_iter().rev() {
            let entry = self.read_entry(version).await.ok().flatten().unwrap_or_default();
            if let Some(id) = entry.tokens.keys().find_map(id) {
                return Some(id);
            }
        }
        None
    }
}
