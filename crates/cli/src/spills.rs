//! Where queries put what does not fit into memory: a folder of this process alone, which is gone when
//! the process ends. One that was killed leaves its folder behind; the next process removes it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const PREFIX: &str = "traillake-spill-";
/// Locked for as long as the folder's process lives.
const LOCK: &str = "lock";
/// How often a folder is removed into which threads still write.
const ATTEMPTS_MAX: usize = 3;

static FOLDER: OnceLock<Option<Folder>> = OnceLock::new();

struct Folder {
    path: PathBuf,
    _locked: File,
}

/// Returns the folder, made at the first call; where it cannot be made, the folder it would be in.
pub fn folder() -> PathBuf {
    let parent = std::env::temp_dir();
    let own = FOLDER.get_or_init(|| Folder::make(&parent).ok());
    own.as_ref().map_or(parent, |own| own.path.clone())
}

/// Removes the folder, for the process is about to end.
pub fn remove() {
    let Some(Some(folder)) = FOLDER.get() else { return };
    for _ in 0..ATTEMPTS_MAX {
        match std::fs::remove_dir_all(&folder.path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            _ => return,
        }
    }
}

impl Folder {
    fn make(parent: &Path) -> io::Result<Folder> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        // Nobody may find it unlocked.
        let unlocked = folder.path().join("new");
        let locked = File::create(&unlocked)?;
        locked.lock()?;
        std::fs::rename(unlocked, folder.path().join(LOCK))?;
        remove_dead(parent, folder.path())?;
        Ok(Folder { path: folder.keep(), _locked: locked })
    }
}

/// Removes the folders beside `own` that are of the same user and whose process is gone. A temporary
/// folder is everybody's: what only looks like one of ours stays.
fn remove_dead(parent: &Path, own: &Path) -> io::Result<()> {
    let user = owner(own)?;
    for entry in std::fs::read_dir(parent)?.flatten() {
        let path = entry.path();
        let is_named = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let is_folder = || path.symlink_metadata().is_ok_and(|found| found.is_dir());
        if !is_named || path == own || !is_folder() || owner(&path).ok() != Some(user) {
            continue;
        }
        let lock = path.join(LOCK);
        let is_file = lock.symlink_metadata().is_ok_and(|found| found.is_file());
        if is_file && File::open(&lock).is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
    Ok(())
}

#[cfg(unix)]
fn owner(path: &Path) -> io::Result<u32> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(path.symlink_metadata()?.uid())
}

#[cfg(not(unix))]
fn owner(path: &Path) -> io::Result<()> {
    path.symlink_metadata().map(drop)
}
