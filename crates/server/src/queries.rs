//! Which statements run, wait and have run? Every protocol asks here, so that limits, history and
//! cancel are the same for all.
//!
//! A query is either given as it runs ([`Queries::stream`]) or kept to be fetched later
//! ([`Queries::keep`]).

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use traillake_query::{Answer, ErrorKind, Parameters, QueryLimits, SnapshotName, Statistics};
use uuid::Uuid;

use crate::auth::Identity;
use crate::engines::Engines;
use crate::error::{Error, Result};
use crate::http::Metrics;
use crate::options::ServerOptions;
use crate::queue::{Queue, Turn};
use crate::results::{Beside, Results};
use crate::state::{Outcome, QueryRecord, QueryStatus, State, Submitted};

/// A statement, and everything that decides what it may do.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) identity: Identity,
    /// `http`, `lake`, `athena` or `trino`.
    pub(crate) protocol: &'static str,
    pub(crate) store: String,
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

/// Bytes of a statement, as many as Athena's may have
/// (<https://docs.aws.amazon.com/athena/latest/ug/service-limits.html>).
pub(crate) const STATEMENT_BYTES_MAX: usize = 262_144;

/// Refuses a statement that is too long, before it is looked at or remembered.
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
    metrics: Arc<Metrics>,
    live: Mutex<HashMap<Uuid, Live>>,
    /// A clone for each answer that its client has not fetched to its end.
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

