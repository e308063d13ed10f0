//! Where are finished answers put that are wanted in a bucket? Under the places in S3 that the
//! server's configuration lists, and nowhere else: CloudTrail Lake's `DeliveryS3Uri` leads there.
//!
//! | module | the question it answers |
//! |---|---|
//! | `sheet` | how does the file read? |
//! | `upload` | how does it come into its bucket, whole or not at all? |
//!
//! An answer is put from what is kept of it, when its query has finished: whatever S3 says, the query
//! stays finished. How it went is remembered, in CloudTrail Lake's words. What a stop breaks off the
//! next server does again, under the same key.

mod sheet;
mod upload;

use std::sync::Arc;

use arrow::array::RecordBatch;
use object_store::ObjectStore;
use object_store::path::{self, Path};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;

use self::sheet::Sheet;
use self::upload::Upload;
use crate::error::{Error, Result};
use crate::options::ServerOptions;
use crate::results::{BATCH_ROWS, Results};
use crate::state::QueryRecord;

/// Answers that are put at once.
const AT_ONCE: usize = 2;

/// CloudTrail Lake's words for how it went.
const SUCCESS: &str = "SUCCESS";
const FAILED: &str = "FAILED";
const DENIED: &str = "ACCESS_DENIED";
const NOT_FOUND: &str = "RESOURCE_NOT_FOUND";

/// A place in S3 that finished answers may be put under.
#[derive(Clone, Debug)]
pub struct Bucket {
    place: Place,
    /// Of the whole bucket.
    objects: Arc<dyn ObjectStore>,
}

impl Bucket {
    /// Returns the place that a URL names, `s3://bucket` or `s3://bucket/prefix`, in the bucket that
    /// has those objects.
    ///
    /// # Errors
    /// [`Error::Request`] for a URL that names no place in S3.
    pub fn new(url: &str, objects: Arc<dyn ObjectStore>) -> Result<Bucket> {
        let wrong = || {
            let form = "write `s3://bucket` or `s3://bucket/prefix`";
            Error::request(format!("`{url}` is no place in S3: {form}"))
        };
        Ok(Bucket { place: Place::parse(url).ok_or_else(wrong)?, objects })
    }
}

/// `s3://bucket/prefix`, read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    bucket: String,
    prefix: Path,
}

impl Place {
    /// Reads a URL; none for another one, and for a prefix that has empty parts, `.`, `..` or control
    /// characters.
    fn parse(url: &str) -> Option<Place> {
        let rest = url.strip_prefix("s3://")?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        // A path forgives a slash at its beginning; in S3 that is another key.
        let is_place = !bucket.is_empty() && !prefix.starts_with('/');
        let prefix = Path::parse(prefix).ok().filter(|_| is_place)?;
        Some(Place { bucket: bucket.to_owned(), prefix })
    }

    fn is_under(&self, other: &Place) -> bool {
        self.bucket == other.bucket && self.prefix.prefix_matches(&other.prefix)
    }
}

/// What the details of a query say of where its answer is wanted.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Parcel {
    /// As its asker wrote it.
    pub(crate) uri: String,
    /// The account of the lake, a part of the key.
    pub(crate) account: String,
}

impl Parcel {
    /// The member of the details that it is.
    pub(crate) const MEMBER: &'static str = "delivery";

    /// Returns what the details of a query say; none where its answer is wanted nowhere.
    pub(crate) fn of(details: &Value) -> Option<Parcel> {
        Parcel::deserialize(details.get(Parcel::MEMBER)?).ok()
    }

    /// Returns the key of the answer's file under a place, as CloudTrail Lake forms it
    /// (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-download-cloudtrail-lake-query-results.html>).
    fn path(&self, place: &Place, record: &QueryRecord) -> Result<Path, path::Error> {
        let (account, id) = (&self.account, record.id);
        let day = record.submitted_at.format("%Y/%m/%d");
        let folder = format!("AWSLogs/{account}/CloudTrail-Lake/Query/{day}/{id}");
        Path::parse(format!("{}/{folder}/result_1.csv.gz", place.prefix))
    }
}

/// The places that answers may be put under.
pub(crate) struct Outbox {
    buckets: Vec<Bucket>,
    turns: Semaphore,
}

impl Outbox {
    pub(crate) fn new(options: &ServerOptions) -> Outbox {
        Outbox { buckets: options.outbox.clone(), turns: Semaphore::new(AT_ONCE) }
    }

    /// Whether answers may be put under a URL.
    pub(crate) fn takes(&self, uri: &str) -> bool {
        self.find(uri).is_some()
    }

