//! Bytes by name: the newest in memory, all in a folder while there is room.
//!
//! A file of the folder is `traillake-cache-1`, the length of the name (4 bytes, little endian), the
//! name, the XXH3 of the content (8 bytes) and the content. One that is anything else counts as
//! absent, so that the folder can be removed, cut short or shared at any time.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Bytes in memory.
const MEMORY_BYTES_MAX: usize = 64 << 20;
/// A file is marked as used when its last mark is older.
const MARKED_EVERY: Duration = Duration::from_secs(600);
const MAGIC: &[u8] = b"traillake-cache-1";

pub(super) struct Shelf {
    folder: Option<PathBuf>,
    bytes_max: u64,
    now: fn() -> DateTime<Utc>,
    /// Bytes written since the folder was last tidied; it is at the start.
    written: AtomicU64,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    content: HashMap<String, Bytes>,
    /// Names, oldest first.
    order: VecDeque<String>,
    bytes: usize,
}

impl Shelf {
    pub(super) fn new(
        folder: Option<PathBuf>,
        bytes_max: u64,
        now: fn() -> DateTime<Utc>,
    ) -> Shelf {
        let written = AtomicU64::new(u64::MAX / 2);
        Shelf { folder, bytes_max, now, written, memory: Mutex::default() }
    }

    pub(super) async fn get(self: &Arc<Shelf>, name: &str) -> Option<Bytes> {
        if let Some(bytes) = self.held(name) {
            return Some(bytes);
        }
        let bytes = self.stored(name).await?;
        self.hold(name, bytes.clone());
        Some(bytes)
    }

    /// What the folder has, whatever is in memory.
    pub(super) async fn stored(self: &Arc<Shelf>, name: &str) -> Option<Bytes> {
        let (file, name, now) = (self.file(name)?, name.to_owned(), (self.now)());
        tokio::task::spawn_blocking(move || read(&file, &name, now)).await.ok()?
    }

    pub(super) async fn put(self: &Arc<Shelf>, name: &str, bytes: Bytes) {
        self.hold(name, bytes.clone());
        self.store(name, bytes).await;
    }

    /// Puts something into the folder. That it could not be is no fault of a query.
    pub(super) async fn store(self: &Arc<Shelf>, name: &str, bytes: Bytes) {
        let (Some(file), shelf, name) = (self.file(name), self.clone(), name.to_owned()) else {
            return;
        };
        let stored = tokio::task::spawn_blocking(move || {
            write(&file, &name, &bytes)?;
            shelf.tidy_now_and_then(bytes.len() as u64)
        });
        if let Ok(Err(error)) = stored.await {
            tracing::debug!(%error, "could not be kept in the cache");
        }
    }

    fn held(&self, name: &str) -> Option<Bytes> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.content.get(name).cloned()
    }

    fn hold(&self, name: &str, bytes: Bytes) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() > MEMORY_BYTES_MAX / 4 || memory.content.contains_key(name) {
            return;
        }
        memory.bytes += bytes.len();
        memory.content.insert(name.to_owned(), bytes);
        memory.order.push_back(name.to_owned());
        while memory.bytes > MEMORY_BYTES_MAX
            && let Some(oldest) = memory.order.pop_front()
        {
            memory.bytes -= memory.content.remove(&oldest).map_or(0, |bytes| bytes.len());
        }
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        let hash = format!("{:032x}", xxh3_128(name.as_bytes()));
        Some(self.folder.as_ref()?.join(&hash[..2]).join(&hash[2..]))
    }

    /// Removes what was not used for longest when the folder has grown by a tenth.
    fn tidy_now_and_then(&self, bytes: u64) -> io::Result<()> {
        let written = self.written.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if written < self.bytes_max / 10 {
            return Ok(());
        }
        self.written.store(0, Ordering::Relaxed);
        match &self.folder {
            Some(folder) => tidy(folder, self.bytes_max),
            None => Ok(()),
        }
    }
}

