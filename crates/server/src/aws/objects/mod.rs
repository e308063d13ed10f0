//! The files of results, to S3's clients: <https://docs.aws.amazon.com/AmazonS3/latest/API/>.
//!
//! | module | the question it answers |
//! |---|---|
//! | `location` | which object does a path mean, and is a path meant for S3 at all? |
//! | `object` | what are its bytes? (`GetObject`, `HeadObject`, ranges and conditions) |
//! | `listing` | which objects are there? (`ListObjectsV2`) |
//! | `deletion` | what of an object that is not wanted any more? |
//! | `xml` | how are answers and errors written? |
//!
//! There is one kind of object: the file of a kept answer of whoever asks, at the very place where
//! its query wanted it put (path style: `/bucket/prefix/<id>.csv`). The path of a request is only
//! ever compared; the file's path is made from the query's id. Nothing can be put here.

mod deletion;
mod listing;
mod location;
mod object;
mod xml;

use axum::extract::{Extension, Request, State};
use axum::http::header::ALLOW;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use uuid::Uuid;

pub(crate) use location::{Location, is_meant};

use super::athena;
use crate::auth::Identity;
use crate::error::Error;
use crate::http::{Inner, Shared};
use crate::state::{QueryRecord, QueryStatus};

/// A request that is answered with an error.
struct Refused {
    code: &'static str,
    status: StatusCode,
    message: String,
}

impl Refused {
    fn new(code: &'static str, status: StatusCode, message: impl Into<String>) -> Refused {
        Refused { code, status, message: message.into() }
    }

    fn no_such_key() -> Refused {
        let message = "The specified key does not exist.";
        Refused::new("NoSuchKey", StatusCode::NOT_FOUND, message)
    }

    fn not_implemented(what: &str) -> Refused {
        let message = format!("`{what}` is not supported: there are only files of results here");
        Refused::new("NotImplemented", StatusCode::NOT_IMPLEMENTED, message)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        match error {
            Error::NotFound { .. } => Refused::no_such_key(),
            error => {
                tracing::error!("a request of S3's failed: {}", error.message_alone());
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Refused::new("InternalError", status, "the server's log says why")
            }
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = xml::error(self.code, &self.message);
        *response.status_mut() = self.status;
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, DELETE"));
        }
        response
    }
}

type Answered = std::result::Result<Response, Refused>;

/// Everything that no other path means.
pub(crate) async fn call(
    State(server): Shared,
    Extension(identity): Extension<Identity>,
    request: Request,
) -> Response {
    if !is_meant(request.uri().path()) {
        return Error::not_found("path", request.uri().path()).into_response();
    }
    let (head, body) = request.into_parts();
    // The guard has read it: it is there.
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    match answer(&server, &identity, &head, body).await {
        Ok(response) => response,
        Err(refused) => refused.into_response(),
    }
}

async fn answer(server: &Inner, identity: &Identity, head: &Parts, body: Bytes) -> Answered {
    let place = Location::of_path(head.uri.path()).ok_or_else(|| {
        Refused::new("InvalidBucketName", StatusCode::BAD_REQUEST, "The bucket is not valid.")
    })?;
    let asked = location::query_of(&head.uri);
    let names: Vec<&str> = asked.iter().map(|(name, _)| name.as_str()).collect();
    match (&head.method, place.key.is_empty()) {
        (&Method::GET, true) if names.contains(&"location") => Ok(xml::bucket_location()),
        (&Method::GET, true) if names.contains(&"list-type") => {
            listing::list(server, identity, &place.bucket, asked).await
        }
        (&Method::GET, true) => Err(Refused::not_implemented("ListObjects and sub-resources")),
        // Whoever asks for a bucket wants to know whether results can go there: anywhere.
        (&Method::HEAD, true) => Ok([("x-amz-bucket-region", "us-east-1")].into_response()),
        (&Method::POST, true) if names.contains(&"delete") => {
            deletion::delete_all(server, identity, &place.bucket, &body).await
        }
        (&Method::GET | &Method::HEAD, false) => {
            object::get(server, identity, &place, &names, head).await
        }
        (&Method::DELETE, false) => deletion::delete(server, identity, &place, &names).await,
        _ => {
            let message = "Nothing can be put here: there are only files of results.";
            Err(Refused::new("MethodNotAllowed", StatusCode::METHOD_NOT_ALLOWED, message))
        }
    }
}

/// Returns the query whose kept answer is the object at a place, if it is the asker's.
async fn query_at(
    server: &Inner,
    identity: &Identity,
    place: &Location,
) -> Result<Option<QueryRecord>, Error> {
    let name = place.key.rsplit('/').next().unwrap_or_default();
    let id = name.split('.').next().unwrap_or_default();
    let Ok(id) = Uuid::parse_str(id) else { return Ok(None) };
    let found = server.state.query(&identity.user, id).await?;
    let now = server.options.now();
    let found = found.map(|record| server.queries.results().as_kept(record, now));
    Ok(found.filter(|record| location_of(record).as_ref() == Some(place)))
}

/// Where the file of a query's kept answer is; none when there is none.
fn location_of(record: &QueryRecord) -> Option<Location> {
    let kept = record.protocol == athena::PROTOCOL
        && record.status == QueryStatus::Finished
        && record.result_bytes > 0;
    kept.then(|| Location::parse(&athena::output_location(record)?)).flatten()
}

/// Returns what the guard refused, as S3's clients expect it.
pub(crate) fn refusal(error: &Error) -> Response {
    let (code, status) = match error {
        Error::Unknown { .. } | Error::Forbidden { .. } => ("AccessDenied", StatusCode::FORBIDDEN),
        Error::State { .. } => ("InternalError", StatusCode::INTERNAL_SERVER_ERROR),
        _ => ("InvalidRequest", StatusCode::BAD_REQUEST),
    };
    Refused::new(code, status, error.to_string()).into_response()
}
