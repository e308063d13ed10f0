//! Lakes: opening and creating them, and the stores in them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use serde_json::json;
use tokio::sync::OnceCell;
use url::Url;
use uuid::Uuid;

use crate::bucket::Bucket;
use crate::cache::{Cache, CacheOptions, Traffic};
use crate::durable::{DurableFolder, Fsync, RealFsync};
use crate::error::{Error, Result};
use crate::latest::Latest;
use crate::layout::{self, Layout};
use crate::ledger::InflatedIndex;
use crate::round::{StepHook, StoreWriter};
use crate::spec::StoreSpec;
use crate::store::{Store, StoreInfo};

/// Puts something between a lake and its storage; for tests.
pub type Wrap = Arc<dyn Fn(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> + Send + Sync>;

/// How a lake is opened.
#[derive(Clone)]
pub struct OpenOptions {
    /// The place itself when it is no folder of this machine: a bucket, or a prefix of one.
    pub bucket: Option<Arc<dyn ObjectStore>>,
    /// Put around the object store that everything of the lake goes through.
    pub wrap: Option<Wrap>,
    /// How files are made durable.
    pub fsync: Arc<dyn Fsync>,
    /// Called at every step of rounds and of recovery.
    pub steps: Option<StepHook>,
    /// Keeps what readers have read of a bucket; none: everything is asked for again.
    pub cache: Option<CacheOptions>,
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        let fsync = Arc::new(RealFsync);
        OpenOptions { bucket: None, wrap: None, fsync, steps: None, cache: None }
    }
}

/// A lake, open. Cheap to clone.
#[derive(Clone)]
pub struct Lake {
    location: Arc<str>,
    layout: Layout,
    objects: Arc<dyn ObjectStore>,
    /// What readers read through, where it is a bucket's.
    cache: Option<Cache>,
    /// What readers know of its tables.
    latest: Latest,
    folder: Option<Arc<DurableFolder>>,
    steps: Option<StepHook>,
    in_bucket: bool,
    /// Whether its place has been seen to refuse a name that is taken.
    commits: Arc<OnceCell<()>>,
    /// What writers have read of ledgers, by store: each look of a follower is a writer.
    inflated: Arc<Mutex<HashMap<Uuid, Arc<InflatedIndex>>>>,
}

impl Lake {
    /// Opens the lake at `location`, a path or a `file://` URL. Creates nothing.
    ///
    /// # Errors
    /// [`Error::NoLake`], [`Error::NotALake`], [`Error::NewerFormat`].
    pub async fn open(location: &str) -> Result<Lake> {
        Lake::open_with(location, OpenOptions::default()).await
    }

    /// Opens the lake at `location`, creating it in a folder that is empty or absent. Any number of
    /// processes may do this at once.
    ///
    /// # Errors
    /// [`Error::NotALake`], [`Error::NoHardLinks`], [`Error::NoConditionalWrites`],
    /// [`Error::NewerFormat`].
    pub async fn open_or_create(location: &str) -> Result<Lake> {
        Lake::open_or_create_with(location, OpenOptions::default()).await
    }

    /// As [`Lake::open`].
    ///
    /// # Errors
    /// As [`Lake::open`].
    pub async fn open_with(location: &str, options: OpenOptions) -> Result<Lake> {
        let lake = Lake::at(location, false, options)?;
        if let Some(cache) = &lake.cache {
            cache.begin(None).await;
        }
        lake.check(&lake.reading()).await?;
        Ok(lake)
    }

    /// As [`Lake::open_or_create`].
    ///
    /// # Errors
    /// As [`Lake::open_or_create`].
    pub async fn open_or_create_with(location: &str, options: OpenOptions) -> Result<Lake> {
        let lake = Lake::at(location, true, options)?;
        match lake.check(&lake.objects).await {
            // Also in a lake that exists: it may have been copied to another place.
            Ok(()) => lake.check_commits().await?,
            Err(Error::NoLake { .. }) => lake.create().await?,
            Err(error) => return Err(error),
        }
        Ok(lake)
    }

    /// Makes an empty place a lake; nothing is left of it where commits would not be safe.
    async fn create(&self) -> Result<()> {
        if self.folder.is_some() {
            self.check_commits().await?;
        }
        let file = json!({ "format": layout::FORMAT, "what": "a lake of TrailLake" });
        let is_new = self.put_lake_file(file.to_string().into_bytes()).await?;
        self.check(&self.objects).await?;
        // A bucket is tried with the file that has just been written.
        match self.check_commits().await {
            Err(refused @ Error::NoConditionalWrites { .. }) if is_new => {
                remove_file(&self.objects, &self.layout.lake_file()).await?;
                Err(refused)
            }
            checked => checked,
        }
    }

