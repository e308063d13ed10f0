//! From the bytes of a log file to batches of rows.

use std::io::{self, Read};
use std::ops::ControlFlow;

use arrow::array::RecordBatch;
use sha2::{Digest, Sha256};

use crate::digest::DigestRows;
pub use crate::envelope::Body;
use crate::envelope::{Visit, Walked, walk_held, walk_stream};
use crate::escapes::Matcher;
use crate::json::{Stop, value};
use crate::log_file::inflate::{Inflate, Measured};
use crate::log_file::{Inspected, Limits, ObjectFault, read_up_to};
use crate::rebuild::Plans;
use crate::record::Row;
use crate::rows::{Provenance, Rows};
use crate::scanned::Scanned;
use crate::schema::Kind;

/// Rows of one kind.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Which table they belong to.
    pub kind: Kind,
    /// The rows, in the schema of their kind.
    pub rows: RecordBatch,
}

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
    fn nothing() -> ObjectSummary {
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

    fn of(inspected: &Inspected) -> ObjectSummary {
        ObjectSummary {
            sha256: inspected.sha256,
            inflated_sha256: inspected.inflated_sha256,
            compressed_bytes: inspected.compressed_bytes,
            inflated_bytes: inspected.inflated_bytes,
            ..ObjectSummary::nothing()
        }
    }

    fn measured(self, measured: &Measured) -> ObjectSummary {
        ObjectSummary {
            sha256: measured.sha256,
            inflated_sha256: measured.inflated_sha256,
            compressed_bytes: measured.compressed_bytes,
            inflated_bytes: measured.inflated_bytes,
            ..self
        }
    }

    /// Whether an object that is refused is CloudTrail's, by as much of it as there is.
    fn recognise_head(&mut self, content: &[u8], limits: &Limits) {
        let head = &content[..content.len().min(RECOGNISED_BY_BYTES)];
        if let Ok(walked) = walk_held(head, limits, &mut Recogniser) {
            self.recognised = walked.body.is_some();
            self.suspect = walked.is_suspect;
            self.format = walked.body;
        }
    }

    /// Makes one reject of the object: the one that says where it is malformed, or its head.
    fn refuse(&mut self, fault: ObjectFault, head: &[u8], limits: &Limits) {
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
    fn clear(&mut self) {
        self.rejects.clear();
        (self.records, self.rows, self.rejected) = (0, 0, 0);
        (self.spare_rows, self.raw_field_rows) = (0, 0);
        (self.first_event_at, self.last_event_at) = (None, None);
    }
}

/// Bytes by which an object that is refused is recognised.
const RECOGNISED_BY_BYTES: usize = 64 << 10;

/// Decodes objects one after the other into batches that span them: thousands of tiny files fill
/// one batch instead of making one each.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    row: Row,
    plans: Plans,
    tables: [Rows; 3],
    digests: DigestRows,
    /// Full batches of the object under way: they go out when it is known to be sound.
    ready: Vec<Batch>,
}

/// Called with batches as they fill.
type Sink<'a> = &'a mut dyn FnMut(Batch) -> ControlFlow<()>;

const RECORD_KINDS: [Kind; 3] = [Kind::Events, Kind::Insights, Kind::Aggregated];

impl Decoder {
    /// Returns a decoder without rows.
    pub fn new(limits: Limits) -> Decoder {
        Decoder {
            limits,
            row: Row::new(),
            plans: Plans::default(),
            tables: RECORD_KINDS.map(Rows::new),
            digests: DigestRows::default(),
            ready: Vec::new(),
        }
    }

    /// Decodes the object that was inspected; its rows carry `object` in `_object`.
    ///
    /// Full batches go to `sink`, the rest stays until [`Decoder::finish`]. `again` opens the
    /// stored object a second time; it is called only when the inflated bytes are not at hand. An
    /// object with a fault gives no rows, see [`ObjectSummary::fault`].
    ///
    /// # Errors
    /// When the object cannot be read again.
    pub fn decode(
        &mut self,
        object: i64,
        inspected: &Inspected,
        again: &mut dyn FnMut() -> io::Result<Box<dyn Read>>,
        sink: Sink<'_>,
    ) -> io::Result<ObjectSummary> {
        let mut summary = ObjectSummary::of(inspected);
        if let Some(fault) = &inspected.fault {
            let head = inspected.inflated.as_deref().unwrap_or_default();
            summary.recognise_head(head, &self.limits);
            summary.refuse(fault.clone(), head, &self.limits);
            return Ok(summary);
        }
        if let Some(content) = &inspected.inflated {
            return self.decode_held(object, content, summary, sink);
        }
        let mut input = again()?;
        let mut inflate = Inflate::new(&mut *input, &self.limits)?;
        let is_same =
            |measured: &Measured| measured.fault.is_none() && measured.sha256 == inspected.sha256;
        if inspected.inflated_bytes <= self.limits.in_memory_bytes_max as u64 {
            let (content, _) = read_up_to(&mut inflate, self.limits.in_memory_bytes_max)?;
            if is_same(&inflate.finish()?) {
                return self.decode_held(object, &content, summary, sink);
            }
        } else {
            summary = self.decode_stream(object, &mut inflate, summary, sink)?;
            if is_same(&inflate.finish()?) {
                return Ok(summary);
            }
            self.drop_pending();
        }
        summary.refuse(ObjectFault::Changed, &[], &self.limits);
        Ok(summary)
    }