fn read(file: &Path, name: &str, now: DateTime<Utc>) -> Option<Bytes> {
    let whole = Bytes::from(fs::read(file).ok()?);
    let rest = whole.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (found, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let (hash, content) = rest.split_first_chunk::<8>()?;
    if found != name.as_bytes() || xxh3_64(content) != u64::from_le_bytes(*hash) {
        return None;
    }
    mark(file, now.into());
    Some(whole.slice_ref(content))
}

/// Says that a file was used, for [`tidy`].
fn mark(file: &Path, now: SystemTime) {
    let marked = fs::metadata(file).and_then(|meta| meta.modified());
    let is_old = |at: SystemTime| now.duration_since(at).is_ok_and(|age| age > MARKED_EVERY);
    if marked.is_ok_and(is_old)
        && let Ok(file) = fs::File::options().append(true).open(file)
    {
        let _ = file.set_modified(now);
    }
}

/// Under a name of its own first: nobody reads half of it.
fn write(file: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    create_folder(folder)?;
    let temporary = folder.join(format!("{}.new", Uuid::new_v4()));
    let mut whole = Vec::with_capacity(MAGIC.len() + 12 + name.len() + bytes.len());
    whole.extend_from_slice(MAGIC);
    whole.extend_from_slice(&u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes());
    whole.extend_from_slice(name.as_bytes());
    whole.extend_from_slice(&xxh3_64(bytes).to_le_bytes());
    whole.extend_from_slice(bytes);
    let written = write_private(&temporary, &whole).and_then(|()| fs::rename(&temporary, file));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(unix)]
fn create_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn create_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

fn write_private(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    io::Write::write_all(&mut options.open(file)?, bytes)
}

/// Keeps the folder at four fifths of its size once it is larger.
fn tidy(folder: &Path, bytes_max: u64) -> io::Result<()> {
    let mut files = Vec::new();
    for part in fs::read_dir(folder)?.flatten() {
        for file in fs::read_dir(part.path()).into_iter().flatten().flatten() {
            if let Ok(meta) = file.metadata() {
                files.push((
                    meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                    meta.len(),
                    file.path(),
                ));
            }
        }
    }
    let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    if bytes <= bytes_max {
        return Ok(());
    }
    files.sort();
    for (_, size, file) in files {
        if bytes <= bytes_max / 5 * 4 {
            break;
        }
        let _ = fs::remove_file(file);
        bytes -= size;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let parts = fs::read_dir(folder).unwrap().flatten();
        parts
            .flat_map(|part| fs::read_dir(part.path()).unwrap().flatten())
            .map(|f| f.path())
            .collect()
    }

    #[tokio::test]
    async fn what_was_put_is_there_for_another_process_and_damage_is_absence() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = || Arc::new(Shelf::new(Some(folder.path().to_owned()), 1 << 20, epoch));
        shelf().put("a", Bytes::from_static(b"content")).await;
        assert_eq!(shelf().get("a").await.as_deref(), Some(&b"content"[..]));
        assert_eq!(shelf().get("b").await, None);
        let file = files(folder.path()).pop().unwrap();
        let whole = fs::read(&file).unwrap();
        for length in 0..whole.len() {
            fs::write(&file, &whole[..length]).unwrap();
            assert_eq!(shelf().get("a").await, None, "{length}");
        }
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        fs::write(&file, &flipped).unwrap();
        assert_eq!(shelf().get("a").await, None);
        fs::remove_dir_all(folder.path()).unwrap();
        let gone = shelf();
        gone.put("a", Bytes::from_static(b"again")).await;
        assert_eq!(gone.get("a").await.as_deref(), Some(&b"again"[..]));
    }

    #[tokio::test]
    async fn a_folder_stays_under_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Arc::new(Shelf::new(Some(folder.path().to_owned()), 100_000, epoch));
        for number in 0..50 {
            shelf.put(&number.to_string(), Bytes::from(vec![7; 10_000])).await;
            let bytes: u64 =
                files(folder.path()).iter().map(|file| file.metadata().unwrap().len()).sum();
            assert!(bytes <= 111_000, "{bytes} after {number}");
        }
        assert!(files(folder.path()).len() > 6);
    }
}