    /// Makes sure, once, that whoever writes here is refused a name that is taken: commits rest on
    /// it.
    ///
    /// # Errors
    /// [`Error::NoHardLinks`], [`Error::NoConditionalWrites`].
    pub(crate) async fn check_commits(&self) -> Result<()> {
        let probe = || async {
            match &self.folder {
                Some(folder) => self.probe_hard_links(folder),
                None => self.probe_conditional_writes().await,
            }
        };
        self.commits.get_or_try_init(probe).await?;
        Ok(())
    }

    fn probe_hard_links(&self, folder: &DurableFolder) -> Result<()> {
        let probed = folder
            .probe_hard_links()
            .map_err(|error| Error::storage(format!("write to `{}`", self.location), error))?;
        let folder = PathBuf::from(&*self.location);
        probed.map_err(|source| Error::NoHardLinks { folder, source })
    }

    /// Tries to write a name that is taken, which a bucket must refuse.
    async fn probe_conditional_writes(&self) -> Result<()> {
        let Some(bytes) = get(&self.objects, &self.layout.lake_file()).await? else {
            return Err(Error::NoLake { location: self.location.to_string() });
        };
        // Should it be written after all, it is as it was.
        match self.put_lake_file(bytes).await? {
            true => Err(self.without_conditional_writes()),
            false => Ok(()),
        }
    }

    /// Writes the file that makes it a lake, which must be new; whether it was.
    async fn put_lake_file(&self, bytes: Vec<u8>) -> Result<bool> {
        let path = self.layout.lake_file();
        match self.objects.put_opts(&path, bytes.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Ok(false),
            Err(object_store::Error::NotImplemented { .. }) => {
                Err(self.without_conditional_writes())
            }
            Err(error) => Err(Error::storage(format!("write `{path}`"), error)),
        }
    }

    fn without_conditional_writes(&self) -> Error {
        Error::NoConditionalWrites { location: self.location.to_string() }
    }

