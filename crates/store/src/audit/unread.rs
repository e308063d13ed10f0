//! Reads that fail and say nothing of what is stored: somebody else's file, a network that is down.
//! An audit that told them as damage would call a lake lost that is not; it ends with the first.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::mpsc;

use crate::error::{Error, is_unanswered};
use crate::lake::OpenOptions;

/// Options by which a lake is opened as by `options`, and the first read of it that says nothing of
/// what is stored.
pub(super) fn watched(options: OpenOptions) -> (OpenOptions, mpsc::Receiver<Error>) {
    let (tell, first) = mpsc::channel(1);
    let inner = options.wrap.clone();
    let wrap = move |objects: Arc<dyn ObjectStore>| -> Arc<dyn ObjectStore> {
        let objects = match &inner {
            Some(inner) => inner(objects),
            None => objects,
        };
        Arc::new(Watched { objects, unread: Unread(tell.clone()) })
    };
    (OpenOptions { wrap: Some(Arc::new(wrap)), ..options }, first)
}

/// Tells of the first read that says nothing of what is stored.
#[derive(Debug, Clone)]
struct Unread(mpsc::Sender<Error>);

impl Unread {
    /// The error, where it is about what is stored. Any other is told, and another comes instead,
    /// which nobody hears: the audit is over.
    fn told(&self, action: &str, path: &Path, error: object_store::Error) -> object_store::Error {
        if !is_unanswered(&error) {
            return error;
        }
        // Of several at once the first is told.
        let _ = self.0.try_send(Error::storage(format!("{action} `{path}`"), error));
        object_store::Error::Generic { store: "audit", source: "it is over".into() }
    }

    /// A stream of which each error is told.
    fn told_each<T: Send + 'static>(
        &self,
        action: &'static str,
        path: &Path,
        found: BoxStream<'static, Result<T>>,
    ) -> BoxStream<'static, Result<T>> {
        let (unread, path) = (self.clone(), path.clone());
        found.map(move |found| found.map_err(|error| unread.told(action, &path, error))).boxed()
    }
}

/// A lake's storage under audit: it is only read.
#[derive(Debug)]
struct Watched {
    objects: Arc<dyn ObjectStore>,
    unread: Unread,
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.objects.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Watched {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.objects.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let got = self.objects.get_opts(path, options).await;
        let mut got = got.map_err(|error| self.unread.told("read", path, error))?;
        got.payload = match got.payload {
            GetResultPayload::Stream(bytes) => {
                GetResultPayload::Stream(self.unread.told_each("read", path, bytes))
            }
            file => file,
        };
        Ok(got)
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let got = self.objects.get_ranges(path, ranges).await;
        got.map_err(|error| self.unread.told("read", path, error))
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.objects.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let folder = prefix.cloned().unwrap_or_default();
        self.unread.told_each("list", &folder, self.objects.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let folder = prefix.cloned().unwrap_or_default();
        self.unread.told_each("list", &folder, self.objects.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let listed = self.objects.list_with_delimiter(prefix).await;
        let folder = prefix.cloned().unwrap_or_default();
        listed.map_err(|error| self.unread.told("list", &folder, error))
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}
