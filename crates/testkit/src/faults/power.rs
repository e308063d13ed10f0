//! A disk that loses what was not synced.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::random::Random;

/// A model of the disk under a real folder. Programs work in the folder with ordinary calls and
/// tell the model of their fsyncs; [`crash`](Self::crash) turns the folder into one that a machine
/// may find when its power comes back.
///
/// Contract, which is what POSIX promises and not more:
///
/// - A **name** (of a file, a hard link, a folder) is sure once the folder it stands in was synced
///   after it was made. Before that it may be missing, and so may everything below it. A name
///   removed or replaced since may be back, with what it named.
/// - The **bytes** of a file are sure up to the length it had at its last sync, under every name it
///   has. What came later may be there, be missing, or be there in part. A file that was changed
///   within its synced bytes may lose all of them.
/// - Syncing a file says nothing about its name, syncing a folder nothing about what its files
///   hold or what stands in folders below.
/// - Each loss is decided on its own by the seed: no order between two unsynced changes is kept.
///
/// Real file systems lose less. What the folder held at [`watch`](Self::watch) is sure.
///
/// Folders are told apart by inode number, so a program that removes a folder and makes another
/// may see names of the old one come back in the new one.
///
/// The model keeps hard links to what it has seen in a hidden folder beside the watched one, so
/// that removed files can come back; dropping the model removes it.
#[derive(Debug)]
pub struct PowerLoss {
    root: PathBuf,
    shadow: PathBuf,
    disk: Mutex<Disk>,
}

/// What is sure. Files and folders go by inode: names come and go.
#[derive(Debug, Default)]
struct Disk {
    folders: HashMap<u64, BTreeMap<OsString, Entry>>,
    files: HashMap<u64, Synced>,
    syncs: u64,
    off_at: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    File(u64),
    Folder(u64),
}

/// The bytes of a file at its last sync.
#[derive(Debug, Clone, Copy)]
struct Synced {
    length: u64,
    hash: u64,
}

impl PowerLoss {
    /// Returns the model of the folder `root`, which must exist; what is in it is sure.
    ///
    /// # Errors
    /// When the folder cannot be read or its file system has no hard links.
    pub fn watch(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into().canonicalize()?;
        let name = root.file_name().unwrap_or_default().to_string_lossy();
        let shadow = root.with_file_name(format!(".{name}.power-loss"));
        fs::create_dir_all(&shadow)?;
        let power = Self { root, shadow, disk: Mutex::default() };
        power.trust_all()?;
        Ok(power)
    }

    /// Makes the bytes of the file `path` sure, as `fsync` on it does.
    ///
    /// # Errors
    /// When the file cannot be read, or the power [is off](Self::cut_at).
    pub fn sync_file(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.powered()?;
        self.trust_file(&mut disk, path)
    }

    /// Makes the names in the folder `path` sure, as `fsync` on it does.
    ///
    /// # Errors
    /// When the folder cannot be read, or the power [is off](Self::cut_at).
    pub fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.powered()?;
        self.trust_folder(&mut disk, path)
    }

    /// Cuts the power at sync number `sync` (from 0): that one and every later one fails and makes
    /// nothing sure. Stops a program between two syncs of one call, where no wrapper of an object
    /// store reaches.
    pub fn cut_at(&self, sync: u64) {
        self.disk().off_at = Some(sync);
    }

    /// Returns the number of syncs so far, failed ones included.
    pub fn syncs(&self) -> u64 {
        self.disk().syncs
    }

    /// Loses power and finds the folder as it may then be: of everything unsure, `seed` decides.
    /// Afterwards what is there is sure, the count of syncs starts again, and the power is on.
    ///
    /// Nothing may work in the folder meanwhile.
    ///
    /// # Errors
    /// When the folder cannot be changed.
    pub fn crash(&self, seed: u64) -> io::Result<()> {
        let mut crash = Crash {
            shadow: &self.shadow,
            disk: std::mem::take(&mut *self.disk()),
            random: Random::new(seed),
            settled: BTreeSet::new(),
        };
        let root = fs::metadata(&self.root)?.ino();
        crash.folder(&self.root, Some(root))?;
        self.trust_all()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn powered(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let mut disk = self.disk();
        let sync = disk.syncs;
        disk.syncs += 1;
        match disk.off_at {
            Some(off_at) if sync >= off_at => Err(io::Error::other("the power is off")),
            _ => Ok(disk),
        }
    }

    fn trust_all(&self) -> io::Result<()> {
        let mut disk = Disk::default();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            self.trust_folder(&mut disk, &folder)?;
            for (name, entry) in entries(&folder)? {
                match entry {
                    Entry::Folder(_) => folders.push(folder.join(name)),
                    Entry::File(_) => self.trust_file(&mut disk, &folder.join(name))?,
                }
            }
        }
        for kept in fs::read_dir(&self.shadow)? {
            let kept = kept?;
            if !disk.files.contains_key(&kept.metadata()?.ino()) {
                fs::remove_file(kept.path())?;
            }
        }
        *self.disk() = disk;
        Ok(())
    }

    fn trust_file(&self, disk: &mut Disk, path: &Path) -> io::Result<()> {
        let bytes = fs::read(path)?;
        let inode = fs::metadata(path)?.ino();
        self.keep(path, inode)?;
        disk.files.insert(inode, Synced { length: bytes.len() as u64, hash: hash(&bytes) });
        Ok(())
    }

    fn trust_folder(&self, disk: &mut Disk, path: &Path) -> io::Result<()> {
        let names = entries(path)?;
        for (name, entry) in &names {
            if let Entry::File(inode) = entry {
                self.keep(&path.join(name), *inode)?;
            }
        }
        disk.folders.insert(fs::metadata(path)?.ino(), names);
        Ok(())
    }

    /// Keeps the inode of `path`, so that it can come back and its number is not used again.
    fn keep(&self, path: &Path, inode: u64) -> io::Result<()> {
        match fs::hard_link(path, self.shadow.join(inode.to_string())) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for PowerLoss {
    fn drop(&mut self) {
        // Left-overs in a temporary folder harm nobody, and a destructor has no one to tell.
        let _ = fs::remove_dir_all(&self.shadow);
    }
}

/// One loss of power, folder by folder.
struct Crash<'a> {
    shadow: &'a Path,
    disk: Disk,
    random: Random,
    /// Inodes whose bytes were decided under another name.
    settled: BTreeSet<u64>,
}