    /// Whether there is a lake at `location`; one of a newer format counts.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub async fn is_lake_with(location: &str, options: OpenOptions) -> Result<bool> {
        match Lake::open_with(location, options).await {
            Ok(_) | Err(Error::NewerFormat { .. }) => Ok(true),
            Err(Error::NoLake { .. } | Error::NotALake { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the lake unchecked.
    fn at(location: &str, create: bool, options: OpenOptions) -> Result<Lake> {
        let (objects, folder) = match options.bucket {
            Some(bucket) => (Arc::new(Bucket::new(bucket, location)) as Arc<dyn ObjectStore>, None),
            None => {
                let folder = Arc::new(open_folder(location, create, options.fsync)?);
                (folder.clone() as Arc<dyn ObjectStore>, Some(folder))
            }
        };
        let objects = match options.wrap {
            Some(wrap) => wrap(objects),
            None => objects,
        };
        let layout = Layout::new(Path::default());
        let (location, steps) = (location.into(), options.steps);
        let cache = options.cache.filter(|_| folder.is_none());
        let cache = cache.map(|cache| Cache::new(objects.clone(), cache));
        let in_bucket = folder.is_none();
        let (latest, commits, inflated) = (Latest::default(), Arc::default(), Arc::default());
        Ok(Lake {
            location,
            layout,
            objects,
            cache,
            latest,
            folder,
            steps,
            in_bucket,
            commits,
            inflated,
        })
    }

    fn inflated_of(&self, info: &StoreInfo) -> Arc<InflatedIndex> {
        let mut all = self.inflated.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(info.id).or_default().clone()
    }

    /// What readers read through.
    fn reading(&self) -> Arc<dyn ObjectStore> {
        match &self.cache {
            Some(cache) => Arc::new(cache.clone()),
            None => self.objects.clone(),
        }
    }

    /// Says what kind of place this is: a lake we can read, or why not.
    async fn check(&self, objects: &Arc<dyn ObjectStore>) -> Result<()> {
        let location = || self.location.to_string();
        if let Some(bytes) = get(objects, &self.layout.lake_file()).await? {
            return check_format(layout::LAKE_FILE, &bytes);
        }
        let root = self.layout.root();
        let listed = self.objects.list_with_delimiter(Some(root)).await;
        let listed =
            listed.map_err(|error| Error::storage(format!("list `{}`", self.location), error))?;
        if listed.objects.iter().any(|object| object.location == self.layout.lake_file()) {
            return Box::pin(self.check(&self.objects)).await; // created since we looked
        }
        if listed.objects.is_empty() && listed.common_prefixes.is_empty() {
            return Err(Error::NoLake { location: location() });
        }
        Err(Error::NotALake { location: location() })
    }

    /// As [`Lake::open_with`], whatever stands there.
    pub(crate) fn open_unchecked(location: &str, options: OpenOptions) -> Result<Lake> {
        Lake::at(location, false, options)
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    /// Where it is, as given.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Requests to its bucket and bytes read from it, of all who read this lake; none for a lake on
    /// a disk.
    pub fn traffic(&self) -> Option<&Traffic> {
        self.cache.as_ref().map(Cache::traffic)
    }

    /// Forgets which stores and rounds there are, so that the bucket is asked again; whether
    /// anything was remembered.
    pub fn forget(&self) -> bool {
        self.cache.as_ref().is_some_and(Cache::forget)
    }

    /// Removes what processes that died have left half written, where nobody wrote to it since
    /// `before`; how many files, and their bytes. Nothing in a bucket: it keeps what is half written
    /// to itself, and a lifecycle rule removes it.
    ///
    /// # Errors
    /// When the lake's folder cannot be walked.
    pub async fn sweep(&self, before: DateTime<Utc>) -> Result<(u64, u64)> {
        let Some(folder) = self.folder.clone() else { return Ok((0, 0)) };
        let swept = tokio::task::spawn_blocking(move || folder.sweep(before.into())).await;
        let failed = |error: std::io::Error| Error::storage("sweep the lake's folder", error);
        swept.map_err(|error| failed(error.into()))?.map_err(failed)
    }

    /// Removes the folders under `folder` that are empty, where it is on a disk.
    pub(crate) async fn remove_folder(&self, folder: &Path) {
        if let Some(disk) = self.folder.clone() {
            let folder = folder.clone();
            let _ = tokio::task::spawn_blocking(move || disk.remove_folder(&folder)).await;
        }
    }

    /// Its stores, by name.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn stores(&self) -> Result<Vec<StoreInfo>> {
        self.stores_in(&self.objects).await
    }

    /// Its stores, by name, as far as anybody here knows: one that was created in the last hour may
    /// be missing from a bucket's. [`Lake::forget`] mends that.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn known_stores(&self) -> Result<Vec<StoreInfo>> {
        self.stores_in(&self.reading()).await
    }

    async fn stores_in(&self, objects: &Arc<dyn ObjectStore>) -> Result<Vec<StoreInfo>> {
        let folder = self.layout.stores();
        let listed = objects.list_with_delimiter(Some(&folder)).await;
        let listed = listed.map_err(|error| Error::storage(format!("list `{folder}`"), error))?;
        let names = listed.common_prefixes.iter().filter_map(|prefix| prefix.filename());
        let files = Some(listed.objects.as_slice());
        let infos = names.map(|name| StoreInfo::read(objects, &self.layout, name, files));
        let mut stores: Vec<StoreInfo> = try_join_all(infos).await?.into_iter().flatten().collect();
        stores.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(stores)
    }

    /// Creates a store that must not exist yet.
    ///
    /// # Errors
    /// [`Error::StoreExists`], [`Error::StoreName`]; as [`Lake::open_or_create`] where commits would
    /// not be safe.
    pub async fn create_store(
        &self,
        name: &str,
        spec: &StoreSpec,
        now: DateTime<Utc>,
    ) -> Result<StoreInfo> {
        self.check_commits().await?;
        match StoreInfo::create(&self.objects, &self.layout, name, spec, now).await? {
            (info, true) => Ok(info),
            (info, false) => Err(Error::StoreExists { name: info.name }),
        }
    }

    /// Opens a store for reading.
    ///
    /// # Errors
    /// [`Error::NoStore`].
    pub async fn store(&self, name: &str) -> Result<Store> {
        match StoreInfo::read(&self.reading(), &self.layout, name, None).await? {
            Some(info) => Ok(self.store_of(info)),
            None => Err(Error::NoStore { name: name.to_string() }),
        }
    }

    /// Who the store of that name is and what it is set to, as it is now.
    ///
    /// # Errors
    /// [`Error::NoStore`].
    pub async fn store_info(&self, name: &str) -> Result<StoreInfo> {
        let found = StoreInfo::read(&self.objects, &self.layout, name, None).await?;
        found.ok_or_else(|| Error::NoStore { name: name.to_string() })
    }

    /// A store that [`Lake::stores`] has told of, for reading.
    pub fn store_of(&self, info: StoreInfo) -> Store {
        let (cache, latest) = (self.cache.clone(), self.latest.clone());
        Store::new(info, self.layout.clone(), self.reading(), cache, latest)
    }

    /// Opens a store for writing: creates what is missing and completes the last round.
    ///
    /// # Errors
    /// [`Error::StoreName`], [`Error::PendingDeletion`], [`Error::TableFeatures`]; as
    /// [`Lake::open_or_create`] where commits would not be safe.
    pub async fn writer(
        &self,
        name: &str,
        spec: &StoreSpec,
        now: DateTime<Utc>,
    ) -> Result<StoreWriter> {
        match self.check_commits().await {
            // Who may not write harms nothing, and may want to see what would be done.
            Err(error) if error.is_denied() => {}
            checked => checked?,
        }
        let info = match StoreInfo::read(&self.objects, &self.layout, name, None).await? {
            Some(info) => info,
            None => StoreInfo::create(&self.objects, &self.layout, name, spec, now).await?.0,
        };
        info.check_stays()?;
        let (layout, objects) = (self.layout.clone(), self.objects.clone());
        let inflated = self.inflated_of(&info);
        let steps = self.steps.clone();
        let writer =
            StoreWriter::open(info, layout, objects, spec, steps, self.in_bucket, now).await?;
        Ok(writer.sharing(inflated))
    }
}

fn open_folder(location: &str, create: bool, fsync: Arc<dyn Fsync>) -> Result<DurableFolder> {
    let path = local_path(location)?;
    let failed =
        |error: std::io::Error| Error::storage(format!("open the folder `{location}`"), error);
    // Whether there is one is not known to who may not look.
    let is_there = path.try_exists().map_err(failed)?;
    if !create && !is_there {
        return Err(Error::NoLake { location: location.to_string() });
    }
    if is_there && !path.is_dir() {
        return Err(Error::NotALake { location: location.to_string() });
    }
    DurableFolder::open(&path, create, fsync).map_err(failed)
}

fn local_path(location: &str) -> Result<PathBuf> {
    let refused =
        |reason: &str| Error::Location { location: location.into(), reason: reason.into() };
    if location.is_empty() {
        return Err(refused("it is empty"));
    }
    if !location.contains("://") {
        return Ok(PathBuf::from(location));
    }
    match Url::parse(location) {
        Ok(url) if url.scheme() == "file" => {
            url.to_file_path().map_err(|()| refused("the URL names no folder of this machine"))
        }
        Ok(_) => Err(refused("only folders, `file://` and `s3://` URLs can hold a lake")),
        Err(error) => Err(refused(&error.to_string())),
    }
}

/// The whole of a small file; none when it does not exist.
pub(crate) async fn get(objects: &Arc<dyn ObjectStore>, path: &Path) -> Result<Option<Vec<u8>>> {
    let failed = |error| Error::storage(format!("read `{path}`"), error);
    match objects.get(path).await {
        Ok(found) => Ok(Some(found.bytes().await.map_err(failed)?.to_vec())),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Puts a small file that must be new; whether it was.
pub(crate) async fn put_new(
    objects: &Arc<dyn ObjectStore>,
    path: &Path,
    bytes: String,
) -> Result<bool> {
    match objects.put_opts(path, bytes.into(), PutMode::Create.into()).await {
        Ok(_) => Ok(true),
        Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
        Err(error) => Err(Error::storage(format!("write `{path}`"), error)),
    }
}

/// Removes a file; that it is gone already is fine.
pub(crate) async fn remove_file(objects: &Arc<dyn ObjectStore>, path: &Path) -> Result<()> {
    match objects.delete(path).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(Error::storage(format!("remove `{path}`"), error)),
    }
}

/// Refuses a file of a newer format.
pub(crate) fn check_format(what: &str, bytes: &[u8]) -> Result<()> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        format: u64,
    }
    let file: Versioned = serde_json::from_slice(bytes)
        .map_err(|error| Error::corrupt(format!("`{what}`"), error))?;
    if file.format > layout::FORMAT {
        let (found, supported) = (file.format, layout::FORMAT);
        return Err(Error::NewerFormat { what: format!("`{what}`"), found, supported });
    }
    Ok(())
}
