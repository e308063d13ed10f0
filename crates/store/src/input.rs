//! What a round takes in and gives back.

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};

/// Everything one round brings: rows, the objects they were read from, and what could not be a row.
#[derive(Default)]
pub struct RoundInput {
    /// The rows, in one part or several. Parts are handled one after another, in this order, and
    /// become visible together.
    pub parts: Vec<RoundPart>,
    /// The source objects of this round, at most 2^23 of them. One row each goes to the ledger.
    pub objects: Vec<ObjectRow>,
    /// Records that could not become a row.
    pub rejects: Vec<RejectRow>,
    /// The writer's token before it was first asked what the ledger knows about these objects. What
    /// others brought since is found out at the commit. Without it every object is looked up again
    /// in the whole ledger.
    pub planned_at: Option<i64>,
}

/// Some of a round's rows.
pub enum RoundPart {
    /// Rows in memory: the ordinary round is one such part.
    Held(PartRows),
    /// Rows set aside by the caller, for a round larger than memory.
    Spilled(Box<dyn SpilledPart>),
}

/// Rows of one part by table name. `_object` holds the ordinal of the row's object in
/// [`RoundInput::objects`]; the store turns it into the object's id.
#[derive(Debug, Clone, Default)]
pub struct PartRows {
    /// Rows of record tables.
    pub records: Vec<(String, Vec<RecordBatch>)>,
    /// Rows of plain tables: no identity, stored as they come.
    pub plain: Vec<(String, Vec<RecordBatch>)>,
}

/// A part set aside by the caller.
pub trait SpilledPart: Send + Sync {
    /// The rows; asked for again when the round is rebased.
    ///
    /// # Errors
    /// When the rows cannot be read back.
    fn load(&self) -> std::io::Result<PartRows>;
}

/// What became of a source object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectState {
    /// Its records were read.
    Read,
    /// Its inflated bytes are those of an object already in the ledger: noted, not decoded.
    Copy,
    /// A known key whose content changed; read again.
    Changed,
    /// Refused as a whole; its records count as rejects.
    Rejected,
    /// Sound, without records.
    Empty,
}

impl ObjectState {
    /// The spelling in the ledger's `state` column.
    pub fn as_str(self) -> &'static str {
        match self {
            ObjectState::Read => "read",
            ObjectState::Copy => "copy",
            ObjectState::Changed => "changed",
            ObjectState::Rejected => "rejected",
            ObjectState::Empty => "empty",
        }
    }

    /// The state spelled `text`, none for a spelling this version does not know.
    pub fn parse(text: &str) -> Option<ObjectState> {
        use ObjectState::{Changed, Copy, Empty, Read, Rejected};
        [Read, Copy, Changed, Rejected, Empty].into_iter().find(|state| state.as_str() == text)
    }
}

/// One source object, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectRow {
    /// Where it was read: bucket and key, or absolute path.
    pub object_key: String,
    /// The key from `AWSLogs/` on (what digests name behind a prefix), else the whole path.
    pub logical_key: String,
    /// Size as stored, in bytes.
    pub size_bytes: u64,
    /// ETag, where the source has one.
    pub etag: Option<String>,
    /// Modification time at the source.
    pub modified_at: Option<DateTime<Utc>>,
    /// Version id, where the source has one.
    pub version_id: Option<String>,
    /// SHA-256 of the bytes as stored; none when they could not be read whole.
    pub sha256: Option<[u8; 32]>,
    /// SHA-256 of the inflated bytes of the one gzip member; none when it could not be inflated.
    pub inflated_sha256: Option<[u8; 32]>,
    /// What it holds (the name of a table), where known.
    pub kind: Option<String>,
    /// The account in its key.
    pub account: Option<String>,
    /// The region in its key.
    pub region: Option<String>,
    /// Delivery time in its key; its month is the ledger's partition.
    pub delivered_at: Option<DateTime<Utc>>,
    /// Records found in it.
    pub records: u64,
    /// Records that could not become a row.
    pub rejects: u64,
    /// Records a selection left out.
    pub deselected: u64,
    /// What became of the rest; the store fills it.
    pub counts: Counts,
    /// Earliest time of its records.
    pub first_event_at: Option<DateTime<Utc>>,
    /// Latest time of its records.
    pub last_event_at: Option<DateTime<Utc>>,
    /// What became of it.
    pub state: ObjectState,
    /// The `object_key` of the object it is a copy of.
    pub copy_of: Option<String>,
    /// More about its state, for people.
    pub detail: Option<String>,
}

