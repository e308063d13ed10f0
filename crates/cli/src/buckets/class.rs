//! The storage class of a lake's data files.

use std::fmt;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{
    Attribute, AttributeValue, CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// A bucket whose new data files get a storage class. Logs do not: they are small and read often.
#[derive(Debug)]
pub struct InClass {
    bucket: AmazonS3,
    class: Option<AttributeValue>,
}

impl InClass {
    /// Returns the bucket with files in `class`, or in its own default for `bucket`.
    pub fn new(bucket: AmazonS3, class: &str) -> InClass {
        let class = (class != "bucket").then(|| class.to_owned().into());
        InClass { bucket, class }
    }

    fn class_of(&self, path: &Path) -> Option<AttributeValue> {
        let is_log = path.parts().any(|part| part.as_ref() == "_delta_log");
        let is_data = !is_log && path.extension() == Some("parquet");
        self.class.clone().filter(|_| is_data)
    }
}

impl fmt::Display for InClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bucket.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for InClass {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        if let Some(class) = self.class_of(path) {
            options.attributes.insert(Attribute::StorageClass, class);
        }
        self.bucket.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        mut options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if let Some(class) = self.class_of(path) {
            options.attributes.insert(Attribute::StorageClass, class);
        }
        self.bucket.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.bucket.get_opts(path, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.bucket.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.bucket.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.bucket.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.bucket.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.bucket.copy_opts(from, to, options).await
    }
}
