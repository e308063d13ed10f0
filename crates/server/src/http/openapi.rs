//! `GET /openapi.json`: every route of this server, described (OpenAPI 3.1).
//!
//! | module | the question it answers |
//! |---|---|
//! | `operation` | how is one method of one path written down? |
//! | `own` | what does TrailLake's own API take and answer? |
//! | `others` | what do Trino's, AWS's and S3's clients send and get, as far as HTTP goes? |
//!
//! The document has the routes of the table (`super::routes`), and what S3's clients ask beside it.

mod operation;
mod others;
mod own;

use std::sync::LazyLock;

use axum::response::Json;
use serde_json::{Map, Value, json};

use self::operation::Described;
use super::routes::{self, Route};

const ABOUT: &str = "SQL over a lake of AWS CloudTrail events. HEAD is answered wherever GET is, by \
    the head alone. A path that means nothing is 404, a method that a path does not have 405, with \
    `Allow`. What is no HTTP gets a bare status: 400, 414 for a URL of more than 65,534 bytes, 431 \
    for a head of more than 320 KiB or 100 headers. Over plain HTTP, who finds no place for a \
    connection is told so by 503, with `Retry-After`. With `--no-auth` no credentials are needed.";

static DOCUMENT: LazyLock<Value> = LazyLock::new(document_of_all);

/// Returns the document.
pub(super) async fn document() -> Json<&'static Value> {
    Json(&*DOCUMENT)
}

fn document_of_all() -> Value {
    let mut paths = paths(&routes::all(), known());
    for ((path, method), operation) in others::objects() {
        add(&mut paths, path, method, operation.into_value());
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "TrailLake",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
        },
        "security": [{"token": []}, {"password": []}, {"signature": []}],
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "password": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "A token as the password of any user",
                },
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "An access key's `AWS4-HMAC-SHA256` (AWS Signature Version 4)",
                },
                "presigned": {
                    "type": "apiKey",
                    "in": "query",
                    "name": "X-Amz-Signature",
                    "description": "An access key's signature in a URL, for files of results alone",
                },
            },
            "schemas": {"Error": own::error()},
        },
        "paths": paths,
    })
}

/// Everything that is said of routes.
fn known() -> Described {
    let mut known = own::operations();
    known.extend(others::operations());
    known
}

fn paths(routes: &[Route], mut known: Described) -> Map<String, Value> {
    let mut paths = Map::new();
    for Route { path, methods, .. } in routes {
        for method in methods {
            // A test sees to it that something is said of each.
            if let Some(operation) = known.remove(&(*path, *method)) {
                add(&mut paths, path, method, operation.into_value());
            }
        }
    }
    paths
}

fn add(paths: &mut Map<String, Value>, path: &str, method: &str, operation: Value) {
    let methods = paths.entry(path).or_insert_with(|| json!({}));
    methods[method] = operation;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::error::Error;
    use crate::http::ask::Format;
    use crate::http::{reply, telling};

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let routes = routes::all();
        let asked: BTreeSet<(&str, &str)> = routes
            .iter()
            .flat_map(|route| route.methods.iter().map(move |method| (route.path, *method)))
            .collect();
        let said: BTreeSet<(&str, &str)> = known().into_keys().collect();
        assert_eq!(said, asked);
        let document = document_of_all();
        for (path, method) in asked.into_iter().chain(others::objects().into_keys()) {
            let operation = &document["paths"][path][method];
            assert!(operation["summary"].is_string(), "{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
            // A part of a path is a parameter.
            let parameters = operation["parameters"].as_array().unwrap();
            let of_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
            let named: BTreeSet<&str> =
                of_path.map(|parameter| parameter["name"].as_str().unwrap()).collect();
            let parts = path.split('/').filter_map(|part| part.strip_prefix('{'));
            let parts: BTreeSet<&str> = parts.map(|part| part.trim_end_matches('}')).collect();
            assert_eq!(named, parts, "{method} {path}");
        }
    }

    #[test]
    fn whatever_is_told_beside_an_answer_is_described() {
        let document = document_of_all();
        let headers = telling::OF_FORMAT.iter().chain(&telling::OF_ANSWER);
        let headers: BTreeSet<&str> = headers.map(|(name, _)| *name).collect();
        for method in ["get", "post"] {
            let answer = &document["paths"]["/v1/query"][method]["responses"]["200"];
            let said = answer["headers"].as_object().unwrap();
            let said: BTreeSet<&str> = said.keys().map(String::as_str).collect();
            assert_eq!(said, headers, "{method}");
            for format in Format::ALL {
                assert!(answer["content"][format.content_type()].is_object(), "{format:?}");
            }
        }
    }

    #[test]
    fn every_status_of_an_error_is_described() {
        let document = document_of_all();
        for error in [
            Error::request("x"),
            Error::unknown("x"),
            Error::forbidden("x"),
            Error::not_found("store", "x"),
            Error::Busy { waiting: 1, limit: 1 },
            Error::TooLarge { limit_bytes: 1 },
            Error::Cancelled,
            Error::Stopping,
            Error::state("x"),
        ] {
            let status = reply::status_of(&error).as_str().to_owned();
            for method in ["get", "post"] {
                let responses = &document["paths"]["/v1/query"][method]["responses"];
                assert!(responses[&status].is_object(), "{method}: {status} ({error})");
            }
        }
    }
}
