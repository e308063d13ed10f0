//! Durable means fsync: what counts is on the disk before it is named.
//!
//! `object_store`'s own file system never syncs, so after a power loss a commit could name files
//! that are empty. Here every write goes to a staging file beside its target, is synced, then gets
//! its name (a hard link where the name must be new, a rename where it may be replaced), then the
//! folder is synced. A write that has returned survives; a write that has not leaves at most a
//! staging file, `<name>#<digits>`, which no listing shows.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};
use uuid::Uuid;

/// How bytes are made to survive a power loss. The seam where tests lose power.
pub trait Fsync: Send + Sync + fmt::Debug {
    /// Makes the content of an open file durable; called after its last write, before it is named.
    ///
    /// # Errors
    /// As the system call.
    fn file(&self, file: &File, path: &FsPath) -> io::Result<()>;

    /// Makes the names in a folder durable; called after a link, rename or creation in it.
    ///
    /// # Errors
    /// As the system call.
    fn folder(&self, path: &FsPath) -> io::Result<()>;

    /// Gives a file a second name, which must be new: how a name is taken by one process only.
    ///
    /// # Errors
    /// As the system call; file systems without hard links refuse it.
    fn link(&self, file: &FsPath, name: &FsPath) -> io::Result<()> {
        fs::hard_link(file, name)
    }
}

/// The system's own fsync.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFsync;

impl Fsync for RealFsync {
    fn file(&self, file: &File, _path: &FsPath) -> io::Result<()> {
        file.sync_all()
    }

    fn folder(&self, path: &FsPath) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

/// A folder as an object store whose writes are durable when they return.
#[derive(Debug)]
pub(crate) struct DurableFolder {
    disk: Arc<Disk>,
    reads: LocalFileSystem,
}

impl DurableFolder {
    /// The folder `root`, which is created (readable by its owner only) when it is missing and
    /// `create` says so.
    pub(crate) fn open(
        root: &FsPath,
        create: bool,
        fsync: Arc<dyn Fsync>,
    ) -> io::Result<DurableFolder> {
        // Without `..` and links, so that a path of the store can never leave the folder.
        let absolute = std::path::absolute(root)?;
        if create && !absolute.is_dir() {
            create_folders(&absolute, fsync.as_ref())?;
        }
        let root = fs::canonicalize(&absolute)?;
        let reads = LocalFileSystem::new_with_prefix(&root).map_err(io::Error::other)?;
        let disk = Disk { root, fsync, durable: Mutex::new(HashSet::new()) };
        Ok(DurableFolder { disk: Arc::new(disk), reads })
    }

    /// Removes what processes that died were writing, where it was last written before `before`; how
    /// many files, and their bytes. No listing shows them, so nobody else would.
    pub(crate) fn sweep(&self, before: SystemTime) -> io::Result<(u64, u64)> {
        let (mut files, mut bytes) = (0, 0);
        let mut folders = vec![self.disk.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() && is_staging_name(&entry.file_name()) {
                    let Ok(metadata) = entry.metadata() else { continue }; // it is over by now
                    if metadata.modified()? < before && fs::remove_file(entry.path()).is_ok() {
                        (files, bytes) = (files + 1, bytes + metadata.len());
                    }
                }
            }
        }
        Ok((files, bytes))
    }

    /// Removes the folders from `folder` down that hold nothing but what processes that died were
    /// writing. Best effort: what is left harms nobody.
    pub(crate) fn remove_folder(&self, folder: &Path) {
        let folder = self.disk.place(folder);
        self.disk.locked().retain(|known| !known.starts_with(&folder));
        remove_empty(&folder);
    }

    /// Tries to give a file a second name, which commits rest on. The inner result is the answer.
    pub(crate) fn probe_hard_links(&self) -> io::Result<std::result::Result<(), io::Error>> {
        let (file, first) = stage(&self.disk.root.join(crate::layout::LAKE_FILE))?;
        drop(file);
        let second = staging_name(&self.disk.root.join(crate::layout::LAKE_FILE));
        let linked = self.disk.fsync.link(&first, &second);
        let _ = fs::remove_file(&second);
        fs::remove_file(&first)?;
        Ok(linked)
    }
}

