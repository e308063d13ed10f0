//! How does a statement come to run? It is remembered, waits for its turn, and is given as it runs
//! or kept.

use std::any::Any;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use traillake_query::{Answer, QueryLimits};
use uuid::Uuid;

use super::ending::{Ending, Told, outcome_of};
use super::running::Running;
use super::{Asked, Live, Queries};
use crate::error::{Error, Result};
use crate::outbox::Parcel;
use crate::queue::Turn;
use crate::results::Beside;
use crate::state::Submitted;

impl Queries {
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
        self.refuse_when_full(&asked).await?;
        let Submission { ending, .. } = self.submit(&asked).await?;
        let queries = Arc::clone(self);
        Ok((ending.id, async move { queries.run(ending, asked).await }))
    }

    /// Starts a statement whose answer is kept; returns its id at once. `beside` writes the answer
    /// down in a second form. Where the details say where the answer is wanted, it is put there.
    ///
    /// # Errors
    /// When the query cannot be remembered, or too many wait.
    pub(crate) async fn keep(
        self: &Arc<Self>,
        asked: Asked,
        beside: Option<Beside>,
    ) -> Result<Uuid> {
        self.refuse_when_full(&asked).await?;
        let queries = Arc::clone(self);
        // A client that goes away now may ask again by its token: the query it then finds must run.
        let begun = tokio::spawn(async move {
            let Submission { ending, known } = queries.submit(&asked).await?;
            if let Some(known) = known {
                return Ok(known);
            }
            let id = ending.id;
            let wanted = Parcel::of(&asked.details).is_some();
            // A stop waits until the answer is put, too.
            let outgoing = wanted.then(|| (asked.identity.user.clone(), queries.delivery()));
            tokio::spawn(async move {
                // How it went stands in its record.
                let Ok(running) = queries.run(ending, asked).await else { return };
                let kept = queries.keep_answer(running, beside).await;
                if let Some((user, _delivery)) = outgoing.filter(|_| kept) {
                    queries.put_out(&user, id).await;
                }
            });
            Ok(id)
        });
        begun.await.map_err(Error::state)?
    }

    /// Keeps the answer of a query; returns whether it is kept.
    async fn keep_answer(&self, mut running: Running, beside: Option<Beside>) -> bool {
        let written = self.results.write(&mut running, beside).await;
        let kept = written.is_ok();
        match written {
            Ok(bytes) => running.finished(bytes).await,
            Err(error) => running.failed(&error).await,
        }
        if let Err(error) = self.results.sweep(self.options.now()).await {
            tracing::warn!("kept answers could not be tidied: {error}");
        }
        kept
    }

    /// Returns the stores that a statement reads, the one it is asked in first, without running it.
    ///
    /// # Errors
    /// What is wrong with it; the lake.
    pub(crate) async fn check(self: &Arc<Self>, asked: &Asked) -> Result<Vec<String>> {
        let turn = match self.checks.turn(&asked.identity.user).await {
            Ok(turn) => turn,
            Err(full) => {
                self.refused_as_full(asked, &full).await;
                return Err(full);
            }
        };
        let engine = self.engines.engine(&asked.identity, &asked.store).await?;
        let within = self.within(asked, self.options.now(), &Arc::new(turn));
        Ok(engine.check(&asked.sql, &asked.parameters, within).await?)
    }

    /// Remembers a query that is to run.
    async fn submit(self: &Arc<Self>, asked: &Asked) -> Result<Submission> {
        match self.draining.is_cancelled() {
            true => Err(Error::Stopping),
            false => self.note(asked).await,
        }
    }

    /// Remembers a query. Whoever is dropped while this goes on leaves a query that was cancelled.
    pub(super) async fn note(self: &Arc<Self>, asked: &Asked) -> Result<Submission> {
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
            schema: asked.schema.clone(),
            turn: Some(Arc::clone(turn) as Arc<dyn Any + Send + Sync>),
        }
    }
}

/// A query that is remembered, and by its client's token perhaps one that was known before.
pub(super) struct Submission {
    pub(super) ending: Ending,
    known: Option<Uuid>,
}

fn smaller<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
