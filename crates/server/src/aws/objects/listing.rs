//! Which objects are there? `ListObjectsV2` over the kept answers of whoever asks.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::object::File;
use super::{Answered, Identity, Inner, Refused, athena, location_of, xml};
use crate::error::Error;
use crate::state::{Listing, QueryRecord};

/// Keys of a page.
const KEYS_MAX: usize = 1_000;
/// Records that are looked at together.
const LOOK: u64 = 1_000;
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

/// `ListObjectsV2`.
pub(super) async fn list(
    server: &Inner,
    identity: &Identity,
    bucket: &str,
    pairs: Vec<(String, String)>,
) -> Answered {
    let asked = read(pairs)?;
    let objects = objects(server, identity, bucket, &asked.prefix).await?;
    let (mut contents, mut prefixes) = (Vec::new(), BTreeSet::new());
    let mut last = None;
    let mut is_truncated = false;
    for (key, record) in objects {
        let folder = asked.delimiter.as_ref().and_then(|delimiter| {
            let end = key[asked.prefix.len()..].find(delimiter)?;
            Some(key[..asked.prefix.len() + end + delimiter.len()].to_owned())
        });
        let shown = folder.as_ref().unwrap_or(&key);
        // A folder that the page before ended with stands for all that is in it.
        if *shown <= asked.after || folder.as_ref().is_some_and(|name| prefixes.contains(name)) {
            continue;
        }
        if contents.len() + prefixes.len() == asked.size {
            is_truncated = true;
            break;
        }
        last = Some(shown.clone());
        match folder {
            Some(folder) => drop(prefixes.insert(folder)),
            None => contents.extend(content(server, &key, &record, asked.url).await),
        }
    }
    let next = last.filter(|_| is_truncated);
    Ok(page(bucket, &asked, &contents, &prefixes, next.as_deref()))
}

fn page(
    bucket: &str,
    asked: &Asked,
    contents: &[String],
    prefixes: &BTreeSet<String>,
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

/// The kept answers of the asker in that bucket, by their keys.
async fn objects(
    server: &Inner,
    identity: &Identity,
    bucket: &str,
    prefix: &str,
) -> Result<BTreeMap<String, QueryRecord>, Error> {
    let kept = chrono::TimeDelta::from_std(server.options.results_kept).unwrap_or_default();
    let from = server.options.now().checked_sub_signed(kept);
    let mut objects = BTreeMap::new();
    let mut wanted = Listing {
        user: Some(identity.user.clone()),
        protocol: Some(athena::PROTOCOL.to_owned()),
        from,
        limit: LOOK,
        ..Listing::default()
    };
    loop {
        let page = server.state.listed(wanted.clone()).await?;
        wanted.after = page.next();
        for record in page.queries {
            if let Some(place) = location_of(&record)
                && place.bucket == bucket
                && place.key.starts_with(prefix)
            {
                objects.insert(place.key, record);
            }
        }
        if wanted.after.is_none() {
            return Ok(objects);
        }
    }
}

/// An object's entry; none when it goes at this very moment.
async fn content(server: &Inner, key: &str, record: &QueryRecord, url: bool) -> Option<String> {
    let file = File::open(server, record).await.ok()?;
    let modified = record.ended_at?.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let inner = xml::element("Key", &written(key, url))
        + &xml::element("LastModified", &modified)
        + &xml::element("ETag", &file.etag)
        + &xml::element("Size", &file.size.to_string())
        + &xml::element("StorageClass", "STANDARD");
    Some(format!("<Contents>{inner}</Contents>"))
}

fn written(text: &str, url: bool) -> String {
    match url {
        true => utf8_percent_encode(text, ENCODED).to_string(),
        false => text.to_owned(),
    }
}
