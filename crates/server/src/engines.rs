//! Which engine answers for a store? One is kept for each store and user; all share one memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use traillake_query::{Engine, Error as QueryError, SystemTable};
use traillake_store::StoreInfo;

use crate::auth::Identity;
use crate::error::{Error, Result};
use crate::history::History;
use crate::logins::LoginTable;
use crate::state::State;

/// For so long an engine's list of stores counts as the latest. What a store holds is read anew by
/// every query.
const LISTED: Duration = Duration::from_secs(10);
/// For so long the last round that was seen counts as the last.
const SEEN: Duration = Duration::from_secs(1);
/// Engines, or looks at the last round, kept at once.
const KEPT_MAX: usize = 256;

/// Store, user, grants, and whether they see what everybody does.
type Key = (String, String, Option<Vec<String>>, bool);

/// When the last round was committed, if there was one, or why that cannot be told.
pub(crate) type LastRound = std::result::Result<Option<DateTime<Utc>>, String>;

/// The engines of a lake.
pub(crate) struct Engines {
    first: Engine,
    state: State,
    kept: Recent<Key, Engine>,
    rounds: Recent<Identity, LastRound>,
    /// By what may be seen.
    listings: Recent<Option<Vec<String>>, Vec<StoreInfo>>,
}

impl Engines {
    pub(crate) fn new(first: Engine, state: State) -> Engines {
        let (kept, rounds, listings) =
            (Recent::new(LISTED), Recent::new(SEEN), Recent::new(LISTED));
        Engines { first, state, kept, rounds, listings }
    }

    /// The last round of the usual store of each who asked for it.
    pub(crate) fn rounds(&self) -> &Recent<Identity, LastRound> {
        &self.rounds
    }

    /// Returns the engine of a store for that identity. The store can be named by its name, its id
    /// or its ARN.
    pub(crate) async fn engine(&self, identity: &Identity, store: &str) -> Result<Engine> {
        let name = match self.first.stores().iter().find(|info| names(info, store)) {
            Some(info) => info.name.clone(),
            None => store.to_owned(),
        };
        let missing = || Error::not_found("event data store", store);
        if !identity.may_see(&name) {
            return Err(missing());
        }
        let (user, grants) = (identity.user.clone(), identity.stores.clone());
        let key = (name.clone(), user, grants, identity.sees_everybody());
        // On the heap: opening a lake is a large future, and many await this one.
        let making = || Box::pin(self.made(identity, &name));
        let made = match self.kept.get(key, making()).await {
            Some(made) => made,
            None => making().await,
        };
        made.map_err(|error| match error {
            Error::Query(QueryError::Lake(traillake_store::Error::NoStore { .. })) => missing(),
            error => error,
        })
    }

    /// Makes the engine of the store of that name for that identity.
    async fn made(&self, identity: &Identity, name: &str) -> Result<Engine> {
        let whose = (!identity.sees_everybody()).then(|| identity.user.clone());
        let tables: Vec<Arc<dyn SystemTable>> = vec![
            Arc::new(History::of(&self.state, whose.clone())),
            Arc::new(LoginTable::of(&self.state, whose)),
        ];
        Ok(self.first.of_store(name, identity.stores.as_deref(), tables).await?)
    }

    /// Returns the stores that an identity may see: of its grants those that exist.
    pub(crate) async fn stores(&self, identity: &Identity, own: &str) -> Result<Vec<StoreInfo>> {
        let own = [own.to_owned()];
        for store in identity.stores.as_deref().unwrap_or(&own) {
            match self.engine(identity, store).await {
                Err(Error::NotFound { .. }) => {}
                // It answers nothing, but it is there, as others are.
                Err(Error::Inactive(_)) => return self.listed(identity).await,
                engine => return Ok(engine?.stores().to_vec()),
            }
        }
        Ok(Vec::new())
    }

    /// Returns the stores that an identity may see, where their engine cannot be had: as they are now,
    /// for a lake in a bucket believes what it has read before until a store of it is asked.
    async fn listed(&self, identity: &Identity) -> Result<Vec<StoreInfo>> {
        let listing = async || {
            self.first.forget();
            Ok(self.first.list_stores(identity.stores.as_deref()).await?)
        };
        match self.listings.get(identity.stores.clone(), listing()).await {
            Some(listed) => listed,
            None => listing().await,
        }
    }

