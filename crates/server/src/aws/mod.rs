//! AWS's own protocol, "AWS JSON 1.1": every operation is a POST to `/` whose `X-Amz-Target` names
//! it. Two services are spoken: CloudTrail Lake (`lake`) and Athena (`athena`). The files of
//! Athena's results are had by S3's protocol (`objects`).
//!
//! CloudTrail's target has two prefixes in the wild, so what follows the last dot counts.

pub(crate) mod athena;
pub(crate) mod lake;
pub(crate) mod objects;

use axum::extract::{Extension, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::auth::Identity;
use crate::error::Error;
use crate::http::Shared;

/// The media type of the protocol.
const CONTENT: &str = "application/x-amz-json-1.1";

/// What an operation returns.
pub(crate) type Answered = std::result::Result<Value, Fault>;

/// An error in AWS's words: the name of a shape of the service's model, and a message.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) message: String,
    pub(crate) status: StatusCode,
}

impl Fault {
    /// An error that AWS answers with status 400, as nearly all are.
    pub(crate) fn new(name: &'static str, message: impl Into<String>) -> Fault {
        Fault { name, message: message.into(), status: StatusCode::BAD_REQUEST }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = json!({"__type": self.name, "message": self.message, "Message": self.message});
        let mut response = reply(&body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert("x-amzn-errortype", HeaderValue::from_static(self.name));
        response
    }
}

/// `POST /`: one operation of one service.
pub(crate) async fn call(
    State(server): Shared,
    Extension(identity): Extension<Identity>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    let Some((service, operation)) = target.and_then(|target| target.rsplit_once('.')) else {
        return Fault::new("UnknownOperationException", "`X-Amz-Target` is missing")
            .into_response();
    };
    let json_body = headers.get(CONTENT_TYPE).is_some_and(|value| {
        value.to_str().is_ok_and(|value| value.starts_with("application/x-amz-json-1."))
    });
    if !json_body {
        let message = format!("send `Content-Type: {CONTENT}`");
        return Fault::new("SerializationException", message).into_response();
    }
    let request: Value = match body.is_empty() {
        true => json!({}),
        false => match serde_json::from_slice(&body) {
            Ok(request @ Value::Object(_)) => request,
            _ => {
                let message = "the body is no JSON object";
                return Fault::new("SerializationException", message).into_response();
            }
        },
    };
    let answered = match service.contains("CloudTrail") {
        true => lake::call(&server, identity, operation, &request).await,
        false if service == "AmazonAthena" => {
            athena::call(&server, identity, operation, &request).await
        }
        false => Err(Fault::new("UnknownOperationException", "this service is not spoken here")),
    };
    match answered {
        Ok(value) => reply(&value),
        Err(fault) => fault.into_response(),
    }
}

fn reply(value: &Value) -> Response {
    let mut response = value.to_string().into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT));
    let id = uuid::Uuid::new_v4().to_string();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

/// Returns what the guard refused, as AWS's clients expect it.
pub(crate) fn refusal(error: &Error) -> Response {
    let (name, status) = match error {
        Error::Unknown { .. } => ("UnrecognizedClientException", StatusCode::BAD_REQUEST),
        Error::Forbidden { .. } => ("AccessDeniedException", StatusCode::BAD_REQUEST),
        Error::State { .. } => ("InternalFailure", StatusCode::INTERNAL_SERVER_ERROR),
        _ => ("SerializationException", StatusCode::BAD_REQUEST),
    };
    Fault { name, message: error.to_string(), status }.into_response()
}

/// Returns a time as AWS's JSON has it: seconds since 1970, with a fraction where there is one.
pub(crate) fn seconds(time: DateTime<Utc>) -> Value {
    match time.timestamp_subsec_micros() {
        0 => time.timestamp().into(),
        _ => (time.timestamp_micros() as f64 / 1e6).into(),
    }
}
