//! What is its owner's alone, and is not trusted where it is not: whoever made the key of a server,
//! or can read it, knows every secret that is made from it.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Read as _, Result, Write as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// Of a mode, that others may write.
pub(super) const WRITE: u32 = 0o022;
/// Of a mode, that others may do anything.
const ANYTHING: u32 = 0o077;

/// The user that the files of this process belong to.
#[derive(Clone, Copy)]
pub(super) struct Owner(u32);

impl Owner {
    /// Returns the owner of a folder, who is the user of this process.
    ///
    /// # Errors
    /// When it belongs to another user, when others may write to it, or it cannot be used.
    pub(super) fn of_folder(folder: &Path) -> Result<Owner> {
        // Who this process is can be seen at what it makes.
        let (path, file) = new_beside(&folder.join("owner"))?;
        let made = file.metadata();
        std::fs::remove_file(path)?;
        let owner = Owner(user_and_mode(&made?).0);
        owner.check(folder, &folder.metadata()?, WRITE)?;
        Ok(owner)
    }

    /// Refuses what belongs to another user, or what others may do any of `kept_from_others` with.
    ///
    /// # Errors
    /// Which of both it is, and what ends it.
    pub(super) fn check(self, path: &Path, found: &Metadata, kept_from_others: u32) -> Result<()> {
        let (user, mode) = user_and_mode(found);
        let path = path.display();
        let (may, ends) = match kept_from_others {
            WRITE => ("write to", "go-w"),
            _ => ("read or write", "go-rwx"),
        };
        let reason = if user != self.0 {
            format!(
                "`{path}` belongs to another user, who may know its secrets; name a folder of your \
                 own, or run this as that user"
            )
        } else if mode & kept_from_others != 0 {
            format!("others may {may} `{path}`; `chmod {ends} {path}` ends that")
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::PermissionDenied, reason))
    }

    /// Returns what is in a file that nobody else may read or write.
    ///
    /// # Errors
    /// When somebody else may, or it cannot be read.
    pub(super) fn read(self, path: &Path) -> Result<Vec<u8>> {
        let mut file = File::open(path)?;
        self.check(path, &file.metadata()?, ANYTHING)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Creates a folder (0700) and those above it, where there is none.
///
/// # Errors
/// When it cannot be made.
pub(super) fn create_folder(folder: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Creates a file (0600), where nothing has its name.
///
/// # Errors
/// When it cannot be made.
pub(super) fn create_file(path: &Path) -> Result<()> {
    match create_new(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Writes a file (0600) of a new name beside `path`, whole and durable, and returns it.
///
/// # Errors
/// When it cannot be written; nothing is left then.
pub(super) fn write_beside(path: &Path, bytes: &[u8]) -> Result<PathBuf> {
    let (partial, mut file) = new_beside(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    match written {
        Ok(()) => Ok(partial),
        Err(error) => {
            let _ = std::fs::remove_file(partial);
            Err(error)
        }
    }
}

/// Writes a file (0600) in the place of whatever has its name: a link goes, and what it leads to
/// stays as it is.
///
/// # Errors
/// When it cannot be written; what was there is there still.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = write_beside(path, bytes)?;
    let replaced = std::fs::rename(&partial, path);
    if replaced.is_err() {
        let _ = std::fs::remove_file(partial);
    }
    replaced
}

/// Creates a file of a new name beside `path`; returns both.
fn new_beside(path: &Path) -> Result<(PathBuf, File)> {
    let partial = path.with_extension(format!("{}.partial", Uuid::new_v4()));
    let file = create_new(&partial)?;
    Ok((partial, file))
}

/// Creates a file (0600) that was not there, never the one that a link leads to.
fn create_new(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn user_and_mode(found: &Metadata) -> (u32, u32) {
    use std::os::unix::fs::MetadataExt as _;
    (found.uid(), found.mode())
}

/// Where files have neither, nobody else is known to reach them.
#[cfg(not(unix))]
fn user_and_mode(_: &Metadata) -> (u32, u32) {
    (0, 0)
}
