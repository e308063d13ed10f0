//! TrailLake's own API beside the question itself: history, cancel, stores, tables, samples.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Json;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Shared;
use crate::auth::{Identity, Role};
use crate::error::{Error, Result};
use crate::state::{Listing, QueryRecord};

/// Queries of a page, unless asked for fewer.
const PAGE: u64 = 100;
const PAGE_MAX: u64 = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfQueries {
    offset: Option<u64>,
    limit: Option<u64>,
    protocol: Option<String>,
    everybody: Option<bool>,
    from: Option<String>,
    until: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// `GET /v1/queries`: the asker's, newest first; with `everybody=true` those of all users, for an
/// administrator of all stores. A page has `limit` queries, or fewer where their texts are long;
/// `next` is what `after` is to be for those behind them, and null behind the last.
pub(super) async fn queries(
    State(server): Shared,
    wanted: Result<Query<OfQueries>, QueryRejection>,
    Extension(identity): Extension<Identity>,
) -> Result<Json<Value>> {
    let Query(wanted) = wanted?;
    let limit = wanted.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Error::request(format!("`limit` must be from 1 to {PAGE_MAX}")));
    }
    let user = match wanted.everybody {
        Some(true) if identity.sees_everybody() => None,
        Some(true) => {
            let reason = "the queries of everybody are for administrators of all stores";
            return Err(Error::forbidden(reason));
        }
        _ => Some(identity.user),
    };
    let after = wanted.after.as_deref().map(|text| {
        place(text).ok_or_else(|| Error::request("`after` is no `next` of a page of queries"))
    });
    let listing = Listing {
        user,
        protocol: wanted.protocol,
        from: time_of("from", wanted.from)?,
        until: time_of("until", wanted.until)?,
        after: after.transpose()?,
        offset: wanted.offset.unwrap_or(0).min(1 << 40),
        limit,
    };
    let page = server.state.listed(listing).await?;
    let queries: Vec<Value> = page.queries.iter().map(described).collect();
    let next = page.next().map(|(time, id)| format!("{time}-{id}"));
    Ok(Json(json!({ "queries": queries, "next": next })))
}

fn time_of(name: &str, text: Option<String>) -> Result<Option<DateTime<Utc>>> {
    let read = text.map(|text| match DateTime::parse_from_rfc3339(&text) {
        Ok(time) => Ok(time.to_utc()),
        Err(_) => Err(Error::request(format!("`{name}={text}` is no time as in RFC 3339"))),
    });
    read.transpose()
}

/// Reads a place in the history: a time in microseconds, and the id of a query.
fn place(text: &str) -> Option<(i64, Uuid)> {
    let (time, id) = text.split_once('-')?;
    Some((time.parse().ok()?, Uuid::parse_str(id).ok()?))
}

/// `GET /v1/queries/{id}`.
pub(super) async fn query(
    State(server): Shared,
    Extension(identity): Extension<Identity>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>> {
    let Path(id) = id?;
    Ok(Json(described(&server.queries.record(&identity.user, &id).await?)))
}

/// `POST /v1/queries/{id}/cancel` and `DELETE /v1/queries/{id}`.
pub(super) async fn cancel(
    State(server): Shared,
    Extension(identity): Extension<Identity>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>> {
    let Path(id) = id?;
    Ok(Json(described(&server.queries.cancel(&identity.user, &id).await?)))
}

fn described(query: &QueryRecord) -> Value {
    let time = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339());
    json!({
        "query_id": query.id,
        "user": query.user,
        "protocol": query.protocol,
        "store": query.store,
        "sql": query.sql,
        "status": query.status.word(),
        "submitted_at": time(Some(query.submitted_at)),
        "started_at": time(query.started_at),
        "ended_at": time(query.ended_at),
        "error": query.error.as_ref().map(|message| json!({
            "kind": query.error_kind,
            "message": message,
        })),
        "row_count": query.rows,
        "snapshots": query.snapshots,
        "warnings": query.warnings,
        "statistics": {
            "rows_read": query.rows_read,
            "bytes_read": query.bytes_read,
            "requests": query.requests,
        },
    })
}

/// `GET /v1/stores`: those that the asker may see.
pub(super) async fn stores(
    State(server): Shared,
    Extension(identity): Extension<Identity>,
) -> Result<Json<Value>> {
    let stores = server.queries.engines().stores(&identity, &server.options.store).await?;
    let stores: Vec<Value> = stores
        .iter()
        .map(|store| {
            json!({
                "name": store.name,
                "id": store.id,
                "arn": store.arn,
                "status": store.settings.status(),
                "created_at": store.created_at.to_rfc3339(),
            })
        })
        .collect();
    Ok(Json(json!({ "stores": stores })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfStore {
    store: Option<String>,
}

/// `GET /v1/schema`: tables with their columns and types.
pub(super) async fn schema(
    State(server): Shared,
    of: Result<Query<OfStore>, QueryRejection>,
    Extension(identity): Extension<Identity>,
) -> Result<Json<Value>> {
    let Query(of) = of?;
    let engines = server.queries.engines();
    let store = match of.store {
        Some(store) => store,
        None => engines.usual_store(&identity, &server.options.store).await?,
    };
    let engine = engines.engine(&identity, &store).await?;
    let mut tables = Vec::new();
    for table in engine.tables() {
        let columns: Vec<Value> = engine
            .describe(&table)?
            .into_iter()
            .map(|(name, type_name)| json!({"name": name, "type": type_name}))
            .collect();
        tables.push(json!({"name": table, "columns": columns}));
    }
    Ok(Json(json!({ "store": store, "tables": tables })))
}

/// `GET /v1/samples`.
pub(super) async fn samples(State(server): Shared) -> Json<Value> {
    Json(json!({ "samples": *server.options.samples.all }))
}

/// `GET /v1/sources`: the sources that are known, and how they fare. Needs the role `ingest`.
pub(super) async fn sources(
    State(server): Shared,
    Extension(identity): Extension<Identity>,
) -> Result<Json<Value>> {
    identity.needs(Role::Ingest)?;
    let time = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339());
    let now = server.options.now();
    let known = server.options.sources().into_iter().flat_map(|all| all.seen_by(&identity));
    let sources: Vec<Value> = known
        .map(|source| {
            json!({
                "name": source.name,
                "store": source.store,
                "looked_at": time(source.looked_at),
                "succeeded_at": time(source.succeeded_at),
                "lag_seconds": source.lag_seconds(now),
                "failure": source.failure,
                "objects_failed": source.objects_failed,
                "backlog": source.backlog,
                "messages_refused": source.refused,
                "objects": source.counts.map(|counts| counts.objects),
                "records_stored": source.counts.map(|counts| counts.records_stored),
            })
        })
        .collect();
    Ok(Json(json!({ "sources": sources })))
}

/// `POST /v1/sources/look`: looks at all sources now, without waiting for it. Needs the role
/// `ingest`, of all stores.
pub(super) async fn look(
    State(server): Shared,
    Extension(identity): Extension<Identity>,
) -> Result<(StatusCode, Json<Value>)> {
    identity.needs(Role::Ingest)?;
    if identity.stores.is_some() {
        return Err(Error::forbidden("who may see some stores only cannot ask for a look at all"));
    }
    let Some(followed) = &server.options.followed else {
        return Err(Error::request("this server follows no source; start it with `--follow`"));
    };
    followed.ask();
    Ok((StatusCode::ACCEPTED, Json(json!({ "asked": true }))))
}
