//! Everything that can go wrong in a lake, by what the caller can do about it.

use std::path::PathBuf;

use crate::refusal::{self, Refusal};

/// What to do about damage.
const MEND: &str = "`traillake check` names what is damaged; docs/deploy.md says how to mend it";

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The lake, store or table asked for does not exist.
    NotFound,
    /// What was asked for cannot be: a bad name, a folder that is not a lake, a file system that
    /// cannot hold one.
    Refused,
    /// The lake was written by a newer version.
    Newer,
    /// The storage failed; trying again may help.
    Storage,
    /// The lake does not hold what its own log promises.
    Corrupt,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder is empty or absent.
    #[error("there is no lake at `{location}`")]
    NoLake {
        /// The location asked for.
        location: String,
    },
    /// The folder holds something else.
    #[error("`{location}` is neither empty nor a lake")]
    NotALake {
        /// The location asked for.
        location: String,
    },
    /// A location that cannot be understood.
    #[error("`{location}` is not a place for a lake: {reason}")]
    Location {
        /// The location asked for.
        location: String,
        /// Why not.
        reason: String,
    },
    /// The file system has no hard links, on which atomic commits rest.
    #[error("the file system of `{}` has no hard links", folder.display())]
    NoHardLinks {
        /// The folder tried.
        folder: PathBuf,
        /// The refusal.
        #[source]
        source: std::io::Error,
    },
    /// A bucket that writes a name twice: two writers would both believe to have committed.
    #[error("`{location}` does not refuse to write a name that is taken")]
    NoConditionalWrites {
        /// The location tried.
        location: String,
    },
    /// Format of a newer version.
    #[error("{what} has format version {found}, this traillake reads up to {supported}")]
    NewerFormat {
        /// The file.
        what: String,
        /// Its version.
        found: u64,
        /// The newest this version reads.
        supported: u64,
    },
    /// A table that needs Delta features this version does not know.
    #[error("table `{table}` needs features this traillake does not know: {features}")]
    TableFeatures {
        /// The table.
        table: String,
        /// The features or protocol versions.
        features: String,
    },
    /// A store that does not exist.
    #[error("there is no store `{name}`")]
    NoStore {
        /// The name asked for.
        name: String,
    },
    /// A store that exists already.
    #[error("store `{name}` exists already")]
    StoreExists {
        /// The name asked for.
        name: String,
    },
    /// A name no store can have.
    #[error("`{name}` cannot be the name of a store")]
    StoreName {
        /// The name asked for.
        name: String,
    },
    /// What a store cannot be set to.
    #[error("the store cannot be set so: {reason}")]
    Setting {
        /// Why not.
        reason: String,
    },
    /// A store that is to be deleted.
    #[error("store `{name}` is to be deleted, and cannot be read or written")]
    PendingDeletion {
        /// Its name.
        name: String,
    },
    /// A store whose removal has begun: it can no longer be restored.
    #[error("store `{name}` is being removed")]
    BeingRemoved {
        /// Its name.
        name: String,
    },
    /// What a store is set to changed while something was done by it.
    #[error("store `{store}` was set otherwise meanwhile")]
    SettingsChanged {
        /// Its name.
        store: String,
    },
    /// Files to remove are not live: another rewrite was there first.
    #[error("{count} files to remove from table `{table}` are no longer in it, first `{first}`")]
    NotLive {
        /// The table.
        table: String,
        /// How many.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// Nothing was committed at or before the time asked for, or the round never happened.
    #[error("the store has no state as of {at}")]
    TooOld {
        /// The time or round asked for.
        at: String,
    },
    /// A file was removed while somebody still read the state that shows it.
    #[error("`{path}` was removed meanwhile: this took longer than replaced files are kept")]
    Outlived {
        /// The file.
        path: String,
    },
    /// Input that breaks the contract of a round.
    #[error("the round cannot be taken: {reason}")]
    Input {
        /// Why not.
        reason: String,
    },
    /// A store whose tables are of different rounds, as in a copy made while somebody wrote.
    #[error("store `{store}` is not whole: {reason}")]
    Torn {
        /// The store.
        store: String,
        /// What is missing.
        reason: String,
    },
    /// A file that does not hold what it should.
    #[error("{what} is damaged: {reason}")]
    Corrupt {
        /// The file or table.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// The storage failed.
    #[error("could not {action}")]
    Storage {
        /// What was tried.
        action: String,
        /// The failure.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::NoLake { .. }
            | Error::NoStore { .. }
            | Error::TooOld { .. }
            | Error::Outlived { .. } => ErrorKind::NotFound,
            Error::NotALake { .. }
            | Error::Location { .. }
            | Error::NoHardLinks { .. }
            | Error::NoConditionalWrites { .. }
            | Error::StoreExists { .. }
            | Error::StoreName { .. }
            | Error::Setting { .. }
            | Error::PendingDeletion { .. }
            | Error::BeingRemoved { .. }
            | Error::SettingsChanged { .. }
            | Error::NotLive { .. }
            | Error::Input { .. } => ErrorKind::Refused,
            Error::NewerFormat { .. } | Error::TableFeatures { .. } => ErrorKind::Newer,
            Error::Torn { .. } | Error::Corrupt { .. } => ErrorKind::Corrupt,
            Error::Storage { .. } => ErrorKind::Storage,
        }
    }

    /// What to try next, where that can be said.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Error::NoLake { .. } => "`ingest` creates a lake; or name another one with `--lake`",
            Error::NotALake { .. } => "name an empty folder, or one that does not exist yet",
            Error::NoHardLinks { .. } => {
                "exFAT and FAT cannot hold a lake; use a folder on ext4, xfs, btrfs, APFS or NTFS"
            }
            Error::NoConditionalWrites { .. } => {
                "a lake needs conditional writes (`If-None-Match`), as Amazon S3 and current MinIO \
                 and Ceph have them"
            }
            Error::NewerFormat { .. } | Error::TableFeatures { .. } => "use a newer traillake",
            Error::NoStore { .. } => "`store list` shows the stores of the lake",
            Error::StoreName { .. } => {
                "use 1 to 64 lower-case letters, digits, `-` or `_`, a letter or digit first; \
                 `system` and `information_schema` are taken"
            }
            Error::PendingDeletion { .. } => "`traillake store restore NAME` brings it back",
            Error::BeingRemoved { .. } => {
                "nobody can stop that; `traillake maintain` ends it, and the name is free again"
            }
            Error::SettingsChanged { .. } => "run it again, by what it is set to now",
            Error::Torn { .. } => {
                "a lake copied while somebody writes to it is not whole; copy it again, or restore a \
                 whole backup"
            }
            Error::Outlived { .. } => {
                "ask again, for a newer state; `maintain --vacuum-grace` must be longer than the \
                 longest query"
            }
            Error::NotLive { .. } => "another rewrite was there first; plan again",
            Error::Corrupt { .. } => MEND,
            Error::Storage { source, .. } if is_full(source.as_ref()) => {
                "make space and run it again: what was acknowledged is whole, the rest comes in then"
            }
            Error::Storage { source, .. } if links(source.as_ref()).any(is_of_network) => {
                "nothing answered, which says nothing of what is stored: run it again"
            }
            Error::Storage { action, source } if is_unreadable(action, source.as_ref()) => MEND,
            Error::Storage { source, .. } => return refusal::within(source.as_ref())?.hint(),
            _ => return None,
        })
    }

    /// A failure of the storage while doing `action` (an infinitive: "read `x`"). What S3 refused is
    /// told in its words alone; that something is not there stays to be seen.
    pub(crate) fn storage(
        action: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        let source = source.into();
        let refused = refusal::within(source.as_ref()).filter(|_| !is_missing(source.as_ref()));
        let refused = refused.cloned();
        Error::Storage { action: action.into(), source: refused.map_or(source, Into::into) }
    }

    /// `what` does not hold what it should.
    pub(crate) fn corrupt(what: impl Into<String>, reason: impl ToString) -> Error {
        Error::Corrupt { what: what.into(), reason: reason.to_string() }
    }
}

