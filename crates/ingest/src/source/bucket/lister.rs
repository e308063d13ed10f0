//! Listing a bucket: `ListObjectsV2`, asked directly.
//!
//! The client that reads objects lists too, but refuses a whole page for one key that is no path to
//! it (`logs//x`, `a/../b`), and keeps to itself which objects are archived.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::stream::{self, Stream, TryStreamExt};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use object_store::aws::{AwsAuthorizer, AwsCredentialProvider};
use object_store::client::{HttpClient, HttpRequest, HttpRequestBody};
use object_store::{Error, Result, RetryConfig};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::notice::url_decoded;

/// What need not be escaped in a query.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Asks which archived objects have a copy that can be read.
const ATTRIBUTES: HeaderName = HeaderName::from_static("x-amz-optional-object-attributes");
/// Classes whose objects have to be restored before they can be read.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/archived-objects.html>
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// Lists one bucket.
#[derive(Debug, Clone)]
pub struct Lister {
    /// Where it is: an endpoint, `/`, the bucket's name.
    pub bucket_url: String,
    /// Its region.
    pub region: String,
    /// Who asks; none: anybody.
    pub credentials: Option<AwsCredentialProvider>,
    /// Whether whoever asks pays.
    pub requester_pays: bool,
    /// Whether an object's class says if it can be read. Amazon tells which archived objects are
    /// restored; others may not, and are asked for each.
    pub archives_told: bool,
    /// How often a request is made again.
    pub retry: RetryConfig,
    /// How long S3 may take for one page, before it is asked again.
    pub patience: Duration,
    /// What requests go through.
    pub http: HttpClient,
}

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) key: String,
    pub(super) size: u64,
    pub(super) modified_at: DateTime<Utc>,
    /// With its quotes.
    pub(super) etag: Option<String>,
    /// It has to be restored before it can be read.
    pub(super) is_archived: bool,
}

/// What is to be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    /// Without a `/` at its end; empty: the bucket.
    pub(super) name: String,
    /// Without what is in folders below.
    pub(super) is_flat: bool,
    /// From the key after this one on.
    pub(super) after: Option<String>,
}

/// A part of a listing, and how to go on.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) objects: Vec<Stored>,
    /// Without a `/` at their ends.
    pub(super) folders: Vec<String>,
    pub(super) next: Option<String>,
}

impl Folder {
    /// Everything in a folder and below it.
    pub(super) fn whole(name: impl Into<String>) -> Folder {
        Folder { name: name.into(), is_flat: false, after: None }
    }

    /// What is in a folder; what is below are folders of the listing.
    pub(super) fn flat(name: impl Into<String>) -> Folder {
        Folder { name: name.into(), is_flat: true, after: None }
    }
}

