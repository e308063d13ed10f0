//! What was found in one object, and what is left of that when the object is refused.

use crate::envelope::{Body, Visit, walk_held};
use crate::json::{Stop, value};
use crate::log_file::inflate::Measured;
use crate::log_file::{Inspected, Limits, ObjectFault};
use crate::schema::Kind;

/// A record that could not become a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Number of the record in its object, from 0.
    pub index: u64,
    /// Where it stands in the inflated bytes.
    pub offset: u64,
    /// Why.
    pub reason: String,
    /// Its bytes, at most `Limits::reject_bytes_max`.
    pub bytes: Vec<u8>,
    /// Whether `bytes` was cut.
    pub truncated: bool,
}

/// What was found in one object.
///
/// `records` = `rows` + `rejected`, always.
#[derive(Debug, Clone)]
pub struct ObjectSummary {
    /// SHA-256 of the bytes as stored.
    pub sha256: [u8; 32],
    /// SHA-256 of the inflated bytes.
    pub inflated_sha256: [u8; 32],
    /// Bytes as stored.
    pub compressed_bytes: u64,
    /// Inflated bytes.
    pub inflated_bytes: u64,
    /// Form of the content; nothing when it is not recognised.
    pub format: Option<Body>,
    /// Kind of the first record, for the ledger.
    pub kind: Option<Kind>,
    /// Whether the content is CloudTrail's at all. An object that is not has 0 records.
    pub recognised: bool,
    /// Whether there are keys of CloudTrail's records in it, or a compression hides whether there
    /// are. An object that is not recognised and yet has them is to be told: it may be a log in a
    /// form that is not known.
    pub suspect: bool,
    /// Records seen, rejects included; a digest file counts none (its row is no record).
    pub records: u64,
    /// Rows handed to the sink or kept for it, digests' apart.
    pub rows: u64,
    /// Records that became no row.
    pub rejected: u64,
    /// The rejects: all, or as many as `Limits::rejects_bytes_max` holds.
    pub rejects: Vec<Reject>,
    /// Earliest eventTime, microseconds UTC.
    pub first_event_at: Option<i64>,
    /// Latest eventTime, microseconds UTC.
    pub last_event_at: Option<i64>,
    /// The object is refused as a whole: `records` = 1, one reject, no rows. Only from an object
    /// larger than `Limits::in_memory_bytes_max` may rows have gone to the sink before: drop them
    /// by their `_object`.
    pub fault: Option<ObjectFault>,
    /// Rows that keep their whole bytes in the spare column.
    pub spare_rows: u64,
    /// Rows with a field kept raw.
    pub raw_field_rows: u64,
}

impl ObjectSummary {
    pub(super) fn nothing() -> ObjectSummary {
        ObjectSummary {
            sha256: [0; 32],
            inflated_sha256: [0; 32],
            compressed_bytes: 0,
            inflated_bytes: 0,
            format: None,
            kind: None,
            recognised: false,
            suspect: false,
            records: 0,
            rows: 0,
            rejected: 0,
            rejects: Vec::new(),
            first_event_at: None,
            last_event_at: None,
            fault: None,
            spare_rows: 0,
            raw_field_rows: 0,
        }
    }

    pub(super) fn of(inspected: &Inspected) -> ObjectSummary {
        ObjectSummary {
            sha256: inspected.sha256,
            inflated_sha256: inspected.inflated_sha256,
            compressed_bytes: inspected.compressed_bytes,
            inflated_bytes: inspected.inflated_bytes,
            ..ObjectSummary::nothing()
        }
    }

    pub(super) fn measured(self, measured: &Measured) -> ObjectSummary {
        ObjectSummary {
            sha256: measured.sha256,
            inflated_sha256: measured.inflated_sha256,
            compressed_bytes: measured.compressed_bytes,
            inflated_bytes: measured.inflated_bytes,
            ..self
        }
    }

    /// Whether an object that is refused is CloudTrail's, by as much of it as there is.
    pub(super) fn recognise_head(&mut self, content: &[u8], limits: &Limits) {
        let head = &content[..content.len().min(RECOGNISED_BY_BYTES)];
        if let Ok(walked) = walk_held(head, limits, &mut Recogniser) {
            self.recognised = walked.body.is_some();
            self.suspect = walked.is_suspect;
            self.format = walked.body;
        }
    }

    /// Makes one reject of the object: the one that says where it is malformed, or its head.
    pub(super) fn refuse(&mut self, fault: ObjectFault, head: &[u8], limits: &Limits) {
        let at = match fault {
            ObjectFault::Malformed { at, .. } => Some(at),
            _ => None,
        };
        let last = self.rejects.pop().filter(|reject| Some(reject.offset) == at);
        let kept = head.len().min(limits.reject_bytes_max);
        let reject = last.unwrap_or_else(|| Reject {
            index: 0,
            offset: at.unwrap_or_default(),
            reason: fault.to_string(),
            bytes: head[..kept].to_vec(),
            truncated: self.inflated_bytes > kept as u64,
        });
        self.clear();
        self.rejects.push(reject);
        (self.records, self.rejected) = (1, 1);
        self.fault = Some(fault);
    }

    /// Forgets what was found.
    pub(super) fn clear(&mut self) {
        self.rejects.clear();
        (self.records, self.rows, self.rejected) = (0, 0, 0);
        (self.spare_rows, self.raw_field_rows) = (0, 0);
        (self.first_event_at, self.last_event_at) = (None, None);
    }
}

/// Bytes by which an object that is refused is recognised.
const RECOGNISED_BY_BYTES: usize = 64 << 10;

/// Recognises a log without taking its records.
struct Recogniser;

impl Visit for Recogniser {
    fn record(&mut self, _offset: usize, text: &str) -> Result<usize, Stop> {
        value(text.as_bytes(), 0, usize::MAX)
    }

    fn reject(&mut self, _offset: usize, _reason: String, _length: usize, _bytes: &[u8]) {}

    fn digest(&mut self, _offset: usize, _content: &[u8]) {}

    fn records(&self) -> u64 {
        0
    }

    fn is_done(&self) -> bool {
        false
    }
}