    /// Returns the store that is meant where none is named: `own`, the server's, for whoever may see
    /// it, else the first of their grants that exists.
    ///
    /// # Errors
    /// [`Error::NotFound`] for whoever may see none.
    pub(crate) async fn usual_store(&self, identity: &Identity, own: &str) -> Result<String> {
        if identity.may_see(own) {
            return Ok(own.to_owned());
        }
        let stores = self.stores(identity, own).await?;
        let granted = identity.stores.iter().flatten();
        let found: Vec<&StoreInfo> =
            granted.filter_map(|name| stores.iter().find(|info| info.name == *name)).collect();
        // One that is to be deleted answers nothing.
        let stays = |info: &&&StoreInfo| info.settings.deletion_requested_at.is_none();
        let found = found.iter().find(stays).or(found.first());
        let name = found.map(|info| info.name.clone());
        name.ok_or_else(|| Error::not_found("event data store", own))
    }
}

/// Whether a store goes by that name, id or ARN.
pub(crate) fn names(info: &StoreInfo, name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    info.name == name || info.arn == name || info.id.to_string().eq_ignore_ascii_case(last)
}

/// What was made a moment ago. While one makes it, all others who ask for it wait for that one.
pub(crate) struct Recent<K, V> {
    counts_for: Duration,
    kept: Mutex<HashMap<K, Made<V>>>,
}

/// What was made and when; nothing inside where that failed.
type Made<V> = Arc<OnceCell<Option<(Instant, V)>>>;

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    /// Returns one in which things count for so long once they are made.
    fn new(counts_for: Duration) -> Recent<K, V> {
        Recent { counts_for, kept: Mutex::default() }
    }

    /// Returns what was made for `key`, or what `making` makes of it; nothing where somebody else
    /// made it meanwhile and failed: that failure is theirs, and is not kept.
    ///
    /// # Errors
    /// Those of `making`.
    pub(crate) async fn get(
        &self,
        key: K,
        making: impl Future<Output = Result<V>>,
    ) -> Option<Result<V>> {
        let made = self.made(key);
        let mut failed = None;
        let first = async {
            match making.await {
                Ok(value) => Some((Instant::now(), value)),
                Err(error) => {
                    failed = Some(error);
                    None
                }
            }
        };
        let found = made.get_or_init(|| first).await;
        match found {
            Some((_, value)) => Some(Ok(value.clone())),
            None => failed.map(Err),
        }
    }

    /// The place of what counts still, or is made; else a new one.
    fn made(&self, key: K) -> Made<V> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = |made: &Made<V>| match made.get() {
            None => true,
            Some(None) => false,
            Some(Some((at, _))) => at.elapsed() < self.counts_for,
        };
        if let Some(made) = kept.get(&key).filter(|made| counts(made)) {
            return Arc::clone(made);
        }
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        let made = Made::default();
        kept.insert(key, Arc::clone(&made));
        made
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    /// Asks for how often it was made, which takes a while.
    async fn ask(recent: &Recent<&str, usize>, made: &AtomicUsize, fails: bool) -> String {
        let making = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let made = made.fetch_add(1, Ordering::SeqCst) + 1;
            if fails { Err(Error::Stopping) } else { Ok(made) }
        };
        match recent.get("key", making).await {
            Some(Ok(made)) => made.to_string(),
            Some(Err(_)) => "failed".to_owned(),
            None => "somebody else failed".to_owned(),
        }
    }

    #[tokio::test]
    async fn who_asks_while_another_makes_it_waits_for_that() {
        let minute = Duration::from_secs(60);
        for (counts_for, fails, together, afterwards) in [
            (minute, false, ["1", "1", "1"], "1"),
            (Duration::ZERO, false, ["1", "1", "1"], "2"),
            (minute, true, ["failed", "somebody else failed", "somebody else failed"], "2"),
        ] {
            let (recent, made) = (Recent::new(counts_for), AtomicUsize::new(0));
            let asked = join_all((0..3).map(|_| ask(&recent, &made, fails))).await;
            assert_eq!(asked, together);
            assert_eq!(ask(&recent, &made, false).await, afterwards);
        }
    }
}
