//! What are an object's bytes? `GetObject` and `HeadObject`, with one range and with conditions.

use std::io::SeekFrom;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH,
    LAST_MODIFIED, RANGE,
};
use axum::http::request::Parts;
use axum::http::{HeaderName, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use futures::stream;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use uuid::Uuid;

use super::{Answered, Identity, Inner, Location, Refused, athena, query_at};
use crate::error::{Error, Result};

/// Bytes that are read together.
const CHUNK: usize = 64 << 10;

/// The file of a kept answer, open.
pub(super) struct File {
    file: tokio::fs::File,
    pub(super) size: u64,
    /// With a dash, as S3 writes it when it is no MD5 of the bytes.
    pub(super) etag: String,
}

impl File {
    /// Opens the file of a query's kept answer, by its id and what its name ends in.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not kept any more.
    pub(super) async fn open(server: &Inner, id: Uuid, ending: &str) -> Result<File> {
        let path = server.queries.results().file(id, ending);
        let file = tokio::fs::File::open(path).await.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::not_found("kept answer", id.to_string()),
            _ => error.into(),
        })?;
        let size = file.metadata().await?.len();
        let etag = format!("\"{}-1\"", id.simple());
        Ok(File { file, size, etag })
    }

    /// Returns a body of `length` bytes from `start` on. A file that ends early breaks it off.
    async fn body(mut self, start: u64, length: u64) -> Result<Body> {
        self.file.seek(SeekFrom::Start(start)).await?;
        let chunks = stream::unfold((self.file, length), |(mut file, left)| async move {
            if left == 0 {
                return None;
            }
            let chunk = next(&mut file, left).await;
            let left = chunk.as_ref().map_or(0, |chunk| left - chunk.len() as u64);
            Some((chunk, (file, left)))
        });
        Ok(Body::from_stream(chunks))
    }
}

async fn next(file: &mut tokio::fs::File, left: u64) -> std::io::Result<Bytes> {
    let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
    let mut chunk = BytesMut::with_capacity(most);
    let mut part = file.take(most as u64);
    match part.read_buf(&mut chunk).await? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(chunk.freeze()),
    }
}

/// `GetObject` and `HeadObject`.
pub(super) async fn get(
    server: &Inner,
    identity: &Identity,
    place: &Location,
    names: &[&str],
    head: &Parts,
) -> Answered {
    // `?acl`, `?tagging` and their like are other operations.
    let known = |name: &str| matches!(name, "x-id" | "versionId" | "partNumber");
    if let Some(other) = names.iter().find(|name| !known(name)) {
        return Err(Refused::not_implemented(other));
    }
    let record = query_at(server, identity, place).await?.ok_or_else(Refused::no_such_key)?;
    let file = File::open(server, record.id, athena::file_ending(&record)).await?;
    if let Some(response) = unmet(head, &file)? {
        return Ok(response);
    }
    let range = match text(head, &RANGE) {
        Some(range) => asked_range(range, file.size)?,
        None => None,
    };
    let (start, length) = range.unwrap_or((0, file.size));
    let modified = record.ended_at.unwrap_or(record.submitted_at);
    let mut response = Response::builder()
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(CONTENT_LENGTH, length)
        .header(ACCEPT_RANGES, "bytes")
        .header(ETAG, &file.etag)
        .header(LAST_MODIFIED, modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
    if range.is_some() {
        let (last, size) = (start + length - 1, file.size);
        response = response
            .status(StatusCode::PARTIAL_CONTENT)
            .header(CONTENT_RANGE, format!("bytes {start}-{last}/{size}"));
    }
    let body = match head.method {
        Method::HEAD => Body::empty(),
        _ => file.body(start, length).await?,
    };
    Ok(response.body(body).map_err(Error::state)?)
}

/// The answer to a request whose conditions the object does not meet.
fn unmet(head: &Parts, file: &File) -> std::result::Result<Option<Response>, Refused> {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    let own = bare(&file.etag);
    let names = |tags: &str| tags.split(',').map(bare).any(|tag| tag == own || tag == "*");
    if text(head, &IF_MATCH).is_some_and(|tags| !names(tags)) {
        let message = "At least one of the pre-conditions you specified did not hold";
        return Err(Refused::new("PreconditionFailed", StatusCode::PRECONDITION_FAILED, message));
    }
    if text(head, &IF_NONE_MATCH).is_some_and(names) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        if let Ok(etag) = file.etag.parse() {
            response.headers_mut().insert(ETAG, etag);
        }
        return Ok(Some(response));
    }
    Ok(None)
}

fn text<'a>(head: &'a Parts, name: &HeaderName) -> Option<&'a str> {
    head.headers.get(name)?.to_str().ok()
}

/// Returns the start and the length of the one range that is asked for; none when the header is
/// none that S3 heeds (<https://www.rfc-editor.org/rfc/rfc9110#section-14.2>).
fn asked_range(header: &str, size: u64) -> std::result::Result<Option<(u64, u64)>, Refused> {
    let unsatisfiable = || {
        let message = "The requested range is not satisfiable";
        Refused::new("InvalidRange", StatusCode::RANGE_NOT_SATISFIABLE, message)
    };
    let Some((first, last)) = header.strip_prefix("bytes=").and_then(|rest| rest.split_once('-'))
    else {
        return Ok(None);
    };
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(first) || !is_number(last) {
        return Ok(None);
    }
    // More digits than a number has are more than any size.
    let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
    let (start, end) = match (first, last) {
        ("", "") => return Ok(None),
        ("", last) => (size.saturating_sub(number(last)), size),
        (first, "") => (number(first), size),
        (first, last) if number(first) > number(last) => return Ok(None),
        (first, last) => (number(first), number(last).saturating_add(1).min(size)),
    };
    match start < end {
        true => Ok(Some((start, end - start))),
        false => Err(unsatisfiable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_heeded() {
        for (header, expected) in [
            ("bytes=0-3", Some(Some((0, 4)))),
            ("bytes=2-", Some(Some((2, 8)))),
            ("bytes=-3", Some(Some((7, 3)))),
            ("bytes=-30", Some(Some((0, 10)))),
            ("bytes=9-99999999999999999999999", Some(Some((9, 1)))),
            ("bytes=10-", None),
            ("bytes=10-20", None),
            ("bytes=-0", None),
            ("bytes=5-2", Some(None)),
            ("bytes=0-1,4-5", Some(None)),
            ("bytes=-", Some(None)),
            ("bytes=a-b", Some(None)),
            ("lines=0-3", Some(None)),
        ] {
            assert_eq!(asked_range(header, 10).ok(), expected, "{header}");
        }
        assert!(asked_range("bytes=0-", 0).is_err());
    }
}
