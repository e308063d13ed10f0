//! Stores that go: asked for, waited for, and then removed file by file.

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;

use crate::error::{Error, Result};
use crate::lake::{Lake, remove_file};
use crate::settings::{self, Settings};
use crate::store::StoreInfo;

/// Files removed at the same time.
const AT_ONCE: usize = 16;

impl Lake {
    /// Makes `change` to the settings of a store; who the store is after it.
    ///
    /// # Errors
    /// What `change` says; [`Error::NoStore`], [`Error::Setting`]; as [`Lake::open_or_create`] where
    /// commits would not be safe.
    pub async fn set_store(
        &self,
        name: &str,
        now: DateTime<Utc>,
        change: impl FnMut(&mut Settings) -> Result<()>,
    ) -> Result<StoreInfo> {
        self.check_commits().await?;
        let info = self.store_info(name).await?;
        let of = (info.name.as_str(), info.id);
        let settings = settings::change(self.objects(), self.layout(), of, now, change).await?;
        Ok(StoreInfo { settings, ..info })
    }

    /// Asks for the deletion of a store: from now on it cannot be read or written, and after
    /// [`settings::DELETION_WAITS`] upkeep removes it (CloudTrail API, `DeleteEventDataStore`).
    ///
    /// # Errors
    /// [`Error::Setting`] while termination protection is on or a hold is in force;
    /// [`Error::NoStore`].
    pub async fn delete_store(&self, name: &str, now: DateTime<Utc>) -> Result<StoreInfo> {
        let change = |settings: &mut Settings| {
            settings.deletion_requested_at.get_or_insert(now);
            Ok(())
        };
        self.set_store(name, now, change).await
    }

    /// Takes back what [`Lake::delete_store`] asked for (CloudTrail API, `RestoreEventDataStore`).
    ///
    /// # Errors
    /// [`Error::Setting`] when nobody wants it deleted; [`Error::NoStore`] when it is gone.
    pub async fn restore_store(&self, name: &str, now: DateTime<Utc>) -> Result<StoreInfo> {
        let change = |settings: &mut Settings| match settings.deletion_requested_at.take() {
            Some(_) => Ok(()),
            None => Err(Error::Setting { reason: "it is not to be deleted".to_string() }),
        };
        self.set_store(name, now, change).await
    }

    /// Removes a store whose time has come, with all it holds; whether it had. Wherever it is
    /// interrupted, the store stays one that is to be deleted, and the next call goes on.
    ///
    /// # Errors
    /// When files cannot be listed or removed; as [`Lake::open_or_create`] where commits would not be
    /// safe.
    pub async fn remove_store(&self, store: &StoreInfo, now: DateTime<Utc>) -> Result<bool> {
        self.check_commits().await?;
        // Nobody has restored it since it was looked at.
        let info = self.store_info(&store.name).await?;
        let is_due = info.settings.restorable_until().is_some_and(|until| until <= now);
        if !is_due || info.id != store.id {
            return Ok(false);
        }
        let (folder, file) =
            (self.layout().store(&info.name), self.layout().store_file(&info.name));
        let looks = self.layout().looks(info.id);
        let mut paths = self.files_under(&folder).await?;
        paths.extend(self.files_under(&looks).await?);
        // The file that makes it a store goes when everything else has, and what it is set to last:
        // what is left of it is never taken for a store that can be read.
        let others = paths.into_iter().filter(|path| *path != file);
        futures::stream::iter(others)
            .map(|path| async move { remove_file(self.objects(), &path).await })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        remove_file(self.objects(), &file).await?;
        settings::remove(self.objects(), self.layout(), &info.name).await?;
        self.remove_folder(&folder).await;
        self.remove_folder(&looks).await;
        Ok(true)
    }

    async fn files_under(&self, folder: &Path) -> Result<Vec<Path>> {
        let listed = self.objects().list(Some(folder)).map_ok(|meta| meta.location);
        let listed = listed.try_collect::<Vec<_>>().await;
        listed.map_err(|error| Error::storage(format!("list `{folder}`"), error))
    }
}
