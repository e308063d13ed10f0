//! Durable means fsync: what counts is on the disk before it is named.

use std::fs::File;
use std::io;
use std::path::Path;

/// How bytes are made to survive a power loss. The seam where tests lose power.
pub trait Fsync: Send + Sync + std::fmt::Debug {
    /// Makes the content of an open file durable; called after its last write, before it is named.
    ///
    /// # Errors
    /// As the system call.
    fn file(&self, file: &File, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable; called after a link, rename or creation in it.
    ///
    /// # Errors
    /// As the system call.
    fn folder(&self, path: &Path) -> io::Result<()>;
}

/// The system's own fsync.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFsync;

impl Fsync for RealFsync {
    fn file(&self, file: &File, _path: &Path) -> io::Result<()> {
        file.sync_all()
    }

    fn folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}
