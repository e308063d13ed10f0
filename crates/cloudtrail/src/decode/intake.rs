//! The records of one object on their way into the rows, the rejects and the summary.

use sha2::{Digest, Sha256};

use super::{Decoder, ObjectSummary, Reject, Sink};
use crate::envelope::{Visit, Walked};
use crate::escapes::Matcher;
use crate::json::Stop;
use crate::log_file::Limits;
use crate::rows::Provenance;
use crate::scanned::Scanned;
use crate::schema::Kind;

/// Takes the records of one object.
pub(super) struct Intake<'d, 's> {
    decoder: &'d mut Decoder,
    object: i64,
    summary: ObjectSummary,
    /// Where full batches go at once; nothing: they wait until the object is known to be sound.
    sink: Option<Sink<'s>>,
    /// Rejects that are S3's event notifications: an object of nothing else is not CloudTrail's.
    notifications: u64,
    is_done: bool,
}

impl<'d, 's> Intake<'d, 's> {
    pub(super) fn new(
        decoder: &'d mut Decoder,
        object: i64,
        summary: ObjectSummary,
        sink: Option<Sink<'s>>,
    ) -> Intake<'d, 's> {
        Intake { decoder, object, summary, sink, notifications: 0, is_done: false }
    }

    fn append(&mut self, text: &str) {
        let Decoder { row, plans, tables, limits, .. } = &mut *self.decoder;
        let record = Scanned { row, text };
        let mut matcher = Matcher::new(text.as_bytes());
        let plan = plans.get(&row.shape);
        let is_exact =
            plan.is_ok_and(|plan| plan.write(&record, &mut matcher)) && matcher.is_same();
        if !is_exact {
            row.set_spare();
        }
        let record = Scanned { row, text };
        let provenance = Provenance {
            spare: (!is_exact).then_some(text.as_bytes()),
            fingerprint: fingerprint(text.as_bytes()),
            object: self.object,
            index: i32::try_from(self.summary.records).unwrap_or(i32::MAX),
        };
        let kind = row.kind;
        let rows = &mut tables[kind as usize];
        rows.append(&record, provenance);
        let is_full = rows.len() >= limits.batch_rows_max || rows.bytes() >= limits.batch_bytes_max;
        let summary = &mut self.summary;
        summary.kind = summary.kind.or(Some(kind));
        summary.records += 1;
        summary.rows += 1;
        summary.spare_rows += u64::from(!is_exact);
        summary.raw_field_rows += u64::from(!row.raw_fields.is_empty());
        if let Some(at) = row.event_time() {
            summary.first_event_at = Some(summary.first_event_at.map_or(at, |first| first.min(at)));
            summary.last_event_at = summary.last_event_at.max(Some(at));
        }
        if is_full {
            self.decoder.flush(kind);
            if let Some(sink) = &mut self.sink {
                self.is_done = !self.decoder.hand_out(sink);
            }
        }
    }

    /// Returns what was found, all counts being those of rows that stand.
    pub(super) fn close(self, walked: Walked, head: &[u8], limits: &Limits) -> ObjectSummary {
        let mut summary = self.summary;
        let is_foreign = self.notifications > 0
            && self.notifications == summary.records
            && summary.kind.is_none();
        summary.format = walked.body.filter(|_| !is_foreign);
        summary.recognised = summary.format.is_some();
        summary.suspect = walked.is_suspect && !is_foreign;
        if let Some(fault) = walked.fault {
            summary.refuse(fault, head, limits);
        } else if !summary.recognised {
            summary.clear();
        }
        summary
    }
}

/// Returns the first 8 bytes of the SHA-256 of a record's bytes. Records are compared by it, and
/// whoever can write to the bucket chooses their bytes: a hash that is merely fast would let a
/// forged record pass for the copy of a real one.
fn fingerprint(record: &[u8]) -> i64 {
    let hash: [u8; 32] = Sha256::digest(record).into();
    hash.first_chunk().map_or(0, |first| i64::from_le_bytes(*first))
}

impl Visit for Intake<'_, '_> {
    fn record(&mut self, offset: usize, text: &str) -> Result<usize, Stop> {
        let limits = &self.decoder.limits;
        let (depth_max, bytes_max) = (limits.json_depth_max, limits.record_bytes_max);
        let length = self.decoder.row.read(text, depth_max)?;
        let text = &text[..length];
        if length > bytes_max {
            self.reject(offset, format!("larger than {bytes_max} bytes"), length, text.as_bytes());
        } else if self.decoder.row.is_s3_notification(text) {
            self.notifications += 1;
            let reason = "an event notification of S3, no record of CloudTrail".to_owned();
            self.reject(offset, reason, length, text.as_bytes());
        } else if let Some(field) = self.decoder.row.missing(text) {
            let reason = format!("`{field}` is missing or cannot be read");
            self.reject(offset, reason, length, text.as_bytes());
        } else {
            self.append(text);
        }
        Ok(length)
    }

    fn reject(&mut self, offset: usize, reason: String, length: usize, bytes: &[u8]) {
        let limits = &self.decoder.limits;
        let summary = &mut self.summary;
        let held = summary.rejects.iter().map(|reject| reject.bytes.len() + REJECT_BYTES);
        let room = limits.rejects_bytes_max.saturating_sub(held.sum());
        if room > REJECT_BYTES || summary.rejects.is_empty() {
            let kept = bytes.len().min(limits.reject_bytes_max).min(room);
            summary.rejects.push(Reject {
                index: summary.records,
                offset: offset as u64,
                reason,
                bytes: bytes[..kept].to_vec(),
                truncated: kept < length,
            });
        }
        summary.records += 1;
        summary.rejected += 1;
    }

    fn digest(&mut self, offset: usize, content: &[u8]) {
        self.summary.kind = self.summary.kind.or(Some(Kind::Digest));
        // AWS delivers one an object. Those of an object are one batch, which must fit into memory.
        if self.sink.is_some() && self.decoder.digests.is_full() {
            let reason = "one digest more than an object may hold".to_owned();
            return self.reject(offset, reason, content.len(), content);
        }
        self.decoder.digests.push(self.object, content);
    }

    fn records(&self) -> u64 {
        self.summary.records
    }

    fn is_done(&self) -> bool {
        self.is_done
    }
}

/// What a reject costs beside its bytes.
const REJECT_BYTES: usize = 200;
