//! What does TrailLake's own API take and answer?

use serde_json::{Value, json};

use super::operation::{Described, Operation, object, response, text};
use crate::http::ask::Format;
use crate::http::telling;

const JSON: &str = "application/json";
/// What every request may end in that the guard looks at.
const OF_EVERY: [u16; 4] = [400, 401, 403, 500];
/// What a statement may end in beside that, before its first rows.
const OF_STATEMENTS: [u16; 5] = [404, 409, 422, 429, 503];

/// Returns what is said of our own API.
pub(super) fn operations() -> Described {
    [asking(), history(), catalogue(), sources(), watching()].into_iter().flatten().collect()
}

/// Returns the schema of an error.
pub(super) fn error() -> Value {
    let kinds = ["statement", "credentials", "limit", "lake", "fault", "cancelled"];
    let mut error = object(&[("message", "string"), ("hint", "string|null")]);
    error["properties"]["kind"] = json!({"enum": kinds});
    json!({"type": "object", "properties": {"error": error}})
}

fn asking() -> Described {
    let by_url =
        Operation::new("Ask a statement by URL").parameter("query", "sql", "The statement", true);
    let by_url = with_trailers(beside_the_statement(by_url)).answers(200, answer());
    let head = Operation::new("Learn what is known of an answer; the statement does not run");
    let head = head.parameter("query", "sql", "The statement", true);
    let known = "What GET would answer with, if the statement is right: no length is known";
    let head = beside_the_statement(head).answers(200, response(known, &[], &telling::OF_FORMAT));
    let by_body = Operation::new("Ask a statement; the parameters are for `application/sql` alone");
    let by_body = with_trailers(beside_the_statement(by_body)).body(&question());
    let by_body = by_body.answers(200, answer());
    Described::from([
        (("/v1/query", "get"), refused(refused(by_url, &OF_EVERY), &OF_STATEMENTS)),
        (("/v1/query", "head"), refused(head, &OF_EVERY)),
        (("/v1/query", "post"), refused(refused(by_body, &OF_EVERY), &OF_STATEMENTS)),
    ])
}

fn beside_the_statement(operation: Operation) -> Operation {
    let words: Vec<String> = Format::ALL.iter().map(|format| json!(format).to_string()).collect();
    operation
        .query("store", "The event data store")
        .query("format", &format!("{}; without it, `Accept` chooses", words.join(", ")))
        .query("timeout", "The longest it may take, in seconds")
        .query("rows_max", "The most rows the answer may have")
        .query("p.NAME", "The value of `:NAME` in the statement, for every NAME")
        .repeated("p", "The value of a `?` in the statement; once for each, in their order")
}

fn with_trailers(operation: Operation) -> Operation {
    operation
        .header("TE", "`trailers`, to be told row count, warnings and statistics behind the body")
}

