//! Files and folders.

use std::fs::{File, FileType, Metadata};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use traillake_cloudtrail::log_file::archive::{HEAD_BYTES, is_archive};
use traillake_cloudtrail::log_file::is_foreign;
use traillake_cloudtrail::{Limits, ObjectKey, object_key};

use super::archive::ArchiveSource;
use super::{Contents, Found, Ignored, LogSource, SourceObject};
use crate::error::{Error, Result};
use crate::report::FaultKind;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) size_bytes: u64,
    pub(crate) modified_at: Option<DateTime<Utc>>,
}

impl Stamp {
    /// Returns the stamp that a listing took of an object.
    pub(crate) fn listed(object: &SourceObject) -> Stamp {
        Stamp { size_bytes: object.size_bytes, modified_at: object.modified_at }
    }

    /// Returns the stamp of a file as it is now.
    pub(crate) fn of(metadata: &Metadata) -> Stamp {
        let modified_at = metadata.modified().ok().and_then(|at| {
            // The ledger keeps microseconds: a finer time would never compare equal again.
            DateTime::from_timestamp_micros(DateTime::<Utc>::from(at).timestamp_micros())
        });
        Stamp { size_bytes: metadata.len(), modified_at }
    }
}

/// Files and folders of a local file system, archives in them included.
#[derive(Debug)]
pub(crate) struct DiskSource {
    roots: Vec<PathBuf>,
    limits: Limits,
    temp_dir: PathBuf,
}

impl DiskSource {
    /// Returns a source of everything at or below `paths`.
    ///
    /// # Errors
    /// When a path is not there, is no file or folder, or shares its tree with the lake.
    pub(crate) fn open(
        paths: &[PathBuf],
        lake_folder: Option<&Path>,
        limits: &Limits,
        temp_dir: &Path,
    ) -> Result<DiskSource> {
        let mut roots = open_roots(paths, lake_folder)?;
        // Sorted, a folder comes before what lies in it: nothing is listed twice.
        roots.sort();
        roots.dedup_by(|inner, outer| inner.starts_with(&*outer));
        Ok(DiskSource { roots, limits: limits.clone(), temp_dir: temp_dir.to_path_buf() })
    }

    fn look_at_folder(
        &self,
        folder: &Path,
        pending: &mut Vec<PathBuf>,
        found: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return found(unreadable(folder, &error)),
        };
        for entry in entries {
            let looked = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)));
            match looked {
                Ok((path, kind)) if kind.is_dir() && !is_junk(&path) => pending.push(path),
                Ok((path, kind)) => self.look_at_file(&path, kind, found)?,
                Err(error) => found(unreadable(folder, &error))?,
            }
        }
        ControlFlow::Continue(())
    }

    fn look_at_file(
        &self,
        path: &Path,
        kind: FileType,
        found: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let key = key_of(path);
        let by_name = if kind.is_symlink() {
            Some(Ignored::SymbolicLink)
        } else if object_key::is_junk(&key) {
            Some(Ignored::Junk)
        } else if !kind.is_file() {
            Some(Ignored::SpecialFile)
        } else {
            object_key::other_service(&key).map(|_| Ignored::OtherService)
        };
        if let Some(reason) = by_name {
            return found(Found::Ignored { object: key, reason });
        }
        let stamp = match std::fs::symlink_metadata(path) {
            Ok(metadata) => Stamp::of(&metadata),
            Err(error) => return found(unreadable(path, &error)),
        };
        // A file that CloudTrail named is its log; opening each of a million only to make sure
        // would double the cost of listing them.
        let mut is_unseen = false;
        if !ObjectKey::parse(&key).is_some_and(|key| key.is_cloudtrail) {
            let ignored = |object, reason| Found::Ignored { object, reason };
            match look_inside(path) {
                Some(Inside::Nothing) => return found(ignored(key, Ignored::Empty)),
                Some(Inside::Foreign) => return found(ignored(key, Ignored::NotCloudTrail)),
                Some(Inside::Archive) => return found(self.archive(path, key, stamp)),
                Some(Inside::PerhapsLog) => {}
                // One that cannot be read is an object too: reading it may fail, and is counted.
                None => is_unseen = true,
            }
        }
        let listed = SourceObject::listed(key, stamp.size_bytes, stamp.modified_at);
        found(Found::Object(SourceObject { is_unseen, ..listed }))
    }

    fn archive(&self, path: &Path, key: String, stamp: Stamp) -> Found {
        Found::Source(Arc::new(ArchiveSource::on_disk(
            path.to_path_buf(),
            key,
            stamp,
            self.limits.clone(),
            self.temp_dir.clone(),
        )))
    }
}

impl LogSource for DiskSource {
    fn list(&self, found: &mut dyn FnMut(Found) -> ControlFlow<()>) {
        let mut pending = Vec::new();
        for root in &self.roots {
            let looked = match std::fs::symlink_metadata(root) {
                Ok(metadata) if metadata.is_dir() => {
                    pending.push(root.clone());
                    ControlFlow::Continue(())
                }
                Ok(metadata) => self.look_at_file(root, metadata.file_type(), found),
                Err(error) => found(unreadable(root, &error)),
            };
            if looked.is_break() {
                return;
            }
        }
        while let Some(folder) = pending.pop() {
            if self.look_at_folder(&folder, &mut pending, found).is_break() {
                return;
            }
        }
    }