impl Error {
    /// Whether a disk, or a share of it, is full.
    pub(crate) fn is_full(&self) -> bool {
        is_full(self)
    }

    /// Whether a file is not there.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Error::Storage { source, .. } if is_missing(source.as_ref()))
    }

    /// The path of a file that is not there, as the storage spells it.
    pub(crate) fn missing_path(&self) -> Option<&str> {
        let Error::Storage { source, .. } = self else { return None };
        let first: &(dyn std::error::Error + 'static) = source.as_ref();
        let mut links = std::iter::successors(Some(first), |error| error.source());
        links.find_map(|link| match link.downcast_ref::<object_store::Error>() {
            Some(object_store::Error::NotFound { path, .. }) => Some(path.as_str()),
            _ => None,
        })
    }

    /// Whether whoever runs this may not write there at all.
    pub(crate) fn is_denied(&self) -> bool {
        use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        let Error::Storage { source, .. } = self else { return false };
        let io = source.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let refused = refusal::within(source.as_ref());
        matches!(io, Some(PermissionDenied | ReadOnlyFilesystem))
            || matches!(refused, Some(Refusal::Denied { .. }))
    }

    /// The error and its causes, in one sentence.
    pub(crate) fn spelled_out(&self) -> String {
        refusal::spelled_out(self)
    }
}

