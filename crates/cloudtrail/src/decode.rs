//! From the bytes of a log file to batches of rows.
//!
//! `intake` takes the records of one object; `summary` says what was found in it.

mod intake;
mod summary;

use std::io::{self, Read};
use std::ops::ControlFlow;

use arrow::array::RecordBatch;

use self::intake::Intake;
pub use self::summary::{ObjectSummary, Reject};
use crate::digest::DigestRows;
pub use crate::envelope::Body;
use crate::envelope::{walk_held, walk_stream};
use crate::log_file::inflate::{Inflate, Measured};
use crate::log_file::{Inspected, Limits, ObjectFault, read_up_to};
use crate::rebuild::Plans;
use crate::record::Row;
use crate::rows::Rows;
use crate::schema::Kind;

/// Rows of one kind.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Which table they belong to.
    pub kind: Kind,
    /// The rows, in the schema of their kind.
    pub rows: RecordBatch,
}

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