/// An answer that its client fetches. A stop waits until it is dropped.
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
        let queue = Queue::new(options.queries_at_once, options.waiting_per_user);
        let checks = Queue::new(options.queries_at_once, options.waiting_per_user);
        let results = Results::new(&options, &state);
        let (draining, stopping) = (CancellationToken::new(), CancellationToken::new());
        let (live, deliveries) = (Mutex::default(), Arc::default());
        Queries {
            options,
            state,
            engines,
            queue,
            checks,
            results,
            metrics,
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

    /// Runs a statement and returns its answer as it comes.
    ///
    /// # Errors
    /// What is wrong with it, a limit, the lake. Errors of later batches come with the stream.
    pub(crate) async fn stream(self: &Arc<Self>, asked: Asked) -> Result<Running> {
        let Submission { ending, .. } = self.submit(&asked).await?;
        self.run(ending, asked).await
    }

    /// Remembers a statement and returns its id at once, with what runs it and returns its answer as
    /// it comes. Whoever calls this must run it.
    ///
    /// # Errors
    /// When the query cannot be remembered, or too many wait.
    pub(crate) async fn start(
        self: &Arc<Self>,
        asked: Asked,
    ) -> Result<(Uuid, impl Future<Output = Result<Running>> + Send + 'static)> {
        self.refuse_when_full(&asked)?;
        let Submission { ending, .. } = self.submit(&asked).await?;
        let queries = Arc::clone(self);
        Ok((ending.id, async move { queries.run(ending, asked).await }))
    }

    /// Starts a statement whose answer is kept; returns its id at once. `beside` writes the answer
    /// down in a second form.
    ///
    /// # Errors
    /// When the query cannot be remembered, or too many wait.
    pub(crate) async fn keep(
        self: &Arc<Self>,
        asked: Asked,
        beside: Option<Beside>,
    ) -> Result<Uuid> {
        self.refuse_when_full(&asked)?;
        let queries = Arc::clone(self);
        // A client that goes away now may ask again by its token: the query it then finds must run.
        let begun = tokio::spawn(async move {
            let Submission { ending, known } = queries.submit(&asked).await?;
            if let Some(known) = known {
                return Ok(known);
            }
            let id = ending.id;
            tokio::spawn(async move {
                // How it went stands in its record.
                if let Ok(running) = queries.run(ending, asked).await {
                    queries.keep_answer(running, beside).await;
                }
            });
            Ok(id)
        });
        begun.await.map_err(Error::state)?
    }

    /// Remembers a statement that was refused before it could run: whoever tries names is seen.
    pub(crate) async fn refused(self: &Arc<Self>, asked: &Asked, reason: &str) {
        match self.submit(asked).await {
            Ok(Submission { mut ending, .. }) => {
                let error = Error::request(reason);
                ending.end(outcome_of(&error, Told::default(), self.options.now())).await;
            }
            Err(error) => tracing::warn!("a refused statement is not remembered: {error}"),
        }
    }

    fn refuse_when_full(&self, asked: &Asked) -> Result<()> {
        let limit = self.options.waiting_per_user;
        match self.queue.is_full(&asked.identity.user) {
            true => Err(Error::Busy { waiting: limit, limit }),
            false => Ok(()),
        }
    }

    async fn keep_answer(&self, mut running: Running, beside: Option<Beside>) {
        let written = self.results.write(&mut running, beside).await;
        match written {
            Ok(bytes) => running.finished(bytes).await,
            Err(error) => running.failed(&error).await,
        }
        if let Err(error) = self.results.sweep(self.options.now()).await {
            tracing::warn!("kept answers could not be tidied: {error}");
        }
    }

    /// Returns the stores that a statement reads, the one it is asked in first, without running it.
    ///
    /// # Errors
    /// What is wrong with it; the lake.
    pub(crate) async fn check(&self, asked: &Asked) -> Result<Vec<String>> {
        let turn = self.checks.turn(&asked.identity.user).await?;
        let engine = self.engines.engine(&asked.identity, &asked.store).await?;
        let within = self.within(asked, self.options.now(), &Arc::new(turn));
        Ok(engine.check(&asked.sql, &asked.parameters, within).await?)
    }

    /// Remembers a query. Whoever is dropped while this goes on leaves a query that was cancelled.
    async fn submit(self: &Arc<Self>, asked: &Asked) -> Result<Submission> {
        if self.draining.is_cancelled() {
            return Err(Error::Stopping);
        }
        let id = Uuid::new_v4();
        let new = Submitted {
            id,
            user: asked.identity.user.clone(),
            protocol: asked.protocol,
            store: asked.store.clone(),
            sql: asked.sql.clone(),
            client_token: asked.client_token.clone(),
            details: asked.details.clone(),
            submitted_at: self.options.now(),
        };
        let (sql, details) = (asked.sql.clone(), asked.details.clone());
        let queries = Arc::clone(self);
        // It can be cancelled from the moment somebody may know its id.
        let live = Live { user: new.user.clone(), cancel: self.stopping.child_token() };
        self.live().insert(id, live);
        let mut ending = Ending {
            queries: Arc::clone(self),
            id,
            protocol: asked.protocol,
            began: tokio::time::Instant::now(),
            open: true,
        };
        let submitted = tokio::spawn(async move {
            let known = match queries.state.submit(new).await {
                Ok(None) => return Ok(Submission { ending, known: None }),
                Ok(Some(known)) => known,
                Err(error) => {
                    ending.never_was();
                    return Err(error);
                }
            };
            ending.never_was();
            match known.sql == sql && known.details == details {
                true => Ok(Submission { ending, known: Some(known.id) }),
                false => Err(Error::request(
                    "the client request token belongs to another request already",
                )),
            }
        });
        submitted.await.map_err(Error::state)?
    }

    /// Waits for a turn, then starts.
    async fn run(self: &Arc<Self>, mut ending: Ending, asked: Asked) -> Result<Running> {
        let id = ending.id;
        let cancel = self.live().get(&id).map(|live| live.cancel.clone()).unwrap_or_default();
        let begun = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Error::Cancelled),
            begun = self.begin(id, asked) => begun,
        };
        match begun {
            Ok((answer, turn)) => {
                let schema = Arc::clone(&answer.schema);
                Ok(Running { schema, cancel, answer, rows: 0, over: false, ending, _turn: turn })
            }
            Err(error) => {
                ending.end(outcome_of(&error, Told::default(), self.options.now())).await;
                Err(error)
            }
        }
    }

    async fn begin(&self, id: Uuid, asked: Asked) -> Result<(Answer, Arc<Turn>)> {
        let turn = self.queue.turn(&asked.identity.user).await?;
        let now = self.options.now();
        self.state.started(id, now).await?;
        let engine = self.engines.engine(&asked.identity, &asked.store).await?;
        // A statement that is given up while it is planned keeps its turn until its thread is free.
        let turn = Arc::new(turn);
        let within = self.within(&asked, now, &turn);
        Ok((engine.query_within(&asked.sql, &asked.parameters, within).await?, turn))
    }

    fn within(&self, asked: &Asked, now: DateTime<Utc>, turn: &Arc<Turn>) -> QueryLimits {
        QueryLimits {
            now,
            timeout: smaller(asked.timeout, self.options.timeout),
            rows_max: smaller(asked.rows_max, self.options.rows_max),
            turn: Some(Arc::clone(turn) as Arc<dyn Any + Send + Sync>),
        }
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

    /// Whether a query waits or runs, or an answer is not fetched to its end.
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

/// A query under way. Dropping it cancels it.
pub(crate) struct Running {
    pub(crate) schema: SchemaRef,
    cancel: CancellationToken,
    answer: Answer,
    rows: u64,
    /// Whether the last rows were given.
    over: bool,
    ending: Ending,
    _turn: Arc<Turn>,
}

impl Running {
    pub(crate) fn id(&self) -> Uuid {
        self.ending.id
    }

    /// Returns the next rows; none after the last. How it ended is remembered by
    /// [`Running::finished`] or [`Running::failed`].
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.over {
            return Ok(None);
        }
        let batch = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(Error::Cancelled),
            batch = self.answer.batches.next() => batch.transpose()?,
        };
        self.over = batch.is_none();
        self.rows += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
        Ok(batch)
    }

    /// Is cancelled when somebody ends the query.
    pub(crate) fn cancellation(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// The states of the stores it reads.
    pub(crate) fn snapshots(&self) -> Value {
        snapshots(&self.answer.snapshots)
    }

    /// What is to be said beside the rows; complete after the last.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.answer.notes().into_iter().map(|note| note.text).collect()
    }

    /// What was read so far.
    pub(crate) fn statistics(&self) -> Statistics {
        self.answer.statistics()
    }

    /// Rows given so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    fn told(&self) -> Told {
        Told {
            rows: self.rows,
            statistics: self.statistics(),
            snapshots: self.snapshots(),
            warnings: self.warnings(),
        }
    }

    /// Remembers that every row was given, or is kept in `result_bytes`.
    pub(crate) async fn finished(mut self, result_bytes: u64) {
        let Told { rows, statistics, snapshots, warnings } = self.told();
        let outcome = Outcome {
            status: QueryStatus::Finished,
            ended_at: self.ending.queries.options.now(),
            error: None,
            error_kind: None,
            rows,
            result_bytes,
            statistics,
            snapshots,
            warnings,
        };
        self.ending.end(outcome).await;
    }

    /// Remembers that it failed, and how.
    pub(crate) async fn failed(mut self, error: &Error) {
        let outcome = outcome_of(error, self.told(), self.ending.queries.options.now());
        self.ending.end(outcome).await;
    }
}