    /// Hands the rows that are left to `sink`.
    pub fn finish(&mut self, sink: Sink<'_>) {
        self.flush_all();
        self.hand_out(sink);
    }

    fn decode_held(
        &mut self,
        object: i64,
        content: &[u8],
        summary: ObjectSummary,
        sink: Sink<'_>,
    ) -> io::Result<ObjectSummary> {
        let rows_before = RECORD_KINDS.map(|kind| self.tables[kind as usize].len());
        let limits = self.limits.clone();
        let mut intake = Intake::new(self, object, summary, None);
        let walked = walk_held(content, &limits, &mut intake)?;
        let summary = intake.close(walked, content, &limits);
        if summary.rows == 0 {
            self.roll_back(rows_before);
        }
        if self.digests.is_full() {
            self.flush_all();
        }
        self.hand_out(sink);
        Ok(summary)
    }

    /// Decodes an object too large to hold. Its batches hold no other object's rows.
    fn decode_stream(
        &mut self,
        object: i64,
        input: &mut dyn Read,
        summary: ObjectSummary,
        sink: Sink<'_>,
    ) -> io::Result<ObjectSummary> {
        self.flush_all();
        self.hand_out(sink);
        let limits = self.limits.clone();
        let mut intake = Intake::new(self, object, summary, Some(sink));
        let walked = walk_stream(input, &limits, &mut intake)?;
        let summary = intake.close(walked, &[], &limits);
        if summary.rows == 0 {
            self.drop_pending();
        }
        Ok(summary)
    }

    /// Ends the batch of a kind.
    fn flush(&mut self, kind: Kind) {
        // Columns and schema come from one table: they cannot disagree.
        if let Ok(rows) = self.tables[kind as usize].finish()
            && rows.num_rows() > 0
        {
            self.ready.push(Batch { kind, rows });
        }
    }

    fn flush_all(&mut self) {
        for kind in RECORD_KINDS {
            self.flush(kind);
        }
        if let Some(rows) = self.digests.finish() {
            self.ready.push(Batch { kind: Kind::Digest, rows });
        }
    }

    fn hand_out(&mut self, sink: Sink<'_>) -> bool {
        self.ready.drain(..).all(|batch| sink(batch).is_continue())
    }

    /// Drops the rows of the object under way, which stand behind those of others.
    fn roll_back(&mut self, rows_before: [usize; 3]) {
        for kind in RECORD_KINDS {
            let before = rows_before[kind as usize];
            if self.ready.iter().any(|batch| batch.kind == kind)
                || self.tables[kind as usize].len() > before
            {
                self.flush(kind);
                let first = self.ready.iter().find(|batch| batch.kind == kind).cloned();
                self.ready.retain(|batch| batch.kind != kind);
                if let Some(Batch { rows, .. }) = first.filter(|_| before > 0) {
                    self.ready.push(Batch { kind, rows: rows.slice(0, before) });
                }
            }
        }
    }

    fn drop_pending(&mut self) {
        for kind in RECORD_KINDS {
            self.flush(kind);
        }
        self.ready.clear();
    }
}

/// Takes the records of one object.
struct Intake<'d, 's> {
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
    fn new(
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
    fn close(self, walked: Walked, head: &[u8], limits: &Limits) -> ObjectSummary {
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

    fn digest(&mut self, content: &[u8]) {
        self.summary.kind = self.summary.kind.or(Some(Kind::Digest));
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

/// Recognises a log without taking its records.
struct Recogniser;

impl Visit for Recogniser {
    fn record(&mut self, _offset: usize, text: &str) -> Result<usize, Stop> {
        value(text.as_bytes(), 0, usize::MAX)
    }

    fn reject(&mut self, _offset: usize, _reason: String, _length: usize, _bytes: &[u8]) {}

    fn digest(&mut self, _content: &[u8]) {}

    fn records(&self) -> u64 {
        0
    }

    fn is_done(&self) -> bool {
        false
    }
}

/// Decodes one stored object, compressed or not, in one reading and bounded memory.
///
/// `_object` is 0. An object that fits `Limits::in_memory_bytes_max` gives rows only when it is
/// sound; for a larger one see [`ObjectSummary::fault`].
///
/// # Errors
/// When `input` cannot be read.
pub fn decode_object(
    input: &mut dyn Read,
    limits: &Limits,
    sink: Sink<'_>,
) -> io::Result<ObjectSummary> {
    let mut decoder = Decoder::new(limits.clone());
    let mut inflate = Inflate::new(input, limits)?;
    let (head, ended) = read_up_to(&mut inflate, limits.in_memory_bytes_max)?;
    let summary = if ended {
        let inspected = inflate.finish()?.with(Some(head));
        let mut again = || Err(io::Error::from(io::ErrorKind::Unsupported));
        decoder.decode(0, &inspected, &mut again, sink)?
    } else {
        let mut stream = head.as_slice().chain(&mut inflate);
        let found = decoder.decode_stream(0, &mut stream, ObjectSummary::nothing(), sink)?;
        let measured = inflate.finish()?;
        let mut summary = found.measured(&measured);
        if let Some(fault) = measured.fault {
            decoder.drop_pending();
            summary.refuse(fault, &head, limits);
        }
        summary
    };
    decoder.finish(sink);
    Ok(summary)
}
