//! An S3 bucket: objects under a prefix.
//!
//! *Walk* first: folder by folder down to the months of each region, so that other services' logs
//! and what the selection leaves out are never listed. The months then make *slices*, newest first:
//! each is listed and brought in before the next is, and what came in can be queried meanwhile.

mod fetch;
mod keys;
mod lister;
mod refusal;
mod slice;
mod walk;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use sha2::{Digest, Sha256};
use traillake_cloudtrail::Limits;

use crate::error::{Error, Result};
use crate::looks::Places;
use crate::options::Selection;
use crate::source::{Group, LogSource, Month};

pub use keys::{Inventory, KeyList, Keys};
use lister::Folder;
pub use lister::Lister;
use refusal::Attempt;
use slice::Slice;

/// A bucket, or what is under a prefix of it.
#[derive(Clone)]
pub struct Bucket {
    /// Its name, as keys of the ledger spell it: `s3://<name>/<key>`.
    pub name: String,
    /// Where to look, without a `/` at its start; empty: everywhere.
    pub prefix: String,
    /// Tells what is in it; needs `s3:ListBucket`.
    pub lister: Lister,
    /// The bucket itself; reading it needs `s3:GetObject`.
    pub objects: Arc<dyn ObjectStore>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri(&self.prefix))
    }
}

impl Bucket {
    /// Returns what the ledger knows an object by.
    fn uri(&self, key: &str) -> String {
        ["s3://", &self.name, "/", key].concat()
    }

    /// Returns the key in the bucket of what the ledger knows as `uri`.
    fn key_of<'a>(&self, uri: &'a str) -> &'a str {
        let key = uri.strip_prefix("s3://").and_then(|rest| rest.strip_prefix(self.name.as_str()));
        key.and_then(|key| key.strip_prefix('/')).unwrap_or(uri)
    }

    /// Returns whether a key lies under the prefix.
    pub fn holds(&self, key: &str) -> bool {
        let rest = key.strip_prefix(self.prefix.trim_end_matches('/'));
        rest.is_some_and(|rest| self.prefix.is_empty() || rest.starts_with('/'))
    }

    /// Asks for the first objects: whether there is such a bucket, and whether it may be listed.
    ///
    /// # Errors
    /// [`Error::Bucket`], which names the permission that is missing.
    pub(crate) async fn check(&self) -> Result<()> {
        let folder = Folder::whole(self.prefix.trim_end_matches('/'));
        let page = self.lister.page(&folder, None).await;
        page.map(drop).map_err(|error| self.refused(&error))
    }

    /// A bucket that nothing is asked of.
    #[cfg(test)]
    fn nowhere(name: &str, prefix: &str) -> Bucket {
        use object_store::client::{HttpConnector, ReqwestConnector};
        let http = ReqwestConnector::default().connect(&object_store::ClientOptions::new());
        Bucket {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            lister: Lister {
                bucket_url: "http://localhost".to_owned(),
                region: String::new(),
                credentials: None,
                requester_pays: false,
                archives_told: false,
                retry: object_store::RetryConfig::default(),
                patience: Duration::ZERO,
                http: http.unwrap(),
            },
            objects: Arc::new(object_store::memory::InMemory::new()),
        }
    }

    fn refused(&self, error: &object_store::Error) -> Error {
        let (_, reason) = refusal::of(error, Attempt::List, self, &self.prefix);
        Error::Bucket { bucket: self.to_string(), reason }
    }
}

/// How a bucket is read.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// Bounds on one object.
    pub(crate) limits: Limits,
    /// Bytes, as stored, that are held between the bucket and the workers.
    pub(crate) held_bytes_max: u64,
    /// Folder for objects too large to hold.
    pub(crate) temp_dir: PathBuf,
    /// How long S3 may send nothing before a request is given up, and made again.
    pub(crate) patience: Duration,
    /// Oldest slices first.
    pub(crate) oldest_first: bool,
    /// Whether a selection begins so lately that each place is listed from there on, in one.
    pub(crate) is_recent: bool,
}

/// Walks a bucket, the `number`th of a run, and returns its slices in the order in which they are
/// to be brought in, and the places that it met. Blocks.
///
/// # Errors
/// [`Error::Bucket`] when the bucket itself cannot be listed. What cannot be listed below its top
/// becomes a fault of the first slice.
pub(crate) fn slices(
    bucket: &Bucket,
    number: usize,
    selection: &Selection,
    reading: &Reading,
) -> Result<(Vec<Group>, Places)> {
    let runtime = tokio::runtime::Handle::current();
    let walked = runtime.block_on(walk::walk(bucket, selection, reading.is_recent))?;
    let shared = Arc::new(bucket.clone());
    let slice = |folders, met, month| {
        let slice = Slice::new(shared.clone(), folders, met, reading.clone());
        Group { sources: vec![Arc::new(slice) as Arc<dyn LogSource>], month }
    };
    let mut slices = vec![slice(walked.undated, walked.met, None)];
    let mut months: Vec<(String, Vec<Folder>)> = walked.months.into_iter().collect();
    if !reading.oldest_first {
        months.reverse();
    }
    slices.extend(months.into_iter().map(|(label, folders)| {
        let month = Month { bucket: number, label, folders: hash_of(&folders) };
        slice(folders, Vec::new(), Some(month))
    }));
    Ok((slices, walked.places))
}

/// Returns a hash of the names of folders, in whatever order they were met.
fn hash_of(folders: &[Folder]) -> String {
    let mut names: Vec<&str> = folders.iter().map(|folder| folder.name.as_str()).collect();
    names.sort_unstable();
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name);
        hash.update([0]);
    }
    format!("{:x}", hash.finalize())
}

/// Returns the source of the objects in `keys`.
pub(crate) fn of_keys(bucket: Bucket, keys: Keys, reading: Reading) -> Arc<dyn LogSource> {
    Arc::new(Slice::of_keys(Arc::new(bucket), keys, reading))
}
