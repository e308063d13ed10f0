//! What was read of a lake in a bucket, kept: a request to S3 costs thirty milliseconds.
//!
//! Most of a lake never changes. Commits, checkpoints and data files are *immutable*: once read they
//! are kept in memory and in a folder that processes share. Everything else (which commits there
//! are, who the stores are) is *remembered* as one opening of a store, and believed only while one
//! listing shows that the store's ledger still ends with the same commit. Every round ends with a
//! commit of the ledger, so nothing new there means no new rows anywhere in the store.
//!
//! Only readers look through a cache. Who writes asks the bucket itself.
//!
//! [`requests`] come in; [`kept`] has what is immutable, [`answers`] what is remembered, in an
//! [`opening`]; the bytes of both lie on the [`shelf`].

mod requests;

mod answers;
mod kept;

mod opening;
mod shelf;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use self::opening::{Opening, Tip};
use self::shelf::Shelf;
use crate::layout::{self, Kept};

/// So many pieces can be asked for at a time without waiting for one another.
const TURNS: usize = 64;

/// Where what was read of a lake in a bucket is kept.
#[derive(Debug, Clone)]
pub struct CacheOptions {
    /// A folder of this lake's own; none: in memory alone. It may be removed at any time.
    pub folder: Option<PathBuf>,
    /// Bytes in the folder, about.
    pub bytes_max: u64,
    /// The clock.
    pub now: fn() -> DateTime<Utc>,
}

/// Requests to a bucket and bytes received from it.
#[derive(Debug, Default)]
pub struct Traffic {
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Traffic {
    /// Requests sent so far; a listing counts once, however many pages it has.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Bytes of objects received so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn count(&self, requests: u64, bytes: u64) {
        self.requests.fetch_add(requests, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A bucket, read through what is known of it already. An `Arc` of [`Traffic`] in the extensions of
/// a request counts what it really cost.
#[derive(Clone)]
pub(crate) struct Cache {
    known: Arc<Known>,
}

struct Known {
    inner: Arc<dyn ObjectStore>,
    traffic: Arc<Traffic>,
    shelf: Arc<Shelf>,
    /// Files of logs as they were listed: what was read of one is believed while it has that tag.
    listed: Mutex<HashMap<Path, ObjectMeta>>,
    opening: Mutex<Opening>,
    now: fn() -> DateTime<Utc>,
    /// Who asks for a piece asks alone.
    turns: Vec<tokio::sync::Mutex<()>>,
}

impl Cache {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, options: CacheOptions) -> Cache {
        let now = options.now;
        let shelf = Arc::new(Shelf::new(options.folder, options.bytes_max, now));
        let opening = Mutex::new(Opening::default());
        let turns = std::iter::repeat_with(tokio::sync::Mutex::default).take(TURNS).collect();
        let (traffic, listed) = (Arc::default(), Mutex::default());
        Cache { known: Arc::new(Known { inner, traffic, shelf, listed, opening, now, turns }) }
    }

    /// What all readers of this lake have cost.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.known.traffic
    }

    /// Begins a look at the lake, or at the store whose ledger's log is `log`: from here on what is
    /// remembered answers, if the ledger's log still ends as it did. Costs one listing, or nothing
    /// where nothing is remembered.
    pub(crate) async fn begin(&self, log: Option<&Path>) {
        let known = &self.known;
        if !known.opening().is_loaded() {
            let stored = known.shelf.stored(opening::NAME).await;
            let listed = known.opening().load(stored.as_deref(), (known.now)());
            known.note(&listed);
        }
        let Some(tip) = known.opening().unproven(log, (known.now)(), Instant::now()) else {
            return;
        };
        let listed = known.ask_listing(Some(&tip.log()), Some(&tip.before())).await;
        let listed = listed.unwrap_or_else(|error| {
            tracing::debug!(%error, "what is remembered of the lake could not be proven");
            Vec::new()
        });
        known.opening().prove(&tip, &listed, log.is_none(), Instant::now());
    }

    /// Remembers that the ledger whose log is `log` ends with version `newest`: what was asked since
    /// [`Cache::begin`], and is asked from here on, is of that state.
    pub(crate) async fn seal(&self, log: &Path, newest: u64) {
        let path = log.clone().join(layout::commit_name(newest));
        let Some(meta) = self.known.listed(&path) else { return };
        let now = (self.known.now)();
        if self.known.opening().seal(Tip::new(log, newest, &meta), now, Instant::now()) {
            self.known.keep_opening().await;
        }
    }

    /// Forgets what is remembered; whether there was any. What is immutable stays.
    pub(crate) fn forget(&self) -> bool {
        self.known.opening().forget()
    }
}

impl Known {
    async fn keep_opening(&self) {
        let bytes = self.opening().to_bytes();
        if let Some(bytes) = bytes {
            self.shelf.store(opening::NAME, bytes.into()).await;
        }
    }

    fn opening(&self) -> std::sync::MutexGuard<'_, Opening> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listed(&self, path: &Path) -> Option<ObjectMeta> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    /// Notes how files of logs were listed.
    fn note(&self, listed: &[ObjectMeta]) {
        let mut known = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        for meta in listed.iter().filter(|meta| layout::kept(&meta.location) == Kept::Listed) {
            known.insert(meta.location.clone(), meta.clone());
        }
    }
}
