//! `GET /openapi.json`: TrailLake's own API, described.

use axum::response::Json;
use serde_json::{Value, json};

/// Returns the document (OpenAPI 3.1).
pub(super) async fn document() -> Json<Value> {
    Json(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "TrailLake",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "SQL over a lake of AWS CloudTrail events.",
        },
        "security": [{"token": []}],
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "paths": {
            "/v1/query": {
                "get": operation(
                    "Ask a statement by URL",
                    &[
                        query("sql", "The statement", true),
                        query("store", "The event data store", false),
                        query("format", "json, ndjson, csv, arrow or parquet", false),
                        query("timeout", "The longest it may take, in seconds", false),
                        query("rows_max", "The most rows the answer may have", false),
                    ],
                ),
                "post": question(),
            },
            "/v1/queries": {
                "get": operation(
                    "List your queries, newest first",
                    &[
                        query("offset", "Queries to leave out", false),
                        query("limit", "Queries to list, at most 1000", false),
                        query("protocol", "http, lake, athena or trino", false),
                        query("everybody", "true: of all users, for administrators", false),
                        query("from", "Submitted at that time or later (RFC 3339)", false),
                        query("until", "Submitted before that time (RFC 3339)", false),
                        query("after", "The `next` of the page before", false),
                    ],
                ),
            },
            "/v1/queries/{id}": {
                "get": operation("Describe a query of yours", &[id()]),
                "delete": operation("Cancel a query of yours", &[id()]),
            },
            "/v1/queries/{id}/cancel": {
                "post": operation("Cancel a query of yours", &[id()]),
            },
            "/v1/stores": {"get": operation("List event data stores", &[])},
            "/v1/schema": {
                "get": operation(
                    "List tables, columns and types",
                    &[query("store", "The event data store", false)],
                ),
            },
            "/v1/samples": {"get": operation("List sample queries", &[])},
            "/v1/sources": {"get": operation("Show how the followed sources fare", &[])},
            "/v1/sources/look": {"post": operation("Look at all sources now", &[])},
            "/health": {"get": operation("Whether the server lives", &[])},
            "/ready": {
                "get": operation(
                    "Whether the lake can be read and is fresh",
                    &[query("max_lag", "Seconds that it may be behind", false)],
                ),
            },
            "/metrics": {"get": operation("Metrics for Prometheus", &[])},
            "/openapi.json": {"get": operation("This document", &[])},
        },
    }))
}

fn operation(summary: &str, parameters: &[Value]) -> Value {
    json!({
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done"},
            "default": {"description": "An error: `{\"error\": {\"kind\", \"message\", \"hint\"}}`"},
        },
    })
}

fn question() -> Value {
    let mut operation = operation("Ask a statement", &[]);
    operation["requestBody"] = json!({
        "required": true,
        "content": {
            "application/json": {"schema": {
                "type": "object",
                "required": ["sql"],
                "additionalProperties": false,
                "properties": {
                    "sql": {"type": "string"},
                    "store": {"type": "string"},
                    "format": {"enum": ["json", "ndjson", "csv", "arrow", "parquet"]},
                    "parameters": {"type": ["object", "array"]},
                    "timeout": {"type": "number"},
                    "rows_max": {"type": "integer"},
                },
            }},
            "application/sql": {"schema": {"type": "string"}},
        },
    });
    operation
}

fn query(name: &str, description: &str, required: bool) -> Value {
    json!({
        "name": name,
        "in": "query",
        "required": required,
        "description": description,
        "schema": {"type": "string"},
    })
}

fn id() -> Value {
    json!({
        "name": "id",
        "in": "path",
        "required": true,
        "description": "The id of the query",
        "schema": {"type": "string", "format": "uuid"},
    })
}
