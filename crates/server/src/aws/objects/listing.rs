//! Which objects are there? `ListObjectsV2` over the kept answers of whoever asks.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use super::object::File;
use super::{Answered, Identity, Inner, Refused, athena, location_of, xml};
use crate::error::Error;
use crate::state::{KeptObjects, QueryRecord};

/// Keys of a page.
const KEYS_MAX: usize = 1_000;
/// What `encoding-type=url` leaves as it is.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// What is asked of a listing.
#[derive(Default)]
struct Asked {
    prefix: String,
    delimiter: Option<String>,
    /// Only what comes behind it.
    after: String,
    size: usize,
    url: bool,
}

/// What of an object stands in its entry.
struct Object {
    id: Uuid,
    ending: &'static str,
    ended_at: DateTime<Utc>,
}

/// What is shown, by its name: objects, and folders, which stand for all that is in them.
type Shown = BTreeMap<String, Option<Object>>;

/// `ListObjectsV2`.
pub(super) async fn list(
    server: &Inner,
    identity: &Identity,
    bucket: &str,
    pairs: Vec<(String, String)>,
) -> Answered {
    let asked = read(pairs)?;
    let mut shown = first_shown(server, identity, bucket, &asked).await?;
    let is_truncated = shown.len() > asked.size && shown.pop_last().is_some();
    let next = shown.last_key_value().filter(|_| is_truncated).map(|(name, _)| name.clone());
    let (mut contents, mut prefixes) = (Vec::new(), Vec::new());
    for (name, object) in &shown {
        match object {
            Some(object) => contents.extend(content(server, name, object, asked.url).await?),
            None => prefixes.push(name.as_str()),
        }
    }
    Ok(page(bucket, &asked, &contents, &prefixes, next.as_deref()))
}

fn page(
    bucket: &str,
    asked: &Asked,
    contents: &[String],
    prefixes: &[&str],
    next: Option<&str>,
) -> axum::response::Response {
    let count = contents.len() + prefixes.len();
    let mut inner = xml::element("Name", bucket);
    inner += &xml::element("Prefix", &written(&asked.prefix, asked.url));
    inner += &xml::element("KeyCount", &count.to_string());
    inner += &xml::element("MaxKeys", &asked.size.to_string());
    inner += &xml::element("IsTruncated", &next.is_some().to_string());
    if let Some(delimiter) = &asked.delimiter {
        inner += &xml::element("Delimiter", &written(delimiter, asked.url));
    }
    if asked.url {
        inner += &xml::element("EncodingType", "url");
    }
    if let Some(next) = next {
        inner += &xml::element("NextContinuationToken", next);
    }
    inner += &contents.concat();
    for prefix in prefixes {
        let prefix = xml::element("Prefix", &written(prefix, asked.url));
        inner += &format!("<CommonPrefixes>{prefix}</CommonPrefixes>");
    }
    xml::document("ListBucketResult", &inner)
}

fn read(pairs: Vec<(String, String)>) -> Result<Asked, Refused> {
    let wrong = |name: &str| {
        let message = format!("`{name}` is not valid.");
        Refused::new("InvalidArgument", StatusCode::BAD_REQUEST, message)
    };
    let mut asked = Asked { size: KEYS_MAX, ..Asked::default() };
    for (name, value) in pairs {
        match name.as_str() {
            "list-type" if value == "2" => {}
            "prefix" => asked.prefix = value,
            "delimiter" => asked.delimiter = Some(value).filter(|value| !value.is_empty()),
            "start-after" | "continuation-token" => asked.after = value.max(asked.after),
            "max-keys" => {
                let size: usize = value.parse().map_err(|_| wrong("max-keys"))?;
                asked.size = size.min(KEYS_MAX);
            }
            "encoding-type" if value == "url" => asked.url = true,
            "fetch-owner" | "x-id" => {}
            other => return Err(wrong(other)),
        }
    }
    Ok(asked)
}

/// The first of what is asked for among the kept answers of the asker, and one more than fit on a
/// page: it tells that there are others. All are looked at, and no more than those are held.
async fn first_shown(
    server: &Inner,
    identity: &Identity,
    bucket: &str,
    asked: &Asked,
) -> Result<Shown, Error> {
    let kept = TimeDelta::from_std(server.options.results_kept).unwrap_or(TimeDelta::MAX);
    let from = server.options.now().checked_sub_signed(kept);
    let mut wanted = KeptObjects {
        user: identity.user.clone(),
        protocol: athena::PROTOCOL,
        after: (from.map_or(i64::MIN, |from| from.timestamp_micros()), String::new()),
    };
    let mut shown = Shown::new();
    loop {
        let records = server.state.kept_objects(wanted.clone()).await?;
        let Some(last) = records.last() else { return Ok(shown) };
        let ended = last.ended_at.map_or(i64::MAX, |at| at.timestamp_micros());
        wanted.after = (ended, last.id.to_string());
        for record in records {
            shown.extend(shown_as(&record, bucket, asked));
            if shown.len() > asked.size + 1 {
                shown.pop_last();
            }
        }
    }
}

/// How a kept answer is shown: by its key, or as the folder that it is in; not at all when it is
/// not asked for.
fn shown_as(record: &QueryRecord, bucket: &str, asked: &Asked) -> Option<(String, Option<Object>)> {
    let place = location_of(record).filter(|place| place.bucket == bucket)?;
    let rest = place.key.strip_prefix(asked.prefix.as_str())?;
    let folder = asked.delimiter.as_ref().and_then(|delimiter| {
        let end = rest.find(delimiter.as_str())? + delimiter.len();
        Some(asked.prefix.clone() + &rest[..end])
    });
    let (name, object) = match folder {
        Some(folder) => (folder, None),
        None => {
            let (id, ending) = (record.id, athena::file_ending(record));
            (place.key, Some(Object { id, ending, ended_at: record.ended_at? }))
        }
    };
    // A folder that the page before ended with stands for all that is in it.
    (name > asked.after).then_some((name, object))
}

/// An object's entry; none when it goes at this very moment.
///
/// # Errors
/// When its file cannot be looked at: without it the listing would not be whole.
async fn content(
    server: &Inner,
    key: &str,
    object: &Object,
    url: bool,
) -> Result<Option<String>, Error> {
    let file = match File::open(server, object.id, object.ending).await {
        Ok(file) => file,
        Err(Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let modified = object.ended_at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let inner = xml::element("Key", &written(key, url))
        + &xml::element("LastModified", &modified)
        + &xml::element("ETag", &file.etag)
        + &xml::element("Size", &file.size.to_string())
        + &xml::element("StorageClass", "STANDARD");
    Ok(Some(format!("<Contents>{inner}</Contents>")))
}

fn written(text: &str, url: bool) -> String {
    match url {
        true => utf8_percent_encode(text, ENCODED).to_string(),
        false => text.to_owned(),
    }
}
