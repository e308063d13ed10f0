//! Errors in TrailLake's own words: JSON with a kind, a message and a hint.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;

use crate::error::Error;
use crate::formats::Error as FormatError;
use crate::queries::kind_of;

impl IntoResponse for Error {
    /// `{"error": {"kind": …, "message": …, "hint": …}}` with the status that fits.
    fn into_response(self) -> Response {
        let status = status_of(&self);
        let error = json!({
            "kind": kind_of(&self),
            "message": told(&self),
            "hint": self.hint_to_clients(),
        });
        let mut response = (status, Json(json!({ "error": error }))).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, axum::http::HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            let value = axum::http::HeaderValue::from_static("Bearer realm=\"traillake\"");
            headers.insert(WWW_AUTHENTICATE, value);
        }
        response
    }
}

impl From<QueryRejection> for Error {
    /// What a URL asks for that means nothing here, or has no value that can be read.
    fn from(refused: QueryRejection) -> Error {
        let reason = std::error::Error::source(&refused).map(ToString::to_string);
        Error::request(format!("the URL cannot be read: {}", reason.unwrap_or_default()))
    }
}

impl From<PathRejection> for Error {
    /// A path with bytes that are no text.
    fn from(refused: PathRejection) -> Error {
        Error::request(format!("the URL cannot be read: {}", refused.body_text()))
    }
}

/// Returns the status that fits an error.
pub(crate) fn status_of(error: &Error) -> StatusCode {
    use traillake_query::ErrorKind;
    match error {
        Error::Query(error) => match error.kind() {
            ErrorKind::Statement => StatusCode::BAD_REQUEST,
            ErrorKind::Limit => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        },
        Error::Request { .. } | Error::Format(FormatError::NoType { .. }) => {
            StatusCode::BAD_REQUEST
        }
        Error::Unknown { .. } => StatusCode::UNAUTHORIZED,
        Error::Forbidden { .. } => StatusCode::FORBIDDEN,
        Error::NotFound { .. } => StatusCode::NOT_FOUND,
        Error::Busy { .. } | Error::Full { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::TooLarge { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Cancelled | Error::Inactive(_) => StatusCode::CONFLICT,
        Error::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Returns what a client is told of an error. What went wrong inside is told to whoever runs the
/// server, in its log: its words name files, places and what the lake's storage says.
pub(super) fn told(error: &Error) -> String {
    if !is_internal(error) {
        return error.message_alone();
    }
    log(error);
    match kind_of(error) {
        "lake" => "the lake could not be read; the server's log says why".to_owned(),
        _ => "the server could not do this; its log says why".to_owned(),
    }
}

fn is_internal(error: &Error) -> bool {
    status_of(error) == StatusCode::INTERNAL_SERVER_ERROR
}

fn log(error: &Error) {
    tracing::error!("a request failed: {}", error.message_alone());
}

/// Returns a refusal in the words of the protocol that the request speaks.
pub(super) fn refusal(head: &Parts, error: &Error) -> Response {
    let path = head.uri.path();
    let of_trino = ["/v1/statement", "/v1/info", "/v1/query/"];
    let refuse: fn(&Error) -> Response = if head.headers.contains_key("x-amz-target") {
        crate::aws::refusal
    } else if of_trino.iter().any(|start| path.starts_with(start)) {
        crate::trino::refusal
    } else if crate::aws::objects::is_meant(path) {
        crate::aws::objects::refusal
    } else {
        return own_refusal(error);
    };
    match is_internal(error) {
        true => {
            log(error);
            refuse(&Error::state("the server's log says why"))
        }
        false => refuse(error),
    }
}

fn own_refusal(error: &Error) -> Response {
    let error = match error {
        Error::Unknown { reason } => Error::unknown(reason),
        Error::Forbidden { reason } => Error::forbidden(reason),
        Error::State { reason } => Error::state(reason),
        error => Error::request(error.to_string()),
    };
    error.into_response()
}