impl ObjectRow {
    /// The ledger's partition it belongs to: `YYYY-MM` of its delivery time.
    pub fn delivered_month(&self) -> Option<String> {
        self.delivered_at.map(|at| at.format("%Y-%m").to_string())
    }
}

/// What became of the records of an object:
/// records = stored + duplicates + respelled + variants + deselected + rejects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Became the one row of their identity.
    pub stored: u64,
    /// Equal bytes to a stored row or variant.
    pub duplicates: u64,
    /// Equal JSON value to a stored row or variant, other bytes.
    pub respelled: u64,
    /// Another value than the stored row of their identity: kept in `variants`.
    pub variants: u64,
}

/// A record that could not become a row.
#[derive(Debug, Clone, PartialEq)]
pub struct RejectRow {
    /// Ordinal of its object in [`RoundInput::objects`].
    pub object: u32,
    /// Position among the records of its object.
    pub index: u64,
    /// Byte offset in the inflated object.
    pub offset: u64,
    /// Why, for people.
    pub reason: String,
    /// Its bytes, possibly cut short.
    pub bytes: Vec<u8>,
    /// Whether `bytes` was cut short.
    pub truncated: bool,
}

/// What the ledger knows about a key.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownObject {
    /// Size as stored, in bytes.
    pub size_bytes: u64,
    /// ETag, where the source has one.
    pub etag: Option<String>,
    /// Modification time at the source.
    pub modified_at: Option<DateTime<Utc>>,
    /// SHA-256 of the bytes as stored; none when they could not be read whole.
    pub sha256: Option<[u8; 32]>,
    /// What became of it.
    pub state: ObjectState,
}

impl KnownObject {
    /// Whether an object of its key is this very one, and not an earlier or later one: by size and
    /// ETag, or modification time where one of the two has no ETag, as not every listing tells it.
    pub fn is_stamped(
        &self,
        size_bytes: u64,
        etag: Option<&str>,
        modified_at: Option<DateTime<Utc>>,
    ) -> bool {
        // The ledger keeps microseconds.
        let micros = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp_micros());
        let is_same = match (etag, self.etag.as_deref()) {
            (Some(etag), Some(known)) => etag == known,
            _ => micros(modified_at) == micros(self.modified_at),
        };
        is_same && size_bytes == self.size_bytes
    }
}

/// How two records with one identity compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// Equal bytes.
    Same,
    /// Equal JSON value, other bytes.
    Respelled,
    /// Another value.
    Differs {
        /// JSON paths that differ.
        paths: Vec<String>,
    },
}

/// What the store must know about the content of records, and cannot: handed in by the caller.
pub trait Content: Send + Sync {
    /// The original bytes of the record at `row`.
    ///
    /// # Errors
    /// A message when the row does not hold what its bytes are made from.
    fn record_bytes(&self, rows: &RecordBatch, row: usize) -> Result<Vec<u8>, String>;

    /// Compares two records of one identity.
    fn compare(&self, a: &[u8], b: &[u8]) -> Comparison;
}

/// A round that happened.
#[derive(Debug, Clone)]
pub struct RoundReceipt {
    /// The round's number.
    pub token: i64,
    /// Version of the main table it made.
    pub version: u64,
    /// The objects with their counts, states and copies as committed, in the order given. An object
    /// that another ingester committed meanwhile under the same key is not among them.
    pub objects: Vec<ObjectRow>,
    /// Ordinals of objects left out because another ingester committed them meanwhile.
    pub known: Vec<u32>,
    /// How often another ingester won and the round was rebased.
    pub rebased: u32,
    /// Bytes of data files written, all tables, files of abandoned attempts included.
    pub bytes_written: u64,
}
