//! What of an object that is not wanted any more? Clients tidy up behind themselves: whoever asked
//! a query may forget its kept answer, which goes by itself after some days anyway. As in S3, what
//! is not there is deleted already.

use axum::http::StatusCode;
use axum::response::IntoResponse as _;

use super::{Answered, Identity, Inner, Location, Refused, query_at, xml};
use crate::error::Error;

/// Keys of one request.
const KEYS_MAX: usize = 1_000;

/// `DeleteObject`.
pub(super) async fn delete(
    server: &Inner,
    identity: &Identity,
    place: &Location,
    names: &[&str],
) -> Answered {
    if let Some(other) = names.iter().find(|name| !matches!(**name, "x-id" | "versionId")) {
        return Err(Refused::not_implemented(other));
    }
    forget(server, identity, place).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DeleteObjects`.
pub(super) async fn delete_all(
    server: &Inner,
    identity: &Identity,
    bucket: &str,
    body: &[u8],
) -> Answered {
    let malformed = |message| Refused::new("MalformedXML", StatusCode::BAD_REQUEST, message);
    let document = std::str::from_utf8(body).map_err(|_| malformed("The body is not UTF-8."))?;
    let keys = xml::texts(document, "Key");
    if keys.is_empty() || keys.len() > KEYS_MAX {
        return Err(malformed("There must be from 1 to 1000 keys."));
    }
    let mut deleted = String::new();
    for key in keys {
        let place = Location { bucket: bucket.to_owned(), key };
        forget(server, identity, &place).await?;
        deleted += &format!("<Deleted>{}</Deleted>", xml::element("Key", &place.key));
    }
    Ok(xml::document("DeleteResult", &deleted))
}

async fn forget(server: &Inner, identity: &Identity, place: &Location) -> Result<(), Error> {
    match query_at(server, identity, place).await? {
        Some(record) => server.queries.results().forget(vec![record.id]).await,
        None => Ok(()),
    }
}