impl fmt::Display for DurableFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.disk.root.display())
    }
}

#[async_trait]
impl ObjectStore for DurableFolder {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let naming = match opts.mode {
            PutMode::Create => Naming::New,
            PutMode::Overwrite => Naming::Replace,
            PutMode::Update(_) => return Err(not_implemented("conditional update")),
        };
        let (disk, location) = (self.disk.clone(), location.clone());
        blocking(move || {
            let mut upload = disk.begin(&location, naming)?;
            for chunk in payload.iter() {
                upload.write_at(upload.length, chunk)?;
            }
            upload.finish()
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let (disk, location) = (self.disk.clone(), location.clone());
        let upload = blocking(move || disk.begin(&location, Naming::Replace)).await?;
        Ok(Box::new(PartsUpload { upload: Arc::new(Mutex::new(Some(upload))), length: 0 }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.reads.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.reads.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.reads.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        sorted(self.reads.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        sorted(self.reads.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.reads.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _from: &Path, _to: &Path, _options: CopyOptions) -> Result<()> {
        Err(not_implemented("copy"))
    }
}

/// Log replay needs names in order; a folder has none.
fn sorted(
    entries: BoxStream<'static, Result<ObjectMeta>>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let collected = entries.try_collect::<Vec<_>>().map(|entries| match entries {
        Ok(mut entries) => {
            entries.sort_unstable_by(|a, b| a.location.cmp(&b.location));
            stream::iter(entries.into_iter().map(Ok)).boxed()
        }
        Err(error) => stream::iter([Err(error)]).boxed(),
    });
    collected.flatten_stream().boxed()
}

/// Whether a name must be new.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Naming {
    New,
    Replace,
}

/// The folder, and which folders under it are known to survive.
#[derive(Debug)]
struct Disk {
    root: PathBuf,
    fsync: Arc<dyn Fsync>,
    durable: Mutex<HashSet<PathBuf>>,
}

impl Disk {
    fn begin(self: &Arc<Disk>, location: &Path, naming: Naming) -> Result<Upload> {
        let target = self.place(location);
        let failed = |error: io::Error| generic(location, error);
        let folder = target.parent().unwrap_or(&self.root).to_path_buf();
        self.ensure_folder(&folder).map_err(failed)?;
        let staged = match stage(&target) {
            // Somebody else has removed it: with a store that was deleted, and is there again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.locked().clear();
                self.ensure_folder(&folder).and_then(|()| stage(&target))
            }
            staged => staged,
        };
        let (file, staged) = staged.map_err(failed)?;
        let (disk, location) = (self.clone(), location.clone());
        Ok(Upload { disk, location, naming, file: Some(file), staged, folder, target, length: 0 })
    }

    /// Where a path of the store is on the disk.
    fn place(&self, path: &Path) -> PathBuf {
        path.parts().fold(self.root.clone(), |at, part| at.join(part.as_ref()))
    }

    /// Creates `folder` where it is missing. Every folder down to it is made durable once by each
    /// process, also those that somebody else created and may not have synced yet.
    fn ensure_folder(&self, folder: &FsPath) -> io::Result<()> {
        let known = |path: &FsPath| self.locked().contains(path);
        if folder == self.root || known(folder) {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.ensure_folder(parent)?;
            create_folder(folder)?;
            self.fsync.folder(parent)?;
        }
        self.locked().insert(folder.to_path_buf());
        Ok(())
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file being written under its staging name.
#[derive(Debug)]
struct Upload {
    disk: Arc<Disk>,
    location: Path,
    naming: Naming,
    file: Option<File>,
    staged: PathBuf,
    folder: PathBuf,
    target: PathBuf,
    length: u64,
}

impl Upload {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let Some(file) = self.file.as_mut() else {
            return Err(generic(&self.location, io::Error::other("the upload is over")));
        };
        let written = file.seek(SeekFrom::Start(offset)).and_then(|_| file.write_all(bytes));
        self.length = self.length.max(offset + bytes.len() as u64);
        written.map_err(|error| generic(&self.location, error))
    }

    fn finish(mut self) -> Result<PutResult> {
        let failed = |error: io::Error| generic(&self.location, error);
        let fsync = &self.disk.fsync;
        if let Some(file) = self.file.take() {
            fsync.file(&file, &self.staged).map_err(failed)?;
        }
        match self.naming {
            Naming::New => match fsync.link(&self.staged, &self.target) {
                Ok(()) => fs::remove_file(&self.staged).map_err(failed)?,
                Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
                    // Who hears that the name is taken may build on it.
                    fsync.folder(&self.folder).map_err(failed)?;
                    let path = self.location.to_string();
                    return Err(Error::AlreadyExists { path, source: source.into() });
                }
                Err(error) => return Err(failed(error)),
            },
            Naming::Replace => fs::rename(&self.staged, &self.target).map_err(failed)?,
        }
        fsync.folder(&self.folder).map_err(failed)?;
        Ok(PutResult { e_tag: None, version: None })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // After a finished upload the name is gone already.
        let _ = fs::remove_file(&self.staged);
    }
}

/// An upload in parts, which may arrive in any order.
#[derive(Debug)]
struct PartsUpload {
    upload: Arc<Mutex<Option<Upload>>>,
    length: u64,
}

impl PartsUpload {
    fn take(&self) -> Result<Upload> {
        let upload = self.upload.lock().unwrap_or_else(PoisonError::into_inner).take();
        upload.ok_or_else(|| generic(&Path::default(), io::Error::other("the upload is over")))
    }
}

#[async_trait]
impl MultipartUpload for PartsUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (upload, start) = (self.upload.clone(), self.length);
        self.length += data.content_length() as u64;
        blocking(move || {
            let mut upload = upload.lock().unwrap_or_else(PoisonError::into_inner);
            let upload = upload
                .as_mut()
                .ok_or_else(|| generic(&Path::default(), io::Error::other("the upload is over")))?;
            let mut offset = start;
            for chunk in data.iter() {
                upload.write_at(offset, chunk)?;
                offset += chunk.len() as u64;
            }
            Ok(())
        })
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let upload = self.take()?;
        blocking(move || upload.finish()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.take().map(drop)
    }
}

