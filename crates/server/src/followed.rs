//! How do the sources fare that are followed while the server serves? Whoever follows them tells it
//! here, and hears here when somebody asks for a look. Where another process follows them, whoever
//! reads its notes tells it here.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use crate::auth::Identity;

/// The sources that are followed beside a server. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Followed {
    sources: Arc<Mutex<Vec<FollowedSource>>>,
    asked: Arc<Notify>,
}

/// A source, and how it went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowedSource {
    /// Its name in the lake.
    pub name: String,
    /// The store that its rows go to.
    pub store: String,
    /// When the last look ended.
    pub looked_at: Option<DateTime<Utc>>,
    /// When a look last ended well.
    pub succeeded_at: Option<DateTime<Utc>>,
    /// What was wrong with the last look, or else with the last sweep, if it failed.
    pub failure: Option<String>,
    /// Objects that the last look, or the last sweep, could not take in.
    pub objects_failed: u64,
    /// Messages that wait in its queue, about; none without a queue.
    pub backlog: Option<u64>,
    /// Messages refused.
    pub refused: u64,
    /// What came of it since the server began; none where another process follows it.
    pub counts: Option<SourceCounts>,
}

/// What came of following a source since the server began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceCounts {
    /// Looks and sweeps, those that failed too.
    pub looks: u64,
    /// Looks and sweeps that failed.
    pub looks_failed: u64,
    /// Objects brought in.
    pub objects: u64,
    /// Records stored.
    pub records_stored: u64,
}

impl FollowedSource {
    /// Seconds since everything that could be found at the source was in the lake; none before the
    /// first look that ended well.
    pub(crate) fn lag_seconds(&self, now: DateTime<Utc>) -> Option<f64> {
        self.succeeded_at.map(|at| (now - at).as_seconds_f64().max(0.0))
    }
}

impl Followed {
    /// Tells how one source fares.
    pub fn tell(&self, source: FollowedSource) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        match sources.binary_search_by(|other| other.name.cmp(&source.name)) {
            Ok(at) => sources[at] = source,
            Err(at) => sources.insert(at, source),
        }
    }

    /// Forgets the sources that are not followed any more, by name.
    pub fn keep(&self, is_followed: impl Fn(&str) -> bool) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|source| is_followed(&source.name));
    }

    /// Returns when somebody asks for a look.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Asks for a look at all sources.
    pub(crate) fn ask(&self) {
        self.asked.notify_one();
    }

    /// The sources of stores that an identity may see, by name.
    pub(crate) fn seen_by(&self, identity: &Identity) -> Vec<FollowedSource> {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.iter().filter(|source| identity.may_see(&source.store)).cloned().collect()
    }
}
