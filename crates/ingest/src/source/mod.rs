//! Places that logs come from: each lists its objects and hands them over.

mod archive;
mod bucket;
mod disk;
mod spool;
mod stdin;

use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use traillake_cloudtrail::ObjectKey;

use crate::report::FaultKind;

pub use bucket::{Bucket, Inventory, KeyList, Keys, Lister};
pub(crate) use bucket::{Reading, of_keys, slices};
pub(crate) use disk::{DiskSource, Stamp, check_unchanged, open_roots, open_unchanged};
pub(crate) use spool::{Spool, SpoolReader};
pub(crate) use stdin::StdinSource;

/// Sources that are brought in together, before the next are.
pub(crate) struct Group {
    /// The sources.
    pub(crate) sources: Vec<Arc<dyn LogSource>>,
    /// The month of a bucket that they are, where they are one.
    pub(crate) month: Option<Month>,
}

/// A month of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Month {
    /// Number of the bucket among those of a run.
    pub(crate) bucket: usize,
    /// `yyyy/mm`.
    pub(crate) label: String,
    /// Hash of the names of its folders.
    pub(crate) folders: String,
}

/// One object as its source lists it, unopened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SourceObject {
    /// What the ledger knows it by: the absolute path, or bucket and key.
    pub(crate) key: Box<str>,
    /// Bytes as stored.
    pub(crate) size_bytes: u64,
    /// Modification time, cut to microseconds as the ledger keeps it.
    pub(crate) modified_at: Option<DateTime<Utc>>,
    /// ETag, where the source has one.
    pub(crate) etag: Option<Box<str>>,
    /// It has to be restored before it can be read.
    pub(crate) is_archived: bool,
    /// Its first bytes could not be read when it was listed: it may be an archive.
    pub(crate) is_unseen: bool,
    /// Where it stands in a source that can only be read from its start.
    pub(crate) position: u64,
    /// What the ledger knew of the key; set by the plan when it is to be read again.
    pub(crate) before: Option<Before>,
    /// The version of a bucket's object that was read; set by its reading.
    pub(crate) version_id: Option<Box<str>>,
    /// What stands beside a digest file; set by its reading.
    pub(crate) digest_stamp: Option<Box<DigestStamp>>,
}

impl SourceObject {
    /// Returns an object as a listing shows it.
    pub(crate) fn listed(
        key: impl Into<Box<str>>,
        size_bytes: u64,
        modified_at: Option<DateTime<Utc>>,
    ) -> SourceObject {
        SourceObject {
            key: key.into(),
            size_bytes,
            modified_at,
            etag: None,
            is_archived: false,
            is_unseen: false,
            position: 0,
            before: None,
            version_id: None,
            digest_stamp: None,
        }
    }

    /// Returns what its key says.
    pub(crate) fn log_key(&self) -> ObjectKey<'_> {
        ObjectKey::parse(&self.key).unwrap_or_else(|| ObjectKey::unread(&self.key))
    }
}

/// What CloudTrail keeps in the S3 metadata of a digest file, and a verification needs.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DigestStamp {
    /// The signature, in hex.
    pub(crate) signature: Option<String>,
    /// How it was made.
    pub(crate) signature_algorithm: Option<String>,
    /// When a backfill digest was generated, as spelled.
    pub(crate) backfill_generation_timestamp: Option<String>,
}

/// What the ledger knew of an object that is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Before {
    /// Hash of its bytes as stored.
    pub(crate) sha256: Option<[u8; 32]>,
    /// Whether size, ETag and time were those of now.
    pub(crate) same_stamp: bool,
}

/// The bytes of an object, handed over.
pub(crate) enum Contents {
    /// A file; the worker that decodes it opens it.
    File(PathBuf),
    /// The bytes themselves.
    Held(Arc<[u8]>),
    /// Bytes that were too many to hold.
    Spooled(Spool),
    /// Too large to hold, and nothing that could be a log.
    Foreign,
    /// The source has the object but cannot give its bytes (an encrypted member): a reject.
    Refused(String),
    /// The object could not be had this time; it is not committed and stays new.
    Failed(FaultKind, String),
}

/// Why something found at a source is no object of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Ignored {
    /// What file managers and archivers leave behind.
    Junk,
    /// A symbolic link: it may leave the folder, or lead back into it.
    SymbolicLink,
    /// A link in an archive, to another entry or out of it.
    Link,
    /// A FIFO, socket or device: reading one may never end.
    SpecialFile,
    /// Another service's log under `AWSLogs/`.
    OtherService,
    /// Another service's folder under `AWSLogs/` in a bucket, which is not listed.
    OtherServiceFolder,
    /// Nothing in it is CloudTrail's.
    NotCloudTrail,
    /// No bytes at all, under a name that is not CloudTrail's.
    Empty,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ignored::Junk => "file manager's leftovers",
            Ignored::SymbolicLink => "symbolic link",
            Ignored::Link => "link in an archive",
            Ignored::SpecialFile => "special file",
            Ignored::OtherService => "another service's log",
            Ignored::OtherServiceFolder => "another service's folder, not listed",
            Ignored::NotCloudTrail => "not CloudTrail",
            Ignored::Empty => "empty file",
        })
    }
}

/// What a listing comes across.
pub(crate) enum Found {
    /// An object.
    Object(SourceObject),
    /// A source inside this one, to be listed next: an archive in a folder.
    Source(Arc<dyn LogSource>),
    /// Something that is no object.
    Ignored {
        /// Its path.
        object: String,
        /// Why.
        reason: Ignored,
    },
    /// An object that could not be had.
    Failed {
        /// Its path.
        object: String,
        /// What is wrong.
        kind: FaultKind,
        /// What the system says.
        reason: String,
    },
    /// Something that could not be looked at, of which nobody knows how many objects it holds.
    Fault {
        /// Its path.
        object: String,
        /// What is wrong.
        kind: FaultKind,
        /// What the system says.
        reason: String,
    },
}

/// A place that logs come from. Both methods block and are called on a thread of their own.
pub(crate) trait LogSource: Send + Sync {
    /// Lists every object, in any order, until `found` breaks. What cannot be read is told as
    /// [`Found::Fault`]; the listing goes on.
    fn list(&self, found: &mut dyn FnMut(Found) -> ControlFlow<()>);

    /// Hands over the bytes of `objects` (of this source, as listed), one after the other in the
    /// order given, until `take` breaks. Every object is handed over, whatever happened to it. Of a
    /// source that can be read in any order, one that would keep all others waiting may come later.
    fn hand_over(
        &self,
        objects: Vec<SourceObject>,
        take: &mut dyn FnMut(SourceObject, Contents) -> ControlFlow<()>,
    );

    /// Returns the key of a source that can only be read from its start to its end: its objects
    /// stay together and in their own order. Nothing when they can be read in any order.
    fn sequential(&self) -> Option<&str> {
        None
    }

    /// Returns whether its newest day is to come in first.
    fn is_newest_first(&self) -> bool {
        false
    }

    /// Returns of how many objects its listings have asked what they are, in a request for each.
    fn heads(&self) -> u64 {
        0
    }
}