fn remove_empty(folder: &FsPath) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => remove_empty(&entry.path()),
            Ok(_) if is_staging_name(&entry.file_name()) => {
                let _ = fs::remove_file(entry.path());
            }
            _ => {}
        }
    }
    let _ = fs::remove_dir(folder);
}

/// Creates `folder` and its missing parents, durable one by one.
fn create_folders(folder: &FsPath, fsync: &dyn Fsync) -> io::Result<()> {
    let Some(parent) = folder.parent() else { return Ok(()) };
    if !parent.is_dir() {
        create_folders(parent, fsync)?;
    }
    create_folder(folder)?;
    fsync.folder(parent)
}

fn create_folder(folder: &FsPath) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        other => other,
    }
}

/// A new staging file for `target`, and its name.
fn stage(target: &FsPath) -> io::Result<(File, PathBuf)> {
    let staged = staging_name(target);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    Ok((options.open(&staged)?, staged))
}

/// `<name>#<digits>`: the form that `object_store` leaves out of listings.
fn staging_name(target: &FsPath) -> PathBuf {
    let mut name = target.as_os_str().to_os_string();
    name.push(format!("#{}", Uuid::new_v4().as_u128()));
    PathBuf::from(name)
}

fn is_staging_name(name: &std::ffi::OsStr) -> bool {
    let number = name.to_str().and_then(|name| name.rsplit_once('#'));
    number.is_some_and(|(_, number)| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}

fn generic(location: &Path, source: io::Error) -> Error {
    let source = io::Error::new(source.kind(), format!("`{location}`: {source}"));
    Error::Generic { store: "folder", source: source.into() }
}

fn not_implemented(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_string(), implementer: "DurableFolder".into() }
}
