//! What does a path mean? One port for every HTTP protocol.
//!
//! | path | who asks |
//! |---|---|
//! | `/v1/query`, `/v1/queries`, `/v1/stores`, `/v1/schema`, `/v1/samples`, `/v1/sources` | TrailLake's own API (`api`) |
//! | `/v1/statement`, `/v1/info`, `/v1/query/{id}` | Trino's clients (`crate::trino`) |
//! | `POST /` | AWS's clients (`crate::aws`) |
//! | everything else | S3's clients, for the files of results (`crate::aws::objects`) |
//! | `/health`, `/ready`, `/metrics`, `/openapi.json` | who runs the server (`watch`) |
//!
//! Every request passes the `guard` first. `routes` is the table of all paths, `openapi` describes it.

mod api;
mod ask;
mod body;
mod guard;
mod metrics;
mod openapi;
mod reply;
mod routes;
mod telling;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use chrono::{DateTime, TimeDelta};
use traillake_query::Engine;

pub(crate) use metrics::Metrics;
pub(crate) use reply::status_of;

use crate::engines::Engines;
use crate::error::Result;
use crate::logins::Logins;
use crate::options::ServerOptions;
use crate::queries::Queries;
use crate::state::State;

/// A server: one lake, one state, every protocol. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) options: ServerOptions,
    pub(crate) state: State,
    pub(crate) queries: Arc<Queries>,
    pub(crate) metrics: Arc<Metrics>,
    logins: Logins,
    room: guard::Room,
    pub(crate) trino: Arc<crate::trino::Exchanges>,
    /// No other server works on the same state.
    _lock: std::fs::File,
}

impl Inner {
    /// Removes answers, queries and logins that are kept no longer.
    async fn tidy(&self) -> Result<()> {
        let (options, results) = (&self.options, self.queries.results());
        let now = options.now();
        let kept = TimeDelta::from_std(options.history_kept).unwrap_or(TimeDelta::MAX);
        let before = now.checked_sub_signed(kept).unwrap_or(DateTime::UNIX_EPOCH);
        results.sweep(now).await?;
        let forgotten = self.state.forget_queries(before, options.history_bytes_max).await?;
        results.forget(forgotten).await?;
        self.state.forget_logins(before).await
    }
}

/// Among the extensions of a request that came over TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encrypted;

/// Among the extensions of a request: the address that it came from.
#[derive(Clone, Debug)]
pub(crate) struct Peer(pub(crate) Arc<str>);

/// What a handler has at hand.
pub(crate) type Shared = axum::extract::State<Arc<Inner>>;

impl Server {
    /// Returns a server that answers with `engine`, whose store is the one that is meant where none
    /// is named. What an earlier server left running is marked as failed.
    ///
    /// # Errors
    /// When the state cannot be used, or another server uses it.
    pub async fn new(engine: Engine, state: State, options: ServerOptions) -> Result<Server> {
        let lock = state.lock()?;
        let left = state.end_what_was_left(options.now()).await?;
        if left > 0 {
            tracing::warn!("{left} queries were running when the last server ended");
        }
        let metrics = Arc::new(Metrics::default());
        let queries = Arc::new(Queries::new(
            options.clone(),
            state.clone(),
            Engines::new(engine, state.clone()),
            Arc::clone(&metrics),
        ));
        queries.results().remove_strays().await?;
        let unsent = state.undelivered().await?;
        tokio::spawn(Arc::clone(&queries).put_what_was_left(unsent));
        let (trino, logins) = (Arc::default(), Logins::new(&state));
        let room = guard::Room::new(options.bodies_bytes_max);
        let inner = Inner { options, state, queries, metrics, logins, room, trino, _lock: lock };
        inner.tidy().await?;
        Ok(Server { inner: Arc::new(inner) })
    }

    /// Removes what is kept no longer, from time to time and when much was written. Never ends.
    pub(crate) async fn keep_tidy(self) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.inner.options.tidy_every) => {}
                () = self.inner.state.has_grown() => {}
            }
            if let Err(error) = self.inner.tidy().await {
                tracing::warn!("what is kept no longer could not be removed: {error}");
            }
        }
    }

    /// Returns what answers requests.
    pub fn router(&self) -> Router {
        let routes = routes::all()
            .into_iter()
            .fold(Router::new(), |router, route| router.route(route.path, route.answers));
        let routes = routes.fallback(crate::aws::objects::call);
        routes
            // The guard holds the limit, for every protocol alike.
            .layer(DefaultBodyLimit::disable())
            .layer(middleware::from_fn_with_state(Arc::clone(&self.inner), guard::guard))
            .with_state(Arc::clone(&self.inner))
    }

    /// Takes no more queries, gives those under way `grace`, and cancels the rest.
    pub async fn stop(&self, grace: Duration) {
        self.inner.queries.stop(grace).await;
    }

    pub(crate) fn options(&self) -> &ServerOptions {
        &self.inner.options
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }
}