impl Crash<'_> {
    /// Settles what `path` holds; `was` is the inode under which the folder was synced, if ever.
    fn folder(&mut self, path: &Path, was: Option<u64>) -> io::Result<()> {
        let mut now = entries(path)?;
        let sure = was.and_then(|inode| self.disk.folders.get(&inode).cloned()).unwrap_or_default();
        let names: BTreeSet<OsString> = now.keys().chain(sure.keys()).cloned().collect();
        for name in names {
            let (now, sure) = (now.remove(&name), sure.get(&name).copied());
            let kept = if now == sure || self.random.chance(0.5) { now } else { sure };
            let path = path.join(name);
            if kept != now {
                remove(&path, now)?;
                self.restore(&path, kept)?;
            }
            match kept {
                Some(Entry::Folder(inode)) => self.folder(&path, Some(inode))?,
                Some(Entry::File(inode)) => self.bytes(&path, inode)?,
                None => {}
            }
        }
        Ok(())
    }

    fn restore(&self, path: &Path, entry: Option<Entry>) -> io::Result<()> {
        match entry {
            Some(Entry::File(inode)) => fs::hard_link(self.shadow.join(inode.to_string()), path),
            Some(Entry::Folder(_)) => fs::create_dir(path),
            None => Ok(()),
        }
    }

    /// Settles the bytes of the file at `path`: whole, cut to what is sure, or in between.
    fn bytes(&mut self, path: &Path, inode: u64) -> io::Result<()> {
        if !self.settled.insert(inode) {
            return Ok(());
        }
        let bytes = fs::read(path)?;
        let sure = match self.disk.files.get(&inode) {
            Some(Synced { length, hash: was }) => {
                let prefix = bytes.get(..*length as usize);
                prefix.filter(|prefix| hash(prefix) == *was).map_or(0, |prefix| prefix.len())
            }
            None => 0,
        };
        let unsure = (bytes.len() - sure) as u64;
        let kept = match self.random.below(3) {
            _ if unsure == 0 => return Ok(()),
            0 => return Ok(()),
            1 => sure as u64,
            _ => sure as u64 + self.random.below(unsure),
        };
        fs::OpenOptions::new().write(true).open(path)?.set_len(kept)
    }
}

fn entries(folder: &Path) -> io::Result<BTreeMap<OsString, Entry>> {
    let mut entries = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let (entry, metadata) = entry.and_then(|e| e.metadata().map(|m| (e, m)))?;
        let inode = metadata.ino();
        let kind = if metadata.is_dir() { Entry::Folder(inode) } else { Entry::File(inode) };
        entries.insert(entry.file_name(), kind);
    }
    Ok(entries)
}

fn remove(path: &Path, entry: Option<Entry>) -> io::Result<()> {
    match entry {
        Some(Entry::File(_)) => fs::remove_file(path),
        Some(Entry::Folder(_)) => fs::remove_dir_all(path),
        None => Ok(()),
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