impl Lister {
    /// Returns the objects in a folder, in the order of their keys.
    pub(super) fn list(&self, folder: Folder) -> impl Stream<Item = Result<Stored>> + '_ {
        let begin = (folder, VecDeque::new(), Some(None));
        stream::try_unfold(begin, async |(folder, mut held, mut next)| {
            loop {
                if let Some(object) = held.pop_front() {
                    return Ok(Some((object, (folder, held, next))));
                }
                let Some(token) = next.take() else { return Ok(None) };
                let page = self.page(&folder, token.as_deref()).await?;
                held = page.objects.into();
                next = page.next.map(Some);
            }
        })
        .into_stream()
    }

    /// Returns a page of what is in a folder, and below it unless that is flat.
    ///
    /// # Errors
    /// When S3 refuses, or does not answer however often it is asked.
    pub(super) async fn page(&self, folder: &Folder, token: Option<&str>) -> Result<Page> {
        let url = self.url(folder, token);
        let mut pause = self.retry.backoff.init_backoff;
        for left in (0..=self.retry.max_retries).rev() {
            let answer = match tokio::time::timeout(self.patience, self.ask(&url)).await {
                Ok(answer) => answer,
                Err(_) => {
                    let patience = self.patience.as_secs_f32();
                    Err(Asked::Again(format!("S3 sent nothing for {patience} s")))
                }
            };
            match answer {
                Ok(bytes) => match Answer::read(&bytes, self.archives_told) {
                    Ok(page) => return Ok(page),
                    Err(reason) => return Err(generic(reason)),
                },
                Err(Asked::Refused(error)) => return Err(error),
                Err(Asked::Again(reason)) if left == 0 => return Err(generic(reason)),
                Err(Asked::Again(reason)) => {
                    tracing::debug!(url, reason, "listed again");
                    tokio::time::sleep(pause).await;
                    pause =
                        pause.mul_f64(self.retry.backoff.base).min(self.retry.backoff.max_backoff);
                }
            }
        }
        Err(generic("it was never asked".to_owned()))
    }

    fn url(&self, folder: &Folder, token: Option<&str>) -> String {
        let mut url = format!("{}?list-type=2&encoding-type=url", self.bucket_url);
        let mut say = |name: &str, value: &str| {
            url.extend(["&", name, "="]);
            url.extend(utf8_percent_encode(value, ESCAPED));
        };
        if !folder.name.is_empty() {
            say("prefix", &format!("{}/", folder.name));
        }
        if folder.is_flat {
            say("delimiter", "/");
        }
        match (token, &folder.after) {
            (Some(token), _) => say("continuation-token", token),
            (None, Some(after)) => say("start-after", after),
            (None, None) => {}
        }
        url
    }

    async fn ask(&self, url: &str) -> std::result::Result<Vec<u8>, Asked> {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = url.parse().map_err(|error: http::uri::InvalidUri| {
            Asked::Refused(generic(format!("`{url}`: {error}")))
        })?;
        if self.archives_told {
            let value = HeaderValue::from_static("RestoreStatus");
            request.headers_mut().insert(ATTRIBUTES, value);
        }
        if let Some(credentials) = &self.credentials {
            let credential = credentials.get_credential().await.map_err(Asked::Refused)?;
            AwsAuthorizer::new(&credential, "s3", &self.region)
                .with_request_payer(self.requester_pays)
                .authorize(&mut request, None);
        }
        let again = |error: object_store::client::HttpError| Asked::Again(words(&error));
        let answer = self.http.execute(request).await.map_err(again)?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(again)?.to_bytes();
        if status.is_success() {
            return Ok(body.to_vec());
        }
        // In the client's words, which is how `Refusal` knows what S3 has answered.
        let body = String::from_utf8_lossy(&body);
        let reason = format!("Server returned non-2xx status code: {status}: {body}");
        Err(match status {
            StatusCode::FORBIDDEN => {
                let path = "the listing".to_owned();
                Asked::Refused(Error::PermissionDenied { path, source: reason.into() })
            }
            StatusCode::TOO_MANY_REQUESTS => Asked::Again(reason),
            status if status.is_server_error() => Asked::Again(reason),
            _ => Asked::Refused(generic(reason)),
        })
    }
}

/// Why a page did not come.
enum Asked {
    /// Asking again would not help.
    Refused(Error),
    /// It may.
    Again(String),
}

fn generic(reason: String) -> Error {
    Error::Generic { store: "S3", source: reason.into() }
}

