//! What to bring in, and at what cost.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use traillake_cloudtrail::{Kind, Limits, ObjectKey};

use crate::selectors::Selectors;
use crate::source::{Bucket, Keys, Reading};

/// How late CloudTrail may deliver an event, in days, as a [`Selection`] allows for it. AWS
/// promises no time: "on average within about 5 minutes" is what it says.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html>
pub const LATE_DAYS: i64 = 3;

/// Where logs come from.
pub enum Source {
    /// A file, a folder with everything below it, or an archive.
    Path(PathBuf),
    /// One stream: a log file or an archive.
    Stdin(Box<dyn Read + Send>),
    /// A bucket of S3, or what is under a prefix of it.
    Bucket(Bucket),
    /// Objects of a bucket that somebody names.
    Keys(Bucket, Keys),
}

impl Source {
    /// Returns the same source once more; none for what can be read only once, and for objects that
    /// somebody names.
    pub(crate) fn again(&self) -> Option<Source> {
        match self {
            Source::Path(path) => Some(Source::Path(path.clone())),
            Source::Bucket(bucket) => Some(Source::Bucket(bucket.clone())),
            Source::Stdin(_) | Source::Keys(..) => None,
        }
    }
}

/// How a run goes about it.
#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// Folder of the lake when it is a local one: sources inside or around it are refused.
    pub lake_folder: Option<PathBuf>,
    /// Folder for what does not fit memory. Files in it have no name and vanish with the process.
    pub temp_dir: PathBuf,
    /// Workers that read and decode at once; more than about eight need more memory than the default.
    pub jobs: usize,
    /// Peak memory aimed at, in bytes; every queue and buffer is a share of it.
    pub memory_bytes: u64,
    /// Reads known objects again and compares their bytes with the ledger's hashes.
    pub rehash: bool,
    /// Objects left out by their key.
    pub selection: Selection,
    /// Records that are taken in, of those that the store takes; none: all of them.
    pub selectors: Option<Selectors>,
    /// Leaves out objects past retention, where new ones are refused else: nobody chose them.
    pub leaves_out_expired: bool,
    /// How long a bucket may send nothing before a request is given up, and made again.
    pub patience: Duration,
    /// A follower's look at everything: where it was cut off the next one goes on, and no other run
    /// does.
    pub is_sweep: bool,
    /// Brings in a bucket's oldest logs first, not its newest.
    pub oldest_first: bool,
    /// The selection begins within the last weeks: what a place of a bucket holds from then on is
    /// asked for in one, instead of by years, months and days.
    pub is_recent: bool,
    /// Records of a round, at most (a single object may exceed it).
    pub round_rows_max: u64,
    /// Objects of a round, at most.
    pub round_objects_max: usize,
}

impl IngestOptions {
    /// Returns the defaults: two workers, 512 MB, everything.
    pub fn new(lake_folder: Option<PathBuf>, temp_dir: PathBuf) -> IngestOptions {
        IngestOptions {
            lake_folder,
            temp_dir,
            jobs: 2,
            memory_bytes: 512 << 20,
            rehash: false,
            selection: Selection::default(),
            selectors: None,
            leaves_out_expired: false,
            patience: Duration::from_secs(60),
            is_sweep: false,
            oldest_first: false,
            is_recent: false,
            round_rows_max: 1 << 20,
            round_objects_max: 1 << 15,
        }
    }

    /// Returns the bytes of decoded rows at which a round is full. Two rounds are in memory at once
    /// (one fills while the other is written, and writing sorts a copy).
    pub(crate) fn round_bytes_max(&self) -> usize {
        usize::try_from(self.memory_bytes / 12).unwrap_or(usize::MAX)
    }

    /// Returns the inflated bytes of one chunk that are held between hashing and decoding. It
    /// depends on memory alone: how many workers there are must not change what a round holds.
    pub(crate) fn chunk_bytes_max(&self) -> usize {
        usize::try_from(self.memory_bytes / 48).unwrap_or(usize::MAX).min(16 << 20)
    }