    fn hand_over(
        &self,
        objects: Vec<SourceObject>,
        take: &mut dyn FnMut(SourceObject, Contents) -> ControlFlow<()>,
    ) {
        for object in objects {
            let path = path_of(&object.key);
            if take(object, Contents::File(path)).is_break() {
                return;
            }
        }
    }
}

/// Opens a listed file, if it still is what was listed.
///
/// # Errors
/// The fault to report: it vanished, changed, or cannot be read.
pub(crate) fn open_unchanged(path: &Path, listed: Stamp) -> Result<File, (FaultKind, String)> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => (FaultKind::Vanished, "vanished before it was read".to_owned()),
        _ => (FaultKind::Unreadable, error.to_string()),
    })?;
    check_unchanged(&file, listed)?;
    Ok(file)
}

/// Checks an open file against its listing, before and after it is read.
///
/// # Errors
/// The fault to report.
pub(crate) fn check_unchanged(file: &File, listed: Stamp) -> Result<(), (FaultKind, String)> {
    let now = file.metadata().map_err(|error| (FaultKind::Unreadable, error.to_string()))?;
    if Stamp::of(&now) == listed {
        return Ok(());
    }
    let (was, is) = (listed.size_bytes, now.len());
    Err((FaultKind::Changed, format!("changed while it was read ({was} bytes, then {is})")))
}

/// Returns the key of a file: its absolute path. A path that is not UTF-8, or could be that of an
/// archive's member, is spelled as a `file://` URL (RFC 8089), so that two paths never share a key
/// and the key leads back to the file.
fn key_of(path: &Path) -> String {
    if let Some(text) = path.to_str().filter(|text| !text.contains("!/")) {
        return text.to_owned();
    }
    let mut key = String::from("file://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => key.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => key.push(char::from(*byte)),
            byte => key.push_str(&format!("%{byte:02X}")),
        }
    }
    key
}

/// Returns the path that [`key_of`] spelled.
fn path_of(key: &str) -> PathBuf {
    #[cfg(unix)]
    if let Some(escaped) = key.strip_prefix("file://") {
        use std::os::unix::ffi::OsStringExt;
        return PathBuf::from(std::ffi::OsString::from_vec(unescaped(escaped.as_bytes())));
    }
    PathBuf::from(key)
}

#[cfg(unix)]
fn unescaped(escaped: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

/// Returns the paths with links resolved.
///
/// # Errors
/// When a path is not there, is no file or folder, or shares its tree with the lake.
pub(crate) fn open_roots(paths: &[PathBuf], lake_folder: Option<&Path>) -> Result<Vec<PathBuf>> {
    let lake = lake_folder.map(resolved);
    paths.iter().map(|path| open_root(path, lake.as_deref())).collect()
}

fn open_root(path: &Path, lake: Option<&Path>) -> Result<PathBuf> {
    let refused = |source| Error::Source { path: path.to_path_buf(), source };
    let root = path.canonicalize().map_err(refused)?;
    let metadata = root.metadata().map_err(refused)?;
    if !metadata.is_dir() && !metadata.is_file() {
        return Err(Error::SpecialSource { path: path.to_path_buf() });
    }
    match lake {
        Some(lake) if lake.starts_with(&root) || root.starts_with(lake) => {
            Err(Error::LakeInSource { lake: lake.to_path_buf(), path: root })
        }
        _ => Ok(root),
    }
}

/// Returns the path with links resolved, also when its last parts do not exist yet.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let existing = absolute.ancestors().find_map(|part| Some((part, part.canonicalize().ok()?)));
    match existing {
        Some((part, canonical)) => match absolute.strip_prefix(part) {
            Ok(rest) if rest.as_os_str().is_empty() => canonical,
            Ok(rest) => canonical.join(rest),
            Err(_) => absolute,
        },
        None => absolute,
    }
}

/// What the first bytes of a file say.
enum Inside {
    Nothing,
    Archive,
    Foreign,
    PerhapsLog,
}

/// Returns what a file holds by its first bytes; nothing when it cannot be read.
fn look_inside(path: &Path) -> Option<Inside> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(HEAD_BYTES as u64).read_to_end(&mut head).ok()?;
    Some(match &*head {
        [] => Inside::Nothing,
        head if is_archive(head) => Inside::Archive,
        head if is_foreign(head) => Inside::Foreign,
        _ => Inside::PerhapsLog,
    })
}

fn is_junk(folder: &Path) -> bool {
    object_key::is_junk(&key_of(folder))
}

fn unreadable(path: &Path, error: &io::Error) -> Found {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => FaultKind::Vanished,
        _ => FaultKind::Unreadable,
    };
    Found::Fault { object: key_of(path), kind, reason: error.to_string() }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn a_key_leads_back_to_its_file() {
        let check = |path: &[u8], key: &str| {
            let path = PathBuf::from(std::ffi::OsString::from_vec(path.to_vec()));
            assert_eq!(key_of(&path), key);
            assert_eq!(path_of(key), path);
        };
        check(b"/logs/a b%20.json", "/logs/a b%20.json");
        check("/logs/ü.json".as_bytes(), "/logs/ü.json");
        check(b"/logs/AWSLogs/a b%\xff.json", "file:///logs/AWSLogs/a%20b%25%FF.json");
        check(b"/logs/x.zip!/m.json", "file:///logs/x.zip%21/m.json");
    }
}