    /// Puts the kept answer of a query where it is wanted, after those that wait already; returns
    /// CloudTrail Lake's word for how that went. Why it failed is told to whoever runs the server.
    pub(crate) async fn put(
        &self,
        record: &QueryRecord,
        parcel: &Parcel,
        results: &Results,
    ) -> &'static str {
        match self.try_put(record, parcel, results).await {
            Ok(()) => SUCCESS,
            Err(Failure { word, reason }) => {
                let (id, uri) = (record.id, &parcel.uri);
                tracing::warn!("the answer of query {id} could not be put under `{uri}`: {reason}");
                word
            }
        }
    }

    async fn try_put(
        &self,
        record: &QueryRecord,
        parcel: &Parcel,
        results: &Results,
    ) -> Result<(), Failure> {
        // The configuration may be another one than when the query was asked.
        let (place, objects) = self.find(&parcel.uri).ok_or_else(Failure::unlisted)?;
        let path = parcel.path(&place, record).map_err(object_store::Error::from)?;
        let _turn = self.turns.acquire().await.map_err(Error::state)?;
        let mut upload = Upload::new(objects, path);
        let put = async {
            write(&mut upload, record, results).await?;
            upload.finish().await?;
            Ok::<(), Failure>(())
        };
        let put = put.await;
        if put.is_err() {
            upload.give_up().await;
        }
        put
    }

    /// Returns the place that a URL names with the objects of its bucket; none where it is under no
    /// place that is listed.
    fn find(&self, uri: &str) -> Option<(Place, &Arc<dyn ObjectStore>)> {
        let wanted = Place::parse(uri)?;
        let bucket = self.buckets.iter().find(|bucket| wanted.is_under(&bucket.place))?;
        Some((wanted, &bucket.objects))
    }
}

/// Why an answer could not be put, and CloudTrail Lake's word for it.
struct Failure {
    word: &'static str,
    reason: String,
}

impl Failure {
    fn unlisted() -> Failure {
        let reason = "the configuration lists no place that this is under".to_owned();
        Failure { word: DENIED, reason }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure { word: FAILED, reason: error.message_alone() }
    }
}

impl From<object_store::Error> for Failure {
    fn from(error: object_store::Error) -> Failure {
        use object_store::Error as Said;
        let word = match &error {
            Said::PermissionDenied { .. } | Said::Unauthenticated { .. } => DENIED,
            // Nothing is asked for that the bucket holds: it is the bucket that is not there.
            Said::NotFound { .. } => NOT_FOUND,
            _ => FAILED,
        };
        Failure { word, reason: error.to_string() }
    }
}

/// Writes the rows of a kept answer, a page at a time.
async fn write(
    upload: &mut Upload,
    record: &QueryRecord,
    results: &Results,
) -> Result<(), Failure> {
    let (mut begun, mut written) = (None, 0);
    loop {
        let page = results.page(record.id, written, BATCH_ROWS).await?;
        let rows: usize = page.batches.iter().map(RecordBatch::num_rows).sum();
        written += rows as u64;
        let whole = written >= record.rows;
        if rows == 0 && !whole {
            return Err(Error::state("a kept answer has fewer rows than were given").into());
        }
        let sheet: Option<Sheet> = begun.take();
        let writing = tokio::task::spawn_blocking(move || -> Result<(Sheet, Vec<u8>)> {
            let mut sheet = sheet.unwrap_or_else(|| Sheet::begin(&page.schema));
            for batch in &page.batches {
                sheet.write(batch)?;
            }
            let bytes = if whole { sheet.finish()? } else { sheet.take() };
            Ok((sheet, bytes))
        });
        let (sheet, bytes) = writing.await.map_err(Error::state)??;
        upload.push(&bytes).await?;
        if whole {
            return Ok(());
        }
        begun = Some(sheet);
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[test]
    fn a_place_is_under_another_by_whole_parts_of_its_key() {
        let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let takes = |listed: &str, uri: &str| {
            let buckets = vec![Bucket::new(listed, Arc::clone(&objects)).unwrap()];
            Outbox { buckets, turns: Semaphore::new(1) }.takes(uri)
        };
        for (listed, uri, expected) in [
            ("s3://results", "s3://results", true),
            ("s3://results/", "s3://results/any/where/", true),
            ("s3://results/lake", "s3://results/lake/", true),
            ("s3://results/lake/", "s3://results/lake/team a/100%", true),
            ("s3://results/lake", "s3://results", false),
            ("s3://results/lake", "s3://results/lak", false),
            ("s3://results/lake", "s3://results/lake-2", false),
            ("s3://results/lake", "s3://results/lake/../other", false),
            ("s3://results/lake", "s3://results/./lake", false),
            ("s3://results/lake", "s3://results//lake", false),
            ("s3://results/lake", "s3://results/lake//", false),
            ("s3://results/lake", "s3://results/lake/a\nb", false),
            ("s3://results", "s3://results-2/lake", false),
            ("s3://results", "s3://RESULTS", false),
            ("s3://results", "s3://", false),
            ("s3://results", "https://results/lake", false),
            ("s3://results", "results/lake", false),
            ("s3://results", "/results", false),
        ] {
            assert_eq!(takes(listed, uri), expected, "{listed} {uri}");
        }
        for url in ["", "/results", "file:///results", "s3://", "s3:///results", "s3://a/../b"] {
            assert!(Bucket::new(url, Arc::clone(&objects)).is_err(), "{url}");
        }
    }
}
