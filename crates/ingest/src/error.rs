//! What keeps a run from going on. What is wrong with one object is a [`crate::Fault`] instead.

use std::path::PathBuf;

use chrono::NaiveDate;

use crate::selectors::SelectorError;

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
    /// Ingestion into the store was stopped.
    #[error("store `{store}` takes no events: ingestion was stopped")]
    Stopped {
        /// The store.
        store: String,
    },
    /// Selectors that the store keeps and that mean nothing.
    #[error("the event selectors of store `{store}` cannot be used")]
    Selectors {
        /// The store.
        store: String,
        /// What is wrong with them.
        #[source]
        source: SelectorError,
    },
    /// Objects that are past retention: their events would leave at once.
    #[error(
        "{objects} objects that are new to store `{store}` were delivered before {before}, and it \
         keeps events for {days} days only"
    )]
    PastRetention {
        /// The store.
        store: String,
        /// How many.
        objects: u64,
        /// The day before which they were delivered.
        before: NaiveDate,
        /// The store's retention.
        days: u32,
    },
    /// A bucket that cannot be listed.
    #[error("cannot list `{bucket}`: {reason}")]
    Bucket {
        /// Bucket and prefix.
        bucket: String,
        /// Why not, and what is missing.
        reason: String,
    },
    /// The counts of a run do not add up: it has lost objects on its way, or counted some twice.
    #[error("{found} objects were found, and {accounted} are accounted for")]
    Unaccounted {
        /// Objects found.
        found: u64,
        /// Objects of which the run knows what became of them.
        accounted: u64,
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
            Error::Stopped { .. } => {
                Some("start it again: `traillake store update --ingestion start`")
            }
            Error::PastRetention { .. } => {
                Some("nothing was read; leave them out with `--since`, or keep events for longer")
            }
            Error::Unaccounted { .. } => {
                Some("this is a fault of ours: tell us; what is committed stands")
            }
            Error::Temporary { .. } => Some("point TMPDIR at a disk with more room"),
            Error::Store(error) => error.hint(),
            _ => None,
        }
    }
}
