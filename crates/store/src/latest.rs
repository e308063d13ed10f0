//! The newest state of every table, as it was last read: who asks again reads only what is new.
//!
//! A state is believed as long as a listing of its log shows the same files as before it was read:
//! the same names, sizes, times and tags, from the checkpoint on. Commits that came since are read
//! and added, and a checkpoint of what is known says nothing new; when anything else changed (a
//! clean-up, a file that is gone or another lake in the same place), the log is read anew, as if
//! nothing were known.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::ObjectMeta;
use object_store::path::Path;

use crate::error::Result;
use crate::layout;
use crate::log::{TableLog, TableState, Tip};

/// A listing of more files is not gone on with: what is known is read again, from a later checkpoint
/// on, before a listing takes two requests.
const FILES_MAX: usize = 500;

/// What readers of a lake know of its tables. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latest {
    /// By the folder of the table.
    tips: Arc<Mutex<HashMap<Path, Known<Tip>>>>,
    states: Arc<Mutex<HashMap<Path, Known<TableState>>>>,
}

/// Something read of a log, and the log's files as they were listed before.
#[derive(Debug)]
struct Known<T> {
    listing: Arc<Listing>,
    value: Arc<T>,
}

impl<T> Clone for Known<T> {
    fn clone(&self) -> Known<T> {
        Known { listing: Arc::clone(&self.listing), value: Arc::clone(&self.value) }
    }
}

/// The files of a log that say what the table is: from its newest checkpoint on.
#[derive(Debug, PartialEq)]
pub(crate) struct Listing {
    /// The id of the store, as commits carry it.
    application: String,
    /// The version that it begins with.
    from: u64,
    /// By name.
    files: Vec<ObjectMeta>,
}

impl Listing {
    /// What was listed of a log of `application` from version `from` on.
    pub(crate) fn new(application: &str, from: u64, mut files: Vec<ObjectMeta>) -> Listing {
        files.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        Listing { application: application.to_owned(), from, files }
    }

    /// The newest commit in it.
    pub(crate) fn newest(&self) -> Option<u64> {
        self.commits().max()
    }

    /// Its `_last_checkpoint`.
    fn hint(&self) -> Option<&ObjectMeta> {
        self.files.iter().find(|file| layout::is_last_checkpoint(&file.location))
    }

    /// The versions of its commits, ascending.
    fn commits(&self) -> impl Iterator<Item = u64> {
        self.files.iter().filter_map(|file| layout::commit_version(&file.location))
    }

    fn find(&self, path: &Path) -> Option<&ObjectMeta> {
        let at = self.files.binary_search_by(|file| file.location.cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Whether it is `before`, the commits that follow, and checkpoints: nothing else.
    fn continues(&self, before: &Listing) -> bool {
        let Some(newest) = before.newest() else { return false };
        let is_checkpoint = |file: &ObjectMeta| {
            layout::is_last_checkpoint(&file.location)
                || layout::checkpoint_version(&file.location).is_some()
        };
        let is_kept = |file: &ObjectMeta| {
            let now = self.find(&file.location);
            now == Some(file) || (now.is_some() && layout::is_last_checkpoint(&file.location))
        };
        let is_new = |file: &ObjectMeta| match layout::commit_version(&file.location) {
            Some(version) => version > newest,
            None => is_checkpoint(file),
        };
        let is_expected = |file: &ObjectMeta| before.find(&file.location).is_some() || is_new(file);
        let new = self.commits().filter(|version| *version > newest);
        let last = self.newest().unwrap_or(newest);
        let is_ahead = |file: &ObjectMeta| layout::checkpoint_version(&file.location) > Some(last);
        self.application == before.application
            && self.from == before.from
            && self.files.len() <= FILES_MAX
            && before.files.iter().all(is_kept)
            && self.files.iter().all(is_expected)
            && !self.files.iter().any(is_ahead)
            && new.zip(newest + 1..).all(|(found, next)| found == next)
    }
}

impl Latest {
    /// How a log ends; none when there is no such table. One listing when nothing changed.
    ///
    /// # Errors
    /// As [`TableLog::tip`].
    pub(crate) async fn tip(&self, log: &TableLog) -> Result<Option<Arc<Tip>>> {
        let mut found = None;
        if let Some(known) = get(&self.tips, log) {
            let listing = log.listing(known.listing.from).await?;
            if listing == *known.listing {
                return Ok(Some(known.value));
            }
            // A log that ends before its checkpoint has lost something, which loading it tells.
            let is_whole = listing.hint() == known.listing.hint()
                || log.last_checkpoint().await? <= listing.newest();
            if is_whole && listing.continues(&known.listing) {
                found = log.tip_of(&listing).await?.map(|tip| (tip, listing));
            }
        }
        if found.is_none() {
            found = log.tip().await?;
        }
        let Some((tip, listing)) = found else {
            forget(&self.tips, log);
            return Ok(None);
        };
        let tip = Arc::new(tip);
        keep(&self.tips, log, listing, &tip, tip.version);
        Ok(Some(tip))
    }

    /// A table as of now; none when it does not exist. One listing when nothing changed.
    ///
    /// # Errors
    /// As [`TableLog::load`].
    pub(crate) async fn state(&self, log: &TableLog) -> Result<Option<Arc<TableState>>> {
        if let Some(known) = get(&self.states, log) {
            let listing = log.listing(known.listing.from).await?;
            if listing == *known.listing {
                return Ok(Some(known.value));
            }
            if listing.continues(&known.listing) {
                let state = log.advance(&known.value).await?;
                keep(&self.states, log, listing, &state, state.version());
                return Ok(Some(state));
            }
        }
        let checkpoint = log.last_checkpoint().await?;
        let listing = log.listing(checkpoint.unwrap_or(0)).await?;
        let Some(state) = log.load(None).await? else {
            forget(&self.states, log);
            return Ok(None);
        };
        let state = Arc::new(state);
        keep(&self.states, log, listing, &state, state.version());
        Ok(Some(state))
    }
}

fn get<T>(known: &Mutex<HashMap<Path, Known<T>>>, log: &TableLog) -> Option<Known<T>> {
    known.lock().unwrap_or_else(PoisonError::into_inner).get(log.folder()).cloned()
}

fn forget<T>(known: &Mutex<HashMap<Path, Known<T>>>, log: &TableLog) {
    known.lock().unwrap_or_else(PoisonError::into_inner).remove(log.folder());
}

/// Keeps what was read after `listing`, unless a commit came in between: then it is more than the
/// listing vouches for.
fn keep<T>(
    known: &Mutex<HashMap<Path, Known<T>>>,
    log: &TableLog,
    listing: Listing,
    value: &Arc<T>,
    version: u64,
) {
    if listing.newest() != Some(version) {
        return;
    }
    let known_now = Known { listing: Arc::new(listing), value: Arc::clone(value) };
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    known.insert(log.folder().clone(), known_now);
}