/// The body of a question.
fn question() -> [(&'static str, Value); 2] {
    let mut question = object(&[
        ("sql", "string"),
        ("store", "string|null"),
        ("parameters", "object|array"),
        ("timeout", "number|null"),
        ("rows_max", "integer|null"),
    ]);
    question["properties"]["format"] = json!({"enum": Format::ALL});
    question["required"] = json!(["sql"]);
    question["additionalProperties"] = json!(false);
    [(JSON, question), ("application/sql", text())]
}

/// An answer in each of its formats.
fn answer() -> Value {
    let whole = object(&[
        ("query_id", "string"),
        ("snapshots", "array"),
        ("columns", "array"),
        ("rows", "array"),
        ("row_count", "integer"),
        ("warnings", "array"),
        ("statistics", "object"),
    ]);
    let content = Format::ALL.map(|format| match format {
        Format::Json => (format.content_type(), whole.clone()),
        _ => (format.content_type(), text()),
    });
    let headers: Vec<(&str, &str)> =
        telling::OF_FORMAT.into_iter().chain(telling::OF_ANSWER).collect();
    response("The rows. One that breaks off is not whole", &content, &headers)
}

fn history() -> Described {
    let list = Operation::new("List your queries, newest first")
        .query("offset", "Queries to leave out")
        .query("limit", "Queries to list, at most 1000")
        .query("protocol", "http, lake, athena or trino")
        .query("everybody", "true: of all users, for administrators of all stores")
        .query("from", "Submitted at that time or later (RFC 3339)")
        .query("until", "Submitted before that time (RFC 3339)")
        .query("after", "The `next` of the page before");
    let page = object(&[("queries", "array"), ("next", "string|null")]);
    let of_one = |summary| {
        let operation = Operation::new(summary).part("id", "The id of the query");
        refused(answers(operation, 200, "The query as it is remembered", query()), &[404])
    };
    Described::from([
        (
            ("/v1/queries", "get"),
            answers(list, 200, "A page; `next` is null behind the last", page),
        ),
        (("/v1/queries/{id}", "get"), of_one("Describe a query of yours")),
        (("/v1/queries/{id}", "delete"), of_one("Cancel a query of yours")),
        (("/v1/queries/{id}/cancel", "post"), of_one("Cancel a query of yours")),
    ])
}

fn query() -> Value {
    object(&[
        ("query_id", "string"),
        ("user", "string"),
        ("protocol", "string"),
        ("store", "string"),
        ("sql", "string"),
        ("status", "string"),
        ("submitted_at", "string"),
        ("started_at", "string|null"),
        ("ended_at", "string|null"),
        ("error", "object|null"),
        ("row_count", "integer"),
        ("snapshots", "array"),
        ("warnings", "array"),
        ("statistics", "object"),
    ])
}

fn catalogue() -> Described {
    let schema = Operation::new("List tables, columns and types");
    let schema = schema.query("store", "The event data store");
    let stores = Operation::new("List the event data stores that you may see");
    let samples = Operation::new("List sample queries");
    let tables = object(&[("store", "string"), ("tables", "array")]);
    let schema = answers(schema, 200, "The tables of one store", tables);
    let listed = object(&[("stores", "array")]);
    let sampled = object(&[("samples", "array")]);
    Described::from([
        (("/v1/stores", "get"), answers(stores, 200, "The stores", listed)),
        (("/v1/schema", "get"), refused(schema, &[404, 409])),
        (("/v1/samples", "get"), answers(samples, 200, "The samples", sampled)),
    ])
}

fn sources() -> Described {
    let show = Operation::new("Show how the sources fare; for the role `ingest`");
    let shown = object(&[("sources", "array")]);
    let look = Operation::new("Look at all sources now; for the role `ingest` of all stores");
    let asked = object(&[("asked", "boolean")]);
    Described::from([
        (("/v1/sources", "get"), answers(show, 200, "The sources", shown)),
        (("/v1/sources/look", "post"), answers(look, 202, "It is asked for", asked)),
    ])
}

fn watching() -> Described {
    let health = Operation::new("Whether the server lives; needs no credentials").secured_by(&[]);
    let lives = object(&[("status", "string"), ("version", "string")]);
    let health = health.answers(200, response("It lives", &[(JSON, lives)], &[]));
    let ready = Operation::new("Whether the lake can be read and is fresh");
    let ready = ready.query("max_lag", "Seconds that it may be behind");
    let told = object(&[
        ("ready", "boolean"),
        ("last_round_at", "string|null"),
        ("lag_seconds", "number|null"),
        ("error", "string"),
    ]);
    let late = response("It cannot be read, or is behind", &[(JSON, told.clone())], &[]);
    let ready = answers(ready, 200, "It can", told).answers(503, late);
    let metrics = Operation::new("Metrics for Prometheus");
    let counted = [("text/plain; version=0.0.4; charset=utf-8", text())];
    let metrics = metrics.answers(200, response("The metrics", &counted, &[]));
    let itself = answers(Operation::new("This document"), 200, "It", json!({"type": "object"}));
    Described::from([
        (("/health", "get"), refused(health, &[403])),
        (("/ready", "get"), ready),
        (("/metrics", "get"), refused(metrics, &OF_EVERY)),
        (("/openapi.json", "get"), itself),
    ])
}

/// An operation that answers with JSON, and may be refused as every other.
fn answers(operation: Operation, status: u16, about: &str, schema: Value) -> Operation {
    let answered = operation.answers(status, response(about, &[(JSON, schema)], &[]));
    refused(answered, &OF_EVERY)
}

/// An operation that may end in errors with those statuses.
fn refused(operation: Operation, statuses: &[u16]) -> Operation {
    statuses.iter().fold(operation, |operation, status| {
        let mut headers = vec![("cache-control", "`no-store`")];
        if *status == 401 {
            headers.push(("www-authenticate", "`Bearer realm=\"traillake\"`"));
        }
        let schema = json!({"$ref": "#/components/schemas/Error"});
        operation.answers(*status, response(meaning(*status), &[(JSON, schema)], &headers))
    })
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "What is asked cannot be read, or is wrong: the statement, a parameter, the body",
        401 => "The credentials are missing, are not known, or have ended",
        403 => "Not for these credentials, under this `Host`, or for a page of another place",
        404 => "There is no such thing, or it is somebody else's",
        409 => "The query was cancelled before its first rows, or its store is to be deleted",
        422 => "A limit that is hit: of time, rows or memory",
        429 => "Too many statements of yours wait",
        503 => "The server is stopping",
        _ => "The lake or the server failed; the server's log says why",
    }
}
