//! The bucket of a lake. It does what it is asked for, and says why when it does not.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

use crate::refusal::{self, Attempt, Refusal};

/// How long to wait before a name is tried again that somebody else is writing.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
];

/// The place of a lake in S3, whose errors carry a [`Refusal`] where S3 has answered.
#[derive(Debug)]
pub(crate) struct Bucket {
    inner: Arc<dyn ObjectStore>,
    place: Place,
}

/// Where in S3.
#[derive(Debug, Clone)]
struct Place {
    bucket: String,
    prefix: Path,
}

impl Bucket {
    /// The place at `location`, `s3://bucket/prefix`, which `inner` reads and writes.
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, location: &str) -> Bucket {
        let place = location.strip_prefix("s3://").unwrap_or(location);
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        Bucket { inner, place: Place { bucket: bucket.to_string(), prefix: prefix.into() } }
    }
}

/// Whether S3 says that another conditional request for the name is under way, and asks to try again:
/// not that the name is taken, as its status 409 is usually read
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).
fn is_under_way(error: &Error) -> bool {
    let said = refusal::within(error);
    matches!(said, Some(Refusal::Other { code, .. }) if code == "ConditionalRequestConflict")
}

impl Place {
    /// The error in S3's words. What kind it is stays, for callers go on by that. No path: it may
    /// be any.
    fn told(&self, error: Error, attempt: Attempt, path: Option<&Path>) -> Error {
        let path = path.map_or("*", |path| path.as_ref());
        let key = match self.prefix.as_ref() {
            "" => path.to_string(),
            prefix => format!("{prefix}/{path}"),
        };
        let Some(refusal) = Refusal::of(&error, attempt, &self.bucket, &key) else {
            return error;
        };
        let is_about_bucket = matches!(refusal, Refusal::NoBucket { .. });
        if matches!(&refusal, Refusal::Other { code, .. } if code == "NotImplemented") {
            let (operation, implementer) = (refusal.to_string(), "S3".to_string());
            return Error::NotImplemented { operation, implementer };
        }
        let source = refusal.into();
        match error {
            Error::NotFound { path, .. } if !is_about_bucket => Error::NotFound { path, source },
            Error::AlreadyExists { path, .. } => Error::AlreadyExists { path, source },
            Error::Precondition { path, .. } => Error::Precondition { path, source },
            Error::NotModified { path, .. } => Error::NotModified { path, source },
            Error::PermissionDenied { path, .. } => Error::PermissionDenied { path, source },
            Error::Unauthenticated { path, .. } => Error::Unauthenticated { path, source },
            _ => Error::Generic { store: "S3", source },
        }
    }

    /// A stream of which each error is told.
    fn told_each<T: Send + 'static>(
        &self,
        found: BoxStream<'static, Result<T>>,
        attempt: Attempt,
    ) -> BoxStream<'static, Result<T>> {
        let place = self.clone();
        let told = move |found: Result<T>| found.map_err(|e| place.told(e, attempt, None));
        found.map(told).boxed()
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        for pause in PAUSES {
            let put = self.inner.put_opts(path, payload.clone(), options.clone()).await;
            match put.map_err(|error| self.place.told(error, Attempt::Write, Some(path))) {
                Err(error) if is_under_way(&error) => tokio::time::sleep(pause).await,
                put => return put,
            }
        }
        let put = self.inner.put_opts(path, payload, options).await;
        put.map_err(|error| match self.place.told(error, Attempt::Write, Some(path)) {
            // Nobody knows whether the name is taken.
            error if is_under_way(&error) => Error::Generic { store: "S3", source: error.into() },
            error => error,
        })
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let begun = self.inner.put_multipart_opts(path, options).await;
        let upload = begun.map_err(|error| self.place.told(error, Attempt::Write, Some(path)))?;
        Ok(Box::new(Upload { upload, place: self.place.clone(), path: path.clone() }))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let got = self.inner.get_opts(path, options).await;
        got.map_err(|error| self.place.told(error, Attempt::Read, Some(path)))
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let got = self.inner.get_ranges(path, ranges).await;
        got.map_err(|error| self.place.told(error, Attempt::Read, Some(path)))
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        // Which of them it was is not told.
        self.place.told_each(self.inner.delete_stream(paths), Attempt::Remove)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.place.told_each(self.inner.list(prefix), Attempt::List)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.inner.list_with_offset(prefix, offset);
        self.place.told_each(listed, Attempt::List)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let listed = self.inner.list_with_delimiter(prefix).await;
        listed.map_err(|error| self.place.told(error, Attempt::List, None))
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let copied = self.inner.copy_opts(from, to, options).await;
        copied.map_err(|error| self.place.told(error, Attempt::Write, Some(to)))
    }
}

/// A file that is written in parts.
#[derive(Debug)]
struct Upload {
    upload: Box<dyn MultipartUpload>,
    place: Place,
    path: Path,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (place, path) = (self.place.clone(), self.path.clone());
        let put = self.upload.put_part(data);
        async move { put.await.map_err(|error| place.told(error, Attempt::Write, Some(&path))) }
            .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let put = self.upload.complete().await;
        put.map_err(|error| self.place.told(error, Attempt::Write, Some(&self.path)))
    }

    async fn abort(&mut self) -> Result<()> {
        let gone = self.upload.abort().await;
        gone.map_err(|error| self.place.told(error, Attempt::Write, Some(&self.path)))
    }
}
