//! Which statements run, wait and have run? Every protocol asks here, so that limits, history and
//! cancel are the same for all.
//!
//! | module | the question it answers |
//! |---|---|
//! | `starting` | how does a statement come to run? |
//! | `refused`, `refusals` | what of one that is refused before it can? |
//! | `running` | what does a query give while it runs? |
//! | `ending` | how does a query end, and what is remembered of it? |
//! | `putting` | how does a finished answer come to where it is wanted? |
//!
//! A query is either given as it runs ([`Queries::stream`]) or kept to be fetched later
//! ([`Queries::keep`]).

mod ending;
mod putting;
mod refusals;
mod refused;
mod running;
mod starting;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use traillake_query::Parameters;
use uuid::Uuid;

pub(crate) use ending::kind_of;
pub(crate) use running::{Running, Way};

use self::refusals::Refusals;
use crate::auth::Identity;
use crate::engines::Engines;
use crate::error::{Error, Result};
use crate::http::Metrics;
use crate::options::ServerOptions;
use crate::outbox::Outbox;
use crate::queue::Queue;
use crate::results::Results;
use crate::state::{QueryRecord, State};

/// A statement, and everything that decides what it may do.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) identity: Identity,
    /// `http`, `lake`, `athena` or `trino`.
    pub(crate) protocol: &'static str,
    pub(crate) store: String,
    /// The schema that bare names are looked for in before the store, if any: `system` or
    /// `information_schema`.
    pub(crate) schema: Option<String>,
    pub(crate) sql: String,
    pub(crate) parameters: Parameters,
    /// The client's own name for the request: asked twice, it is one query.
    pub(crate) client_token: Option<String>,
    /// What the protocol wants to know again.
    pub(crate) details: Value,
    /// Shorter than the server's, if any.
    pub(crate) timeout: Option<Duration>,
    /// Fewer than the server's, if any.
    pub(crate) rows_max: Option<u64>,
}

/// What the details of a statement have that was refused before it could run: how many were.
pub(crate) const REFUSED: &str = "refused";

/// Bytes of a statement, as many as Athena's may have
/// (<https://docs.aws.amazon.com/athena/latest/ug/service-limits.html>).
pub(crate) const STATEMENT_BYTES_MAX: usize = 262_144;

/// Refuses a statement that is too long, before it is looked at.
///
/// # Errors
/// [`Error::Request`].
pub(crate) fn check_length(sql: &str) -> Result<()> {
    match sql.len() {
        0..=STATEMENT_BYTES_MAX => Ok(()),
        length => Err(Error::request(format!(
            "the statement has {length} bytes; the limit is {STATEMENT_BYTES_MAX}"
        ))),
    }
}

/// All queries of a server.
pub(crate) struct Queries {
    options: ServerOptions,
    state: State,
    engines: Engines,
    queue: Queue,
    /// For those that are only checked, so that nobody waits for long queries to be told an id.
    checks: Queue,
    results: Results,
    outbox: Outbox,
    metrics: Arc<Metrics>,
    refusals: Refusals,
    live: Mutex<HashMap<Uuid, Live>>,
    /// A clone for each answer that its client has not fetched to its end, or that is not put yet
    /// where it is wanted.
    deliveries: Arc<()>,
    /// No further query is taken.
    draining: CancellationToken,
    /// What is under way is cancelled.
    stopping: CancellationToken,
}

struct Live {
    user: String,
    cancel: CancellationToken,
}

/// An answer that its client fetches, or that is put where it is wanted. A stop waits until it is
/// dropped.
pub(crate) struct Delivery {
    _counted: Arc<()>,
}

impl Queries {
    pub(crate) fn new(
        options: ServerOptions,
        state: State,
        engines: Engines,
        metrics: Arc<Metrics>,
    ) -> Queries {
        let ServerOptions { queries_at_once, waiting_per_user, stuck_after, .. } = options;
        let queue = Queue::new(queries_at_once, waiting_per_user, stuck_after);
        let checks = Queue::new(queries_at_once, waiting_per_user, stuck_after);
        let (results, outbox) = (Results::new(&options, &state), Outbox::new(&options));
        let (draining, stopping) = (CancellationToken::new(), CancellationToken::new());
        let (live, deliveries) = (Mutex::default(), Arc::default());
        Queries {
            options,
            state,
            engines,
            queue,
            checks,
            results,
            outbox,
            metrics,
            refusals: Refusals::default(),
            live,
            deliveries,
            draining,
            stopping,
        }
    }

    pub(crate) fn engines(&self) -> &Engines {
        &self.engines
    }

    pub(crate) fn results(&self) -> &Results {
        &self.results
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Returns the query of that id, if it is that user's.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub(crate) async fn record(&self, user: &str, id: &str) -> Result<QueryRecord> {
        let missing = || Error::not_found("query", id);
        let known = Uuid::parse_str(id).map_err(|_| missing())?;
        let record = self.state.query(user, known).await?.ok_or_else(missing)?;
        Ok(self.results.as_kept(record, self.options.now()))
    }

    /// Ends a query of that user; one that is over stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub(crate) async fn cancel(&self, user: &str, id: &str) -> Result<QueryRecord> {
        let record = self.record(user, id).await?;
        if let Some(live) = self.live().get(&record.id)
            && live.user == user
        {
            live.cancel.cancel();
        }
        Ok(record)
    }

    /// The state that history is read from.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Queries that wait or run.
    pub(crate) fn unfinished(&self) -> usize {
        self.live().len()
    }

    /// Returns what keeps a stop waiting for an answer, also when its query is over.
    pub(crate) fn delivery(&self) -> Delivery {
        Delivery { _counted: Arc::clone(&self.deliveries) }
    }

    /// Whether a query waits or runs, or an answer is not fetched to its end or put yet.
    fn is_under_way(&self) -> bool {
        self.unfinished() > 0 || Arc::strong_count(&self.deliveries) > 1
    }

    /// Queries that wait for their turn.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Takes no more queries, gives those under way `grace` to end and their clients to fetch the
    /// answers, and cancels the rest.
    pub(crate) async fn stop(&self, grace: Duration) {
        self.draining.cancel();
        let deadline = tokio::time::Instant::now() + grace;
        while self.is_under_way() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.stopping.cancel();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        while self.unfinished() > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn live(&self) -> MutexGuard<'_, HashMap<Uuid, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