fn is_missing(error: &(dyn std::error::Error + 'static)) -> bool {
    let found = error.downcast_ref::<object_store::Error>();
    matches!(found, Some(object_store::Error::NotFound { .. }))
        || error.source().is_some_and(is_missing)
}

/// Whether the failure of a read says nothing of what is stored: who asks may not read it, or nobody
/// answered.
pub(crate) fn is_unanswered(error: &object_store::Error) -> bool {
    use object_store::Error as Failure;
    match error {
        Failure::NotFound { .. } | Failure::NotModified { .. } | Failure::Precondition { .. } => {
            return false;
        }
        Failure::PermissionDenied { .. } | Failure::Unauthenticated { .. } => return true,
        _ => {}
    }
    match refusal::within(error) {
        // The object is shorter than it should be.
        Some(Refusal::Other { code, .. }) => code != "InvalidRange" && !code.starts_with("416"),
        Some(_) => true,
        None => links(error).any(|link| is_of_network(link) || is_of_somebody_else(link)),
    }
}

/// Whether an error is that of a network, or of a disk behind one.
fn is_of_network(link: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind as Kind;
    let kind = link.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    let is_io = matches!(
        kind,
        Some(
            Kind::ConnectionAborted
                | Kind::ConnectionRefused
                | Kind::ConnectionReset
                | Kind::HostUnreachable
                | Kind::NetworkDown
                | Kind::NetworkUnreachable
                | Kind::NotConnected
                | Kind::StaleNetworkFileHandle
                | Kind::TimedOut
        )
    );
    is_io || link.is::<object_store::client::HttpError>()
}

/// Whether an error is that of a file which may not be read.
fn is_of_somebody_else(link: &(dyn std::error::Error + 'static)) -> bool {
    let io = link.downcast_ref::<std::io::Error>();
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Whether what was read is there, and is not what it should be. Of a log that is told in words.
fn is_unreadable(action: &str, source: &(dyn std::error::Error + 'static)) -> bool {
    let is_of_file = |link: &(dyn std::error::Error + 'static)| {
        link.is::<parquet::errors::ParquetError>() || link.is::<arrow::error::ArrowError>()
    };
    let is_of_storage = |link: &(dyn std::error::Error + 'static)| {
        link.is::<std::io::Error>() || link.is::<object_store::Error>()
    };
    let is_of_log = action.starts_with("read the log of ");
    (is_of_log || links(source).any(is_of_file)) && !links(source).any(is_of_storage)
}

/// An error and its causes.
fn links<'a>(
    first: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(first), |&error| error.source())
}

/// Whether a failure comes from a disk, or a share of it, that is full.
fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    matches!(kind, Some(StorageFull | QuotaExceeded)) || error.source().is_some_and(is_full)
}

#[cfg(test)]
mod tests {
    use parquet::errors::ParquetError;

    use super::*;

    /// However deep: in S3's words, within a Parquet reader's error.
    #[test]
    fn that_a_file_is_not_there_can_be_seen() {
        let said = Refusal::Other { code: "NoSuchKey".into(), message: String::new() };
        let refused = |source| object_store::Error::NotFound { path: "a".into(), source };
        let gone = refused(Box::new(said.clone()));
        assert!(Error::storage("read `a`", gone).is_missing());
        let gone = ParquetError::External(Box::new(refused(Box::new(said.clone()))));
        assert!(Error::storage("read `a`", gone).is_missing());
        let failed = object_store::Error::Generic { store: "S3", source: Box::new(said) };
        assert!(!Error::storage("read `a`", failed).is_missing());
    }
}
