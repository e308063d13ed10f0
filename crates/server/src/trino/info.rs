//! What clients ask about the server and about a query.

use std::sync::LazyLock;

use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::faults::{self, Fault};
use super::statement::text;
use crate::auth::Identity;
use crate::error::Error;
use crate::http::Shared;
use crate::state::{QueryRecord, QueryStatus};

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What `version()` says. Programs compare the number with the release of Trino that what they want
/// to use came in.
pub(super) fn version() -> String {
    format!("{}-traillake-{}", super::TRINO, env!("CARGO_PKG_VERSION"))
}

/// `GET /v1/info`
pub(crate) async fn info() -> Json<Value> {
    let minutes = BEGAN.elapsed().as_secs_f64() / 60.0;
    Json(json!({
        "nodeVersion": {"version": version()},
        "environment": "traillake",
        "coordinator": true,
        "starting": false,
        "uptime": format!("{minutes:.2}m"),
    }))
}

/// `GET /v1/info/state`
pub(crate) async fn state() -> Json<Value> {
    Json(json!("ACTIVE"))
}

/// `GET /v1/query/{id}`: a query of the asker's, by any protocol.
pub(crate) async fn query(
    State(server): Shared,
    Extension(identity): Extension<Identity>,
    Path(id): Path<String>,
) -> Response {
    let record = match server.queries.record(&identity.user, &id).await {
        Ok(record) => record,
        Err(error) => return refused(&error),
    };
    let time = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339());
    Json(json!({
        "queryId": record.id,
        "state": state_of(record.status),
        "self": format!("/v1/query/{}", record.id),
        "query": record.details.get("statement").unwrap_or(&json!(record.sql)),
        "session": {
            "user": record.details.get("user").unwrap_or(&json!(record.user)),
            "source": record.details.get("source"),
            "catalog": super::CATALOG,
            "schema": record.store,
        },
        "queryStats": {
            "createTime": time(Some(record.submitted_at)),
            "executionStartTime": time(record.started_at),
            "endTime": time(record.ended_at),
            "processedInputPositions": record.rows_read,
            "physicalInputDataSize": format!("{}B", record.bytes_read),
            "outputPositions": record.rows,
        },
        "failureInfo": failure(&record).map(|message| json!({"message": message})),
    }))
    .into_response()
}

/// Why a query failed, as its client has heard it.
fn failure(record: &QueryRecord) -> Option<&str> {
    let message = record.error.as_deref()?;
    match record.error_kind.as_deref() {
        Some("lake") => Some(faults::HIDDEN),
        _ => Some(message),
    }
}

/// `DELETE /v1/query/{id}`
pub(crate) async fn kill(
    State(server): Shared,
    Extension(identity): Extension<Identity>,
    Path(id): Path<String>,
) -> Response {
    match server.queries.cancel(&identity.user, &id).await {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(&error),
    }
}

/// Says that there is no such query, or that nothing of it can be known or done.
fn refused(error: &Error) -> Response {
    match error {
        Error::NotFound { .. } => text(StatusCode::GONE, "there is no such query"),
        error => {
            let fault = Fault::of(error, Default::default());
            text(crate::http::status_of(error), fault.message)
        }
    }
}

/// Trino's word for how a query goes on.
pub(super) fn state_of(status: QueryStatus) -> &'static str {
    match status {
        QueryStatus::Queued => "QUEUED",
        QueryStatus::Running => "RUNNING",
        QueryStatus::Finished => "FINISHED",
        _ => "FAILED",
    }
}
