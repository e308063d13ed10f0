//! Buckets that were found, for whoever looks again and again: where a bucket is and whose
//! credentials open it is asked once, and connections to it stay open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use traillake_ingest::Bucket;

use super::{BucketArgs, Place, Reach, build};

/// Buckets that were found, kept until something is wrong with one: who has other keys in a file, or
/// a bucket in another region, is heard at the next look.
#[derive(Clone, Debug, Default)]
pub struct Found(Arc<Mutex<HashMap<(String, BucketArgs), Bucket>>>);

impl Found {
    /// Returns the bucket or prefix that a URL names, as a source of logs.
    ///
    /// # Errors
    /// For a URL without a bucket, and when the AWS configuration cannot be used.
    pub async fn source(&self, url: &str, args: &BucketArgs) -> anyhow::Result<Bucket> {
        let Place { bucket: name, prefix } = Place::parse(url)?;
        let of = (name, args.clone());
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&of).cloned();
        if let Some(bucket) = known {
            return Ok(Bucket { prefix, ..bucket });
        }
        let reach = Reach::find(&of.0, args).await?;
        let lister = reach.lister(&of.0)?;
        let objects = Arc::new(build(reach.builder(&of.0), &of.0)?);
        let bucket = Bucket { name: of.0.clone(), prefix, lister, objects };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(of, bucket.clone());
        Ok(bucket)
    }

    /// Forgets all of them.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