/// Returns the words of an error and of its causes.
fn words(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A page as S3 spells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    encoding_type: Option<String>,
    #[serde(default)]
    contents: Vec<Contents>,
    #[serde(default)]
    common_prefixes: Vec<CommonPrefix>,
    #[serde(default)]
    is_truncated: bool,
    next_continuation_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Contents {
    key: String,
    size: u64,
    last_modified: DateTime<Utc>,
    #[serde(rename = "ETag")]
    etag: Option<String>,
    storage_class: Option<String>,
    restore_status: Option<RestoreStatus>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RestoreStatus {
    restore_expiry_date: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CommonPrefix {
    prefix: String,
}

impl Answer {
    fn read(bytes: &[u8], archives_told: bool) -> std::result::Result<Page, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "S3 sent no listing".to_owned())?;
        // Whatever answers in S3's place must not pass for an empty folder.
        if !root_of(text).starts_with("<ListBucketResult") {
            let start: String = text.chars().take(80).collect();
            return Err(format!("S3 sent no listing: `{start}`"));
        }
        let answer: Answer = quick_xml::de::from_str(text)
            .map_err(|error| format!("S3 sent no listing: {error}"))?;
        // A look-alike of S3 that pages otherwise must not pass for one that has told all.
        if answer.is_truncated && answer.next_continuation_token.is_none() {
            return Err("S3 cut its listing short and does not say how to go on".to_owned());
        }
        let escaped = answer.encoding_type.as_deref() == Some("url");
        let key = |text: String| if escaped { url_decoded(&text) } else { Ok(text) };
        let mut page = Page { next: answer.next_continuation_token, ..Page::default() };
        for prefix in answer.common_prefixes {
            let prefix = key(prefix.prefix)?;
            page.folders.push(prefix.strip_suffix('/').unwrap_or(&prefix).to_owned());
        }
        for object in answer.contents {
            let is_archive = object.storage_class.is_some_and(|of| ARCHIVES.contains(&&*of));
            let restored = object.restore_status.and_then(|of| of.restore_expiry_date).is_some();
            page.objects.push(Stored {
                key: key(object.key)?,
                size: object.size,
                modified_at: object.last_modified,
                etag: object.etag,
                is_archived: archives_told && is_archive && !restored,
            });
        }
        Ok(page)
    }
}

/// Returns a document from its root element on.
fn root_of(text: &str) -> &str {
    let text = text.trim_start();
    let root = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>").map_or("", |(_, root)| root),
        None => text,
    };
    root.trim_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_s3_spells_it() {
        let xml = "<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
            <Name>trail</Name><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>\
            <NextContinuationToken>a/b+c=</NextContinuationToken>\
            <Contents><Key>logs/a+b%2Bc%07</Key><LastModified>2024-05-06T07:08:09.123Z</LastModified>\
            <ETag>&quot;abc&quot;</ETag><Size>12</Size><StorageClass>STANDARD</StorageClass></Contents>\
            <CommonPrefixes><Prefix>logs//</Prefix></CommonPrefixes>\
            <Contents><Key>old</Key><LastModified>2020-01-01T00:00:00Z</LastModified><Size>1</Size>\
            <StorageClass>DEEP_ARCHIVE</StorageClass></Contents>\
            <Contents><Key>back</Key><LastModified>2020-01-01T00:00:00Z</LastModified><Size>1</Size>\
            <RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>\
            <RestoreExpiryDate>2030-01-01T00:00:00Z</RestoreExpiryDate></RestoreStatus>\
            <StorageClass>GLACIER</StorageClass></Contents>\
            <CommonPrefixes><Prefix>logs/x~y/</Prefix></CommonPrefixes></ListBucketResult>";
        let page = Answer::read(xml.as_bytes(), true).unwrap();
        assert_eq!(page.next.as_deref(), Some("a/b+c="));
        assert_eq!(page.folders, ["logs/", "logs/x~y"]);
        let told: Vec<_> =
            page.objects.iter().map(|of| (&*of.key, of.size, of.is_archived)).collect();
        assert_eq!(told, [("logs/a b+c\u{7}", 12, false), ("old", 1, true), ("back", 1, false)]);
        assert_eq!(page.objects[0].etag.as_deref(), Some("\"abc\""));
        assert_eq!(page.objects[0].modified_at.timestamp_subsec_millis(), 123);
        let elsewhere = Answer::read(xml.as_bytes(), false).unwrap();
        assert!(elsewhere.objects.iter().all(|object| !object.is_archived));
        assert!(Answer::read(b"<html>busy</html>", true).is_err());
        let (before, after) = xml.split_once("<NextContinuationToken>").unwrap();
        let lost = format!("{before}{}", after.split_once("</NextContinuationToken>").unwrap().1);
        assert!(Answer::read(lost.as_bytes(), true).unwrap_err().contains("cut its listing short"));
    }
}
