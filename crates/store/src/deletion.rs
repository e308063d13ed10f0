//! Stores that go: asked for, waited for, and then removed file by file.

use chrono::{DateTime, SecondsFormat, Utc};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;

use crate::error::{Error, Result};
use crate::lake::{Lake, remove_file};
use crate::settings::{self, Settings};
use crate::store::StoreInfo;

/// Files removed at the same time.
const AT_ONCE: usize = 16;

impl Lake {
    /// Makes `change` to the settings of a store; who the store is after it. What was begun by the
    /// settings before is not published after this returns: a hold keeps everything that has not
    /// left by then.
    ///
    /// # Errors
    /// What `change` says; [`Error::NoStore`], [`Error::Setting`], [`Error::BeingRemoved`]; as
    /// [`Lake::open_or_create`] where commits would not be safe.
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
        let info = StoreInfo { settings, ..info };
        if info.check_stays().is_ok() {
            self.end_rewrites(&info, now).await?;
        }
        Ok(info)
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
    /// Once it says so, no removal touches the store: that begins with a change of the settings too,
    /// and of two changes only one has the next number.
    ///
    /// # Errors
    /// [`Error::Setting`] when nobody wants it deleted, or its time is over;
    /// [`Error::BeingRemoved`] when its removal has begun; [`Error::NoStore`] when it is gone.
    pub async fn restore_store(&self, name: &str, now: DateTime<Utc>) -> Result<StoreInfo> {
        let refused = |reason: String| Err(Error::Setting { reason });
        let change = |settings: &mut Settings| match settings.restorable_until() {
            None => refused("it is not to be deleted".to_string()),
            Some(until) if until <= now => {
                let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
                refused(format!("it could be restored until {until}"))
            }
            Some(_) => {
                settings.deletion_requested_at = None;
                Ok(())
            }
        };
        self.set_store(name, now, change).await
    }

    /// Removes a store whose time has come, with all it holds; whether it is gone. Wherever it is
    /// interrupted, the store stays one that is being removed, and the next call goes on.
    ///
    /// # Errors
    /// When files cannot be listed or removed; as [`Lake::open_or_create`] where commits would not be
    /// safe.
    pub async fn remove_store(&self, store: &StoreInfo, now: DateTime<Utc>) -> Result<bool> {
        self.check_commits().await?;
        let info = match self.store_info(&store.name).await {
            Ok(info) if info.id == store.id => info,
            // Somebody else was first.
            Ok(_) | Err(Error::NoStore { .. }) => return Ok(true),
            Err(error) => return Err(error),
        };
        if !self.begin_removal(&info, now).await? {
            return Ok(false);
        }
        let (folder, file) =
            (self.layout().store(&info.name), self.layout().store_file(&info.name));
        let looks = self.layout().looks(info.id);
        let mut paths = self.files_under(&folder).await?;
        paths.extend(self.files_under(&looks).await?);
        // No other store has this name yet, so none of these is what it is set to.
        let settings = settings::files(self.objects(), self.layout(), &info.name).await?;
        // The file that makes it a store goes when everything else has, and what it is set to last:
        // what is left of it is never taken for a store that can be read.
        let others = paths.into_iter().filter(|path| *path != file);
        futures::stream::iter(others)
            .map(|path| async move { remove_file(self.objects(), &path).await })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        remove_file(self.objects(), &file).await?;
        for path in settings {
            remove_file(self.objects(), &path).await?;
        }
        self.remove_folder(&folder).await;
        self.remove_folder(&looks).await;
        Ok(true)
    }

    /// Notes that the removal begins, unless somebody has restored the store; whether it has begun.
    async fn begin_removal(&self, info: &StoreInfo, now: DateTime<Utc>) -> Result<bool> {
        let of = (info.name.as_str(), info.id);
        let change = |settings: &mut Settings| {
            if settings.is_to_go(now) {
                settings.removal_began_at = Some(now);
            }
            Ok(())
        };
        match settings::change(self.objects(), self.layout(), of, now, change).await {
            Ok(settings) => Ok(settings.removal_began_at.is_some()),
            Err(Error::BeingRemoved { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn files_under(&self, folder: &Path) -> Result<Vec<Path>> {
        let listed = self.objects().list(Some(folder)).map_ok(|meta| meta.location);
        let listed = listed.try_collect::<Vec<_>>().await;
        listed.map_err(|error| Error::storage(format!("list `{folder}`"), error))
    }
}
