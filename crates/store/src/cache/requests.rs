//! The cache as an object store: what answers each request.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryFutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::Cache;
use super::opening::Answer;
use crate::layout::{self, Kept};

/// What is known of a data file that nobody listed: a part of it that was read.
fn unlisted(path: &Path, size: u64) -> ObjectMeta {
    let last_modified = DateTime::UNIX_EPOCH;
    ObjectMeta { location: path.clone(), last_modified, size, e_tag: None, version: None }
}

/// Bytes as an answer to a request for `range` of a file.
fn got(meta: ObjectMeta, bytes: Bytes, range: Range<u64>) -> GetResult {
    let payload = GetResultPayload::Stream(stream::iter([Ok(bytes)]).boxed());
    GetResult { payload, meta, range, attributes: object_store::Attributes::default() }
}

/// The part of a whole file that a request asks for.
fn part_of(meta: ObjectMeta, bytes: &Bytes, options: &GetOptions) -> Result<GetResult> {
    let length = bytes.len() as u64;
    if options.head {
        return Ok(got(meta, Bytes::new(), 0..0));
    }
    let range = match &options.range {
        None => 0..length,
        Some(GetRange::Bounded(range)) => range.start.min(length)..range.end.min(length),
        Some(GetRange::Offset(start)) => (*start).min(length)..length,
        Some(GetRange::Suffix(count)) => length.saturating_sub(*count)..length,
    };
    let part = bytes.slice(range.start as usize..range.end as usize);
    Ok(got(meta, part, range))
}

fn is_conditional(options: &GetOptions) -> bool {
    options.if_match.is_some()
        || options.if_none_match.is_some()
        || options.if_modified_since.is_some()
        || options.if_unmodified_since.is_some()
        || options.version.is_some()
}

impl Cache {
    fn listing(
        &self,
        prefix: Option<&Path>,
        offset: Option<&Path>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (known, prefix, offset) = (self.known.clone(), prefix.cloned(), offset.cloned());
        let listed = async move { known.listing(prefix.as_ref(), offset.as_ref()).await };
        let listed = listed.map_ok(|listed| stream::iter(listed.into_iter().map(Ok)));
        stream::once(listed).try_flatten().boxed()
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cache({:?})", self.known.inner)
    }
}

impl fmt::Display for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, cached", self.known.inner)
    }
}

#[async_trait]
impl ObjectStore for Cache {
    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        if is_conditional(&options) {
            return self.known.ask(path, options).await;
        }
        match (layout::kept(path), &options.range) {
            (Kept::Always, Some(GetRange::Bounded(range))) if !options.head => {
                let ranges = std::slice::from_ref(range);
                match self.known.blocks(path, ranges, &options).await? {
                    Some(mut bytes) => {
                        let (bytes, range) = (bytes.pop().unwrap_or_default(), range.clone());
                        let size = range.start + bytes.len() as u64;
                        let meta = unlisted(path, size);
                        let range = range.start..size;
                        Ok(got(meta, bytes, range))
                    }
                    None => self.known.ask(path, options).await,
                }
            }
            (Kept::Always, _) => self.known.ask(path, options).await,
            (Kept::Listed, _) => match self.known.listed(path) {
                Some(meta) if options.head => part_of(meta, &Bytes::new(), &options),
                Some(meta) => {
                    let bytes = self.known.log_file(&meta, options.clone()).await?;
                    part_of(meta, &bytes, &options)
                }
                None => self.known.ask(path, options).await,
            },
            (Kept::Never, None) if !options.head => {
                match self.known.small_file(path, options.clone()).await? {
                    Answer::File(meta, bytes) => part_of(meta, &bytes, &options),
                    Answer::Nothing | Answer::Listed(..) => Err(object_store::Error::NotFound {
                        path: path.to_string(),
                        source: "there is no such object".into(),
                    }),
                }
            }
            (Kept::Never, _) => self.known.ask(path, options).await,
        }
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if layout::kept(path) == Kept::Always
            && let Some(bytes) = self.known.blocks(path, ranges, &GetOptions::default()).await?
        {
            return Ok(bytes);
        }
        let fetch = |range: Range<u64>| async move {
            let options = GetOptions::default().with_range(Some(GetRange::Bounded(range)));
            self.get_opts(path, options).await?.bytes().await
        };
        object_store::coalesce_ranges(ranges, fetch, object_store::OBJECT_STORE_COALESCE_DEFAULT)
            .await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let (objects, common_prefixes) = self.known.folders(prefix).await?;
        Ok(ListResult { objects, common_prefixes })
    }

    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.known.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.known.inner.put_multipart_opts(path, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.known.inner.delete_stream(paths)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.known.inner.copy_opts(from, to, options).await
    }
}