/// What a query told until it ended.
#[derive(Default)]
struct Told {
    rows: u64,
    statistics: Statistics,
    snapshots: Value,
    warnings: Vec<String>,
}

/// A query that is remembered, and by its client's token perhaps one that was known before.
struct Submission {
    ending: Ending,
    known: Option<Uuid>,
}

/// Sees to it that the end of a query is remembered, also when its asker went away.
struct Ending {
    queries: Arc<Queries>,
    id: Uuid,
    protocol: &'static str,
    began: tokio::time::Instant,
    open: bool,
}

impl Ending {
    /// Remembers the end, also when whoever waits for this goes away.
    async fn end(&mut self, outcome: Outcome) {
        self.open = false;
        let (queries, id) = (Arc::clone(&self.queries), self.id);
        queries.metrics.query_ended(self.protocol, outcome.status, self.began.elapsed(), &outcome);
        let remembered = tokio::spawn(async move {
            if let Err(error) = queries.state.ended(id, outcome).await {
                tracing::warn!("the end of query {id} is not remembered: {error}");
            }
            queries.live().remove(&id);
        });
        let _ = remembered.await;
    }

    /// There is nothing to be remembered.
    fn never_was(&mut self) {
        self.open = false;
        self.queries.live().remove(&self.id);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        // Not open: where the runtime itself ends, the task below is dropped at once, and must not
        // ask for another.
        let mut ending = Ending { queries: Arc::clone(&self.queries), open: false, ..*self };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            ending.queries.live().remove(&ending.id);
            return;
        };
        runtime.spawn(async move {
            let now = ending.queries.options.now();
            ending.end(outcome_of(&Error::Cancelled, Told::default(), now)).await;
        });
    }
}

fn outcome_of(error: &Error, told: Told, now: DateTime<Utc>) -> Outcome {
    use traillake_query::Error as QueryError;
    let status = match error {
        Error::Cancelled => QueryStatus::Cancelled,
        Error::Query(QueryError::Time { .. }) => QueryStatus::TimedOut,
        _ => QueryStatus::Failed,
    };
    Outcome {
        status,
        ended_at: now,
        error: Some(error.message()),
        error_kind: Some(kind_of(error)),
        rows: told.rows,
        result_bytes: 0,
        statistics: told.statistics,
        snapshots: if told.snapshots.is_null() { json!([]) } else { told.snapshots },
        warnings: told.warnings,
    }
}

/// The word for who has to do something about an error.
pub(crate) fn kind_of(error: &Error) -> &'static str {
    match error {
        Error::Query(error) => match error.kind() {
            ErrorKind::Statement => "statement",
            ErrorKind::Limit => "limit",
            ErrorKind::Lake => "lake",
            _ => "fault",
        },
        Error::Cancelled => "cancelled",
        Error::NotFound { .. } | Error::Request { .. } | Error::Forbidden { .. } => "statement",
        Error::Busy { .. } | Error::TooLarge { .. } | Error::ClientGone { .. } => "limit",
        Error::Lake(_) => "lake",
        _ => "fault",
    }
}

fn snapshots(names: &[SnapshotName]) -> Value {
    let name = |name: &SnapshotName| {
        json!({
            "store": name.store,
            "round": name.token,
            "committed_at": name.committed_at.map(|at| at.to_rfc3339()),
        })
    };
    names.iter().map(name).collect()
}

fn smaller<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
