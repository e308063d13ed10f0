//! What may not be read, or is not answered, is no damage: the audit says so, and nothing else.

use std::error::Error as _;
use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use traillake_store::{AuditOptions, ErrorKind as Kind, Lake};

use super::{lake_with_checkpoints, named};
use crate::world::{self, Disk, audit};

/// Where a read fails.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// When the file is opened.
    Opening,
    /// When its first bytes come.
    Reading,
}

/// A storage in which one file cannot be read.
#[derive(Debug)]
struct Unreadable {
    objects: Arc<dyn ObjectStore>,
    file: String,
    moment: Moment,
    failure: ErrorKind,
}

impl Unreadable {
    fn error(failure: ErrorKind) -> Error {
        Error::Generic { store: "disk", source: std::io::Error::from(failure).into() }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unreadable")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Unreadable {
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
        let failure = self.failure;
        match (path.to_string() == self.file, self.moment) {
            (true, Moment::Opening) => Err(Unreadable::error(failure)),
            (true, Moment::Reading) => {
                let mut got = self.objects.get_opts(path, options).await?;
                let failed: Result<bytes::Bytes> = Err(Unreadable::error(failure));
                got.payload = GetResultPayload::Stream(stream::iter([failed]).boxed());
                Ok(got)
            }
            (false, _) => self.objects.get_opts(path, options).await,
        }
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.objects.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}

fn without(disk: &Disk, file: &str, moment: Moment, failure: ErrorKind) -> Disk {
    let file = file.to_string();
    disk.wrapped(Arc::new(move |objects| {
        Arc::new(Unreadable { objects, file: file.clone(), moment, failure })
    }))
}

/// Every kind of file that an audit reads: data, ledger, commit, checkpoint, store, lake.
async fn files(disk: &Disk) -> Vec<String> {
    let mut files = vec!["traillake.json".to_string(), "stores/default/store.json".to_string()];
    for table in ["events", "objects", "rejects"] {
        let paths = disk.paths(&format!("stores/default/{table}")).await;
        let first = |is_it: fn(&str) -> bool| paths.iter().find(|path| is_it(path)).cloned();
        files.extend(first(|path| path.contains("/part-")));
        files.extend(first(|path| path.ends_with(".checkpoint.parquet")));
        files.extend(first(|path| path.contains("_delta_log/") && path.ends_with(".json")));
    }
    files
}

#[tokio::test]
async fn a_file_that_may_not_be_read_is_no_damage() {
    let disk = lake_with_checkpoints().await;
    let files = files(&disk).await;
    assert!(files.len() > 8, "{files:?}");
    let failures = [ErrorKind::PermissionDenied, ErrorKind::TimedOut];
    for (file, failure) in files.iter().flat_map(|file| failures.map(|failure| (file, failure))) {
        for moment in [Moment::Opening, Moment::Reading] {
            let disk = without(&disk, file, moment, failure);
            let options = AuditOptions { proof: Some(Arc::new(world::Words)) };
            let spec = world::spec();
            let audited = Lake::audit(&disk.location, disk.options.clone(), &spec, &options).await;
            let case = format!("`{file}`, {failure:?}, {moment:?}");
            let Err(error) = audited else { panic!("{case}: it was taken for damage") };
            assert_eq!(error.kind(), Kind::Storage, "{case}: {error}");
            assert_eq!(error.to_string(), format!("could not read `{file}`"), "{case}");
            assert!(error.source().is_some(), "{case}");
            let says_again = error.hint().is_some_and(|hint| hint.contains("run it again"));
            assert_eq!(says_again, failure == ErrorKind::TimedOut, "{case}: {:?}", error.hint());
        }
    }
}

/// A disk that cannot read a block of its own has lost it.
#[tokio::test]
async fn what_a_disk_has_lost_is_damage() {
    let disk = lake_with_checkpoints().await;
    let data = files(&disk).await.into_iter().find(|file| file.contains("/events/")).unwrap();
    let lost = without(&disk, &data, Moment::Opening, ErrorKind::Other);
    named(&audit(&lost, true).await, &data, "its footer cannot be read");
}
