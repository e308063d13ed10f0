//! What the key of an object says: account, region, kind and delivery time.

use chrono::{DateTime, Utc};

use crate::schema::Kind;

/// The parts of an object key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectKey {
    /// From `AWSLogs/` on, else the whole path: what digest files name.
    pub logical_key: String,
    /// Organization id (`o-…`) of an organization trail.
    pub org: Option<String>,
    /// Account id, as text: zeros lead.
    pub account: Option<String>,
    /// Region whose events the object holds.
    pub region: Option<String>,
    /// Table that the object's records belong to by its folder; content decides in the end.
    pub kind: Option<Kind>,
    /// Trail name, which only digest files carry.
    pub trail: Option<String>,
    /// When CloudTrail delivered the object: from the file name, else midnight of the key's day.
    pub delivered_at: Option<DateTime<Utc>>,
    /// Whether path or name are those of a CloudTrail log or digest file.
    pub is_cloudtrail: bool,
}

impl ObjectKey {
    /// Returns what the path says, or nothing for a path without a file name.
    pub fn parse(path: &str) -> Option<ObjectKey> {
        let _ = path;
        None
    }
}

/// Returns the service when the key is another service's log under `AWSLogs/<account>/`.
pub fn other_service(path: &str) -> Option<&str> {
    let _ = path;
    None
}

/// Returns whether a path is what file managers leave behind: `._*`, `__MACOSX`, `.DS_Store`, …
pub fn is_junk(path: &str) -> bool {
    let _ = path;
    false
}
