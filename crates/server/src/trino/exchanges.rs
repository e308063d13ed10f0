//! All exchanges of a server: which one is asked for, and which gives up its pages when those that
//! wait to be fetched take too much.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::budget::{Budget, Full, Limits, Share};
use super::exchange::{Exchange, Terms};
use super::faults::Fault;
use crate::error::Result;
use crate::queries::Running;

/// Bytes of the budget that an exchange takes beside its pages.
const ITSELF: usize = 4 << 10;

/// All exchanges of a server.
#[derive(Default)]
pub(crate) struct Exchanges {
    open: Mutex<HashMap<Uuid, Arc<Exchange>>>,
    budget: Arc<Budget>,
}

impl Exchanges {
    /// Returns the place of one more exchange of `user`.
    ///
    /// # Errors
    /// As [`Exchanges::share`].
    pub(super) fn place(&self, user: &str, limits: Limits) -> std::result::Result<Share, Fault> {
        self.share(user, limits, ITSELF)
    }

    /// Starts the exchange of query `id`, which `run` runs. A client that asks for nothing for as
    /// long as the terms say went away: its query is cancelled.
    pub(super) fn start(
        self: &Arc<Self>,
        id: Uuid,
        user: &str,
        terms: Terms,
        run: impl Future<Output = Result<Running>> + Send + 'static,
    ) -> Arc<Exchange> {
        let exchange = Arc::new(Exchange::new(id, user, terms));
        self.open().insert(id, Arc::clone(&exchange));
        let (exchanges, served) = (Arc::clone(self), Arc::clone(&exchange));
        tokio::spawn(async move {
            served.serve(&exchanges, run).await;
            exchanges.open().remove(&id);
        });
        exchange
    }

    /// Returns the exchange with that id and slug, if it is that user's.
    pub(super) fn find(&self, user: &str, id: &str, slug: &str) -> Option<Arc<Exchange>> {
        let id = Uuid::parse_str(id).ok()?;
        let found = self.open().get(&id).cloned()?;
        found.is(user, slug).then_some(found)
    }

    /// Returns a share of the budget for `bytes` of `user`. Where the limits leave none, exchanges
    /// give up their pages, of the user or of all: first what was given to its end, then what
    /// nobody has asked for the longest. What a client waits for, or is being sent, stays.
    ///
    /// # Errors
    /// More bytes than may be taken at all; nothing that could be given up. Both name the limit.
    pub(super) fn share(
        &self,
        user: &str,
        limits: Limits,
        bytes: usize,
    ) -> std::result::Result<Share, Fault> {
        let take = || self.budget.take(user, bytes, limits);
        let full = match take() {
            Ok(share) => return Ok(share),
            Err(full) => full,
        };
        if bytes > limits.of_one.min(limits.all) {
            let message = format!("a page of this answer takes {bytes} bytes: {full}");
            return Err(Fault::new("GENERIC_INSUFFICIENT_RESOURCES", message));
        }
        let open = self.open();
        let idle = open.values().filter_map(|exchange| Some((exchange.rank()?, exchange)));
        let mut idle: Vec<_> = idle.collect();
        idle.sort_by_key(|(rank, _)| *rank);
        loop {
            let full = match take() {
                Ok(share) => return Ok(share),
                Err(full) => full,
            };
            let helps = |other: &Arc<Exchange>| matches!(full, Full::All(_)) || other.user == user;
            let Some(first) = idle.iter().position(|&(_, other)| helps(other)) else {
                return Err(refused(full));
            };
            let (_, other) = idle.remove(first);
            tracing::info!("the pages of query {} are given up: {full}", other.id);
            other.lose(lost(full));
        }
    }

    /// What is behind the lock is whole between any two statements, also after a panic.
    fn open(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Exchange>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the client of an answer hears whose pages were given up.
fn lost(full: Full) -> Fault {
    let message = format!("nobody fetched this answer for so long that it was given up: {full}");
    Fault::new("GENERIC_INSUFFICIENT_RESOURCES", message)
}

/// What a client hears for whom nobody else's pages can be given up. Trino says so where too many
/// queries wait; clients may ask again later.
fn refused(full: Full) -> Fault {
    let message = format!("there is no room for this answer: {full}; fetch or cancel others first");
    Fault::new("QUERY_QUEUE_FULL", message)
}
