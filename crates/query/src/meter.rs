//! Counts what a query asks of the storage: requests and bytes.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, ListResult, MultipartUpload,
    OBJECT_STORE_COALESCE_DEFAULT, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result, coalesce_ranges,
};
use traillake_store::Traffic;

/// Requests and bytes of one query, counted while it runs.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// What was asked of a lake on a disk.
    requests: AtomicU64,
    bytes: AtomicU64,
    /// What reached the bucket of a lake in one, past what is kept of it.
    traffic: Option<Arc<Traffic>>,
    opening: AtomicU64,
}

impl Meter {
    /// For a lake in a bucket, or on a disk.
    pub(crate) fn new(in_bucket: bool) -> Meter {
        Meter { traffic: in_bucket.then(Arc::default), ..Meter::default() }
    }

    /// Requests for data sent so far.
    pub(crate) fn requests(&self) -> u64 {
        match &self.traffic {
            Some(traffic) => traffic.requests(),
            None => self.requests.load(Ordering::Relaxed),
        }
    }

    /// Bytes of data received so far, footers included.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.traffic {
            Some(traffic) => traffic.bytes(),
            None => self.bytes.load(Ordering::Relaxed),
        }
    }

    /// Requests that opening the lake took.
    pub(crate) fn opening(&self) -> u64 {
        self.opening.load(Ordering::Relaxed)
    }

    /// Whether what is read is in a bucket.
    pub(crate) fn is_of_bucket(&self) -> bool {
        self.traffic.is_some()
    }

    /// Notes requests that opening the lake took.
    pub(crate) fn opened(&self, requests: u64) {
        self.opening.fetch_add(requests, Ordering::Relaxed);
    }

    fn count(&self, requests: usize, bytes: u64) {
        self.requests.fetch_add(requests as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// An object store that counts its reads and refuses everything else: a query cannot write.
#[derive(Debug)]
pub(crate) struct MeteredStore {
    inner: Arc<dyn ObjectStore>,
    meter: Arc<Meter>,
}

impl MeteredStore {
    /// Returns `inner` with its reads counted in `meter`.
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, meter: Arc<Meter>) -> MeteredStore {
        MeteredStore { inner, meter }
    }
}

impl fmt::Display for MeteredStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner)
    }
}

fn read_only(path: &Path) -> object_store::Error {
    object_store::Error::PermissionDenied {
        path: path.to_string(),
        source: "a query only reads".into(),
    }
}

#[async_trait]
impl ObjectStore for MeteredStore {
    async fn put_opts(&self, path: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(read_only(path))
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(read_only(path))
    }

    async fn get_opts(&self, path: &Path, mut options: GetOptions) -> Result<GetResult> {
        if let Some(traffic) = &self.meter.traffic {
            options.extensions.insert(Arc::clone(traffic));
        }
        let head = options.head;
        let result = self.inner.get_opts(path, options).await?;
        let bytes = if head { 0 } else { result.range.end - result.range.start };
        self.meter.count(1, bytes);
        Ok(result)
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if self.meter.traffic.is_some() {
            // One by one, so that each says whom it is for.
            let fetch = |range: Range<u64>| async move {
                let options = GetOptions::default().with_range(Some(GetRange::Bounded(range)));
                self.get_opts(path, options).await?.bytes().await
            };
            return coalesce_ranges(ranges, fetch, OBJECT_STORE_COALESCE_DEFAULT).await;
        }
        let parts = self.inner.get_ranges(path, ranges).await?;
        self.meter.count(1, parts.iter().map(|part| part.len() as u64).sum());
        Ok(parts)
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        paths.map(|path| path.and_then(|path| Err(read_only(&path)))).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.meter.count(1, 0);
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.meter.count(1, 0);
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, to: &Path, _: CopyOptions) -> Result<()> {
        Err(read_only(to))
    }
}
