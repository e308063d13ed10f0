//! What keeps a run from going on. What is wrong with one object is a [`crate::Fault`] instead.

use std::path::PathBuf;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A source given by the user that is not there, or cannot be looked at.
    #[error("could not open `{}`", path.display())]
    Source {
        /// The path given.
        path: PathBuf,
        /// The refusal.
        #[source]
        source: std::io::Error,
    },
    /// A source that is neither a file nor a folder.
    #[error("`{}` is neither a file nor a folder", path.display())]
    SpecialSource {
        /// The path given.
        path: PathBuf,
    },
    /// The lake lies in a source, or a source in the lake: it would read its own files.
    #[error("the lake `{}` and the source `{}` lie inside one another", lake.display(), path.display())]
    LakeInSource {
        /// The lake's folder.
        lake: PathBuf,
        /// The source's path.
        path: PathBuf,
    },
    /// Standard input could not be read to its end.
    #[error("could not read standard input")]
    Stdin(#[source] std::io::Error),
    /// Space for rows set aside, or for input that is read twice, ran out.
    #[error("could not use the temporary folder `{}`", folder.display())]
    Temporary {
        /// The folder.
        folder: PathBuf,
        /// The failure.
        #[source]
        source: std::io::Error,
    },
    /// The lake could not be read or written.
    #[error(transparent)]
    Store(#[from] traillake_store::Error),
    /// Rows could not be put together.
    #[error("could not put rows together")]
    Rows(#[from] arrow::error::ArrowError),
    /// A bucket that cannot be listed.
    #[error("cannot list `{bucket}`: {reason}")]
    Bucket {
        /// Bucket and prefix.
        bucket: String,
        /// Why not, and what is missing.
        reason: String,
    },
    /// A worker stopped half way.
    #[error("a worker stopped half way")]
    Worker(#[source] tokio::task::JoinError),
}

impl Error {
    /// Returns what the user can do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::SpecialSource { .. } => Some("pipe it in: `traillake ingest -`"),
            Error::LakeInSource { .. } => {
                Some("keep the lake outside the folder of logs: `--lake PATH`")
            }
            Error::Temporary { .. } => Some("point TMPDIR at a disk with more room"),
            _ => None,
        }
    }
}
