//! For who runs the server: does it live, does it answer, what does it do?

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Json, Response};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use traillake_query::{Parameters, QueryLimits};

use super::metrics::write_sources;
use super::{Inner, Shared, reply};
use crate::auth::Identity;
use crate::engines::LastRound;
use crate::error::{Error, Result};

/// How long the lake may take to say what it holds.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// `GET /health`: the process serves. Says nothing of the lake, and needs no credentials.
pub(super) async fn health() -> Json<Value> {
    Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Readiness {
    /// Seconds that the lake may be behind.
    max_lag: Option<f64>,
}

/// `GET /ready?max_lag=…`: the lake can be read, and what it holds is fresh enough. Where sources are
/// followed, it is as far behind as the one that was longest without a look that ended well; else as
/// its last round.
pub(super) async fn ready(
    State(server): Shared,
    readiness: Result<Query<Readiness>, QueryRejection>,
    Extension(identity): Extension<Identity>,
) -> Result<Response> {
    let Query(readiness) = readiness?;
    let now = server.options.now();
    // Whoever goes away leaves the look to those who ask next.
    let looked = tokio::spawn({
        let (server, identity) = (Arc::clone(&server), identity.clone());
        async move { last_round(&server, &identity, now).await }
    });
    let last = match looked.await.map_err(Error::state)? {
        Ok(last) => last,
        Err(reason) => {
            let told = json!({"ready": false, "error": reason});
            return Ok((StatusCode::SERVICE_UNAVAILABLE, Json(told)).into_response());
        }
    };
    let lag = match followed_lag(&server, &identity, now) {
        Some(lag) => lag,
        None => last.map(|last| (now - last).as_seconds_f64().max(0.0)),
    };
    let late = match (readiness.max_lag, lag) {
        (None, _) => false,
        (Some(max), _) if !max.is_finite() || max < 0.0 => {
            return Err(Error::request("`max_lag` is seconds"));
        }
        (Some(max), lag) => lag.is_none_or(|lag| lag > max),
    };
    let status = if late { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let told = json!({
        "ready": !late,
        "last_round_at": last.map(|last| last.to_rfc3339()),
        "lag_seconds": lag,
    });
    Ok((status, Json(told)).into_response())
}

/// The last round of the usual store. However many ask, one looks, and once a second: nothing else
/// bounds how often a lake is read for this.
async fn last_round(server: &Inner, identity: &Identity, now: DateTime<Utc>) -> LastRound {
    let looked =
        async { Ok(look(server, identity, now).await.map_err(|error| reply::told(&error))) };
    match server.queries.engines().rounds().get(identity.clone(), looked).await {
        Some(Ok(last)) => last,
        Some(Err(error)) => Err(reply::told(&error)),
        None => Err(reply::told(&Error::state("nobody could look"))),
    }
}

/// When the last round of the usual store was committed; none before the first.
async fn look(
    server: &Inner,
    identity: &Identity,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let engines = server.queries.engines();
    let store = engines.usual_store(identity, &server.options.store).await?;
    let engine = engines.engine(identity, &store).await?;
    let timeout = Some(READY_WITHIN);
    let within = QueryLimits { now, timeout, rows_max: None, schema: None, turn: None };
    let answer = engine.query_within("SELECT 1", &Parameters::default(), within).await?;
    Ok(answer.snapshots.first().and_then(|snapshot| snapshot.committed_at))
}

/// How far the worst source is behind, none of it before its first look; nothing where no source is
/// followed.
fn followed_lag(server: &Inner, identity: &Identity, now: DateTime<Utc>) -> Option<Option<f64>> {
    let sources = server.options.followed.as_ref()?.seen_by(identity);
    let lags = sources.iter().map(|source| source.lag_seconds(now));
    lags.reduce(|one, other| Some(one?.max(other?)))
}

/// `GET /metrics`, in the text format of Prometheus.
pub(super) async fn metrics(
    State(server): Shared,
    Extension(identity): Extension<Identity>,
) -> Response {
    let mut text = server.metrics.text(server.queries.unfinished(), server.queries.waiting());
    if let Some(sources) = server.options.sources() {
        let (seen, follows) = (sources.seen_by(&identity), server.options.followed.is_some());
        write_sources(&mut text, &seen, follows, server.options.now());
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