    /// Returns the workers of a stage: as many as asked for, as far as three chunks for each (being
    /// hashed, waiting, being decoded) fit in half of the memory.
    pub(crate) fn workers(&self) -> usize {
        let chunk = 3 * self.chunk_bytes_max().max(1) as u64;
        let fitting = usize::try_from(self.memory_bytes / 2 / chunk).unwrap_or(usize::MAX);
        self.jobs.min(fitting).max(1)
    }

    /// Returns how buckets are read. What they send ahead of the workers is a small share: it is
    /// compressed, and grows tenfold.
    pub(crate) fn reading(&self) -> Reading {
        Reading {
            limits: self.limits(),
            held_bytes_max: self.memory_bytes / 32,
            temp_dir: self.temp_dir.clone(),
            patience: self.patience,
            oldest_first: self.oldest_first,
            is_recent: self.is_recent,
        }
    }

    /// Returns the bounds on what one object may cost.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            in_memory_bytes_max: self.chunk_bytes_max(),
            batch_bytes_max: self.chunk_bytes_max() / 2,
            ..Limits::default()
        }
    }
}

/// Which objects a run looks at, judged by their key alone.
///
/// Only what a key *says* leaves an object out: a file without account, region or date in its path
/// is always looked at, for it may hold anything. Times are those of events: an object is looked at
/// that was delivered from `since` on, until [`LATE_DAYS`] after `until`.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Events at or after.
    pub since: Option<DateTime<Utc>>,
    /// Events before.
    pub until: Option<DateTime<Utc>>,
    /// Accounts; empty: all.
    pub accounts: BTreeSet<String>,
    /// Regions; empty: all.
    pub regions: BTreeSet<String>,
    /// Kinds; empty: all.
    pub kinds: BTreeSet<Kind>,
}

impl Selection {
    /// Returns what both select; none where they have no account, region or kind in common.
    pub fn and(&self, other: &Selection) -> Option<Selection> {
        fn common<T: Ord + Clone>(a: &BTreeSet<T>, b: &BTreeSet<T>) -> Option<BTreeSet<T>> {
            match (a.is_empty(), b.is_empty()) {
                (true, _) => Some(b.clone()),
                (_, true) => Some(a.clone()),
                _ => Some(a & b).filter(|common| !common.is_empty()),
            }
        }
        Some(Selection {
            since: self.since.max(other.since),
            until: self.until.into_iter().chain(other.until).min(),
            accounts: common(&self.accounts, &other.accounts)?,
            regions: common(&self.regions, &other.regions)?,
            kinds: common(&self.kinds, &other.kinds)?,
        })
    }

    /// Returns whether the key may belong to the selection.
    pub fn admits(&self, key: &ObjectKey<'_>) -> bool {
        self.admits_place(key)
            && key.delivered_at.is_none_or(|at| {
                self.since.is_none_or(|since| at >= since)
                    && self.delivered_until().is_none_or(|until| at < until)
            })
    }

    /// Returns until when events of the selection may be delivered.
    pub fn delivered_until(&self) -> Option<DateTime<Utc>> {
        self.until
            .map(|until| until.checked_add_signed(TimeDelta::days(LATE_DAYS)).unwrap_or(until))
    }

    /// Returns whether account, region and kind of the key may belong to the selection.
    pub(crate) fn admits_place(&self, key: &ObjectKey<'_>) -> bool {
        fn listed<T: Ord + Borrow<Q>, Q: Ord + ?Sized>(
            set: &BTreeSet<T>,
            value: Option<&Q>,
        ) -> bool {
            set.is_empty() || value.is_none_or(|value| set.contains(value))
        }
        listed(&self.accounts, key.account)
            && listed(&self.regions, key.region)
            && listed(&self.kinds, key.kind.as_ref())
    }
}
