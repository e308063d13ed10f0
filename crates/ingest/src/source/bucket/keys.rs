//! Objects of a bucket that somebody names: notices, a list of keys, or an S3 Inventory.
//!
//! There may be a hundred million of them: few are in memory at a time, and what names them is read
//! not far ahead of whoever looks at them.

mod csv;
mod inventory;
mod lines;
mod listed;
mod rows;

use std::fmt;

use chrono::{DateTime, Utc};

use super::lister::Stored;
use super::walk::Met;
use super::{Bucket, Reading};
use crate::report::FaultKind;
use crate::source::Found;

pub use inventory::Inventory;
pub use listed::KeyList;

/// Which objects of a bucket.
#[derive(Debug, Clone)]
pub enum Keys {
    /// Those with these keys.
    Named(Vec<String>),
    /// Those in a list of keys.
    Listed(KeyList),
    /// Those in an inventory.
    Inventory(Inventory),
}

impl Keys {
    /// Calls `met` with each object until it returns false. Blocks.
    pub(super) fn list(
        &self,
        bucket: &Bucket,
        reading: &Reading,
        met: &mut dyn FnMut(Met) -> bool,
    ) {
        match self {
            Keys::Named(keys) => {
                let _ = keys.iter().all(|key| met(Met::Key(key.clone())));
            }
            Keys::Listed(list) => list.list(bucket, met),
            Keys::Inventory(inventory) => inventory.list(bucket, reading, met),
        }
    }
}

/// Returns that what names objects cannot be read.
fn fault(object: &str, reason: impl fmt::Display) -> Met {
    let (object, kind, reason) = (object.to_owned(), FaultKind::Unreadable, reason.to_string());
    Met::Found(Found::Fault { object, kind, reason })
}

/// An object as an inventory tells of it.
#[derive(Debug, Default)]
struct Entry<'a> {
    bucket: Option<&'a str>,
    key: String,
    size: Option<u64>,
    modified_at: Option<DateTime<Utc>>,
    etag: Option<&'a str>,
    /// Another version of it is the latest, or it was deleted.
    is_gone: bool,
}

impl Entry<'_> {
    /// What it tells of; none when that is no object under the bucket's prefix today.
    fn met(self, bucket: &Bucket) -> Result<Option<Met>, String> {
        let Entry { bucket: name, key, size, modified_at, etag, is_gone } = self;
        if is_gone || name.is_some_and(|name| name != bucket.name) || !bucket.holds(&key) {
            return Ok(None);
        }
        let (Some(size), Some(modified_at), Some(etag)) = (size, modified_at, etag) else {
            return Ok(Some(Met::Key(key)));
        };
        // S3 spells the tag with its quotes everywhere else.
        let etag = Some(format!("\"{etag}\"")).filter(|_| !etag.is_empty());
        // An inventory is of yesterday: whether an archived object was restored S3 knows.
        Ok(Some(Met::Object(Stored { key, size, modified_at, etag, is_archived: false })))
    }
}
