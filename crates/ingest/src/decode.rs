//! Second reading: what is new becomes rows.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use traillake_cloudtrail::schema::OBJECT;
use traillake_cloudtrail::{Batch, Decoder, Inspected, Kind, Limits, ObjectFault, ObjectSummary};

use crate::error::{Error, Result};
use crate::inspect::{InspectedChunk, InspectedObject, Sight, open_again};
use crate::progress::CancelFlag;
use crate::report::FaultKind;
use crate::selectors::Selectors;
use crate::source::{DigestStamp, SourceObject};
use crate::spill::{SpilledRows, spill};

/// A chunk, decoded.
pub(crate) struct DecodedChunk {
    pub(crate) number: u64,
    /// As [`InspectedChunk::claims_from`].
    pub(crate) claims_from: u64,
    pub(crate) objects: Vec<DecodedObject>,
    /// Rows; `_object` is the number of the object in the chunk.
    pub(crate) rows: Vec<Batch>,
    /// Bytes of `rows`.
    pub(crate) bytes: usize,
    /// Rows that came before `rows` and were too many to hold.
    pub(crate) spilled: Vec<SpilledRows>,
}

/// An object and what came of it.
pub(crate) struct DecodedObject {
    pub(crate) object: SourceObject,
    pub(crate) outcome: Outcome,
}

/// What came of an object.
pub(crate) enum Outcome {
    /// It could not be read, or not as it was listed: not committed, new again next time.
    Failed(FaultKind, String),
    /// The source cannot give its bytes: a reject.
    Refused(String),
    /// Nothing that could be a log.
    Foreign,
    /// The ledger's bytes, read again.
    Unchanged,
    /// A copy of the object named.
    Copy(Inspected, String),
    /// Decoded.
    Read {
        summary: Box<ObjectSummary>,
        /// The first bytes, when nothing in it is CloudTrail's.
        head: Vec<u8>,
        /// Records that name another recipient account than the key.
        foreign_recipients: u64,
        /// Records that were left out.
        deselected: u64,
    },
}

impl Outcome {
    /// Returns the records found, rejects included.
    pub(crate) fn records(&self) -> u64 {
        match self {
            Outcome::Read { summary, .. } => summary.records,
            _ => 0,
        }
    }
}

/// What a worker needs besides the chunk.
#[derive(Clone)]
pub(crate) struct DecodeOptions {
    pub(crate) limits: Limits,
    /// Bytes of rows that are held; more are spilled.
    pub(crate) held_bytes_max: usize,
    pub(crate) temp_dir: PathBuf,
    pub(crate) cancel: CancelFlag,
    pub(crate) taking: Taking,
}

/// Which records are taken in.
#[derive(Clone, Default)]
pub(crate) struct Taking {
    /// Those that all of these take.
    pub(crate) selectors: Vec<Selectors>,
}

impl Taking {
    /// Returns which rows are taken in; none when all are.
    fn of(&self, batch: &Batch) -> Option<BooleanArray> {
        let (kind, rows) = (batch.kind, &batch.rows);
        let mut taken: Option<BooleanArray> = None;
        let mut also = |mask: BooleanArray| {
            let both = taken.as_ref().map(|taken| {
                let both = taken.values() & mask.values();
                BooleanArray::new(both, None)
            });
            taken = Some(both.unwrap_or(mask));
        };
        self.selectors.iter().for_each(|selectors| also(selectors.select(kind, rows)));
        taken.filter(|taken| taken.true_count() < taken.len())
    }
}

/// Decodes what is new in a chunk, in order. Blocks.
///
/// # Errors
/// When rows cannot be spilled: a full disk stops the run, it never drops rows.
pub(crate) fn decode_chunk(chunk: InspectedChunk, options: &DecodeOptions) -> Result<DecodedChunk> {
    let mut decoder = Decoder::new(options.limits.clone());
    let mut rows = Rows::new(&chunk, options);
    let mut objects = Vec::with_capacity(chunk.objects.len());
    for (number, object) in chunk.objects.into_iter().enumerate() {
        let InspectedObject { object, sight } = object;
        let outcome = match sight {
            Sight::Failed(kind, reason) => Outcome::Failed(kind, reason),
            Sight::Refused(reason) => Outcome::Refused(reason),
            Sight::Foreign => Outcome::Foreign,
            Sight::Unchanged => Outcome::Unchanged,
            Sight::Copy(inspected, original) => Outcome::Copy(inspected, original),
            Sight::Fresh(inspected, contents) => {
                let mut again = || open_again(&contents, &options.cancel);
                let number = i64::try_from(number).unwrap_or(i64::MAX);
                let decoded =
                    decoder.decode(number, &inspected, &mut again, &mut |batch| rows.push(batch));
                outcome_of(decoded, &inspected)
            }
        };
        objects.push(DecodedObject { object, outcome });
    }
    decoder.finish(&mut |batch| rows.push(batch));
    let Rows { batches, bytes, spilled, failure, foreign, left_out, .. } = rows;
    if let Some(error) = failure {
        return Err(error);
    }
    for (object, (foreign, left_out)) in objects.iter_mut().zip(foreign.into_iter().zip(left_out)) {
        if let Outcome::Read { foreign_recipients, deselected, .. } = &mut object.outcome {
            (*foreign_recipients, *deselected) = (foreign, left_out);
        }
    }
    let InspectedChunk { number, claims_from, .. } = chunk;
    Ok(DecodedChunk { number, claims_from, objects, rows: batches, bytes, spilled })
}

fn outcome_of(decoded: io::Result<ObjectSummary>, inspected: &Inspected) -> Outcome {
    match decoded {
        Ok(ObjectSummary { fault: Some(ObjectFault::Changed), .. }) => {
            Outcome::Failed(FaultKind::Changed, ObjectFault::Changed.to_string())
        }
        Ok(summary) => {
            let head = match &inspected.inflated {
                Some(bytes) if !summary.recognised => bytes[..bytes.len().min(4_096)].to_vec(),
                _ => Vec::new(),
            };
            let summary = Box::new(summary);
            Outcome::Read { summary, head, foreign_recipients: 0, deselected: 0 }
        }
        Err(error) => Outcome::Failed(FaultKind::Unreadable, error.to_string()),
    }
}

/// Rows as they come out of the decoder: held up to a bound, then set aside.
struct Rows<'a> {
    batches: Vec<Batch>,
    bytes: usize,
    spilled: Vec<SpilledRows>,
    failure: Option<Error>,
    /// Account in each object's key, and how many of its rows name another recipient.
    accounts: Vec<Option<String>>,
    foreign: Vec<u64>,
    /// How many of each object's rows were left out.
    left_out: Vec<u64>,
    /// What stands beside each object that is a digest file.
    stamps: Vec<Option<Box<DigestStamp>>>,
    options: &'a DecodeOptions,
}

impl<'a> Rows<'a> {
    fn new(chunk: &InspectedChunk, options: &'a DecodeOptions) -> Rows<'a> {
        let objects = chunk.objects.iter().map(|object| &object.object);
        let accounts = objects.map(|object| object.log_key().account.map(str::to_owned));
        Rows {
            batches: Vec::new(),
            bytes: 0,
            spilled: Vec::new(),
            failure: None,
            accounts: accounts.collect(),
            foreign: vec![0; chunk.objects.len()],
            left_out: vec![0; chunk.objects.len()],
            stamps: chunk.objects.iter().map(|object| object.object.digest_stamp.clone()).collect(),
            options,
        }
    }

    fn push(&mut self, mut batch: Batch) -> ControlFlow<()> {
        if batch.kind == Kind::Digest {
            match stamped(&batch.rows, &self.stamps) {
                Ok(rows) => batch.rows = rows,
                Err(error) => self.failure = Some(error.into()),
            }
        }
        if let Some(taken) = self.options.taking.of(&batch) {
            match self.leave_out(&batch.rows, &taken) {
                Ok(rows) => batch.rows = rows,
                Err(error) => self.failure = Some(error.into()),
            }
        }
        self.count_foreign_recipients(&batch.rows);
        self.bytes += batch.rows.get_array_memory_size();
        self.batches.push(batch);
        if self.bytes > self.options.held_bytes_max {
            match spill(std::mem::take(&mut self.batches), &self.options.temp_dir) {
                Ok(spilled) => self.spilled.push(spilled),
                Err(error) => self.failure = Some(error),
            }
            self.bytes = 0;
        }
        if self.failure.is_some() || self.options.cancel.is_cancelled() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// Returns the rows that are taken in, and counts the others by object.
    fn leave_out(
        &mut self,
        rows: &RecordBatch,
        taken: &BooleanArray,
    ) -> Result<RecordBatch, ArrowError> {
        let schema = rows.schema();
        let numbers = rows.column(schema.index_of(OBJECT)?).as_primitive::<Int64Type>();
        for (number, taken) in numbers.values().iter().zip(taken.values().iter()) {
            let left_out = usize::try_from(*number).ok().and_then(|at| self.left_out.get_mut(at));
            if let Some(left_out) = left_out.filter(|_| !taken) {
                *left_out += 1;
            }
        }
        filter_record_batch(rows, taken)
    }

    fn count_foreign_recipients(&mut self, rows: &RecordBatch) {
        let column = |name| rows.column_by_name(name);
        let recipients =
            column("recipientAccountId").and_then(|column| column.as_string_opt::<i32>());
        let numbers = column("_object").and_then(|column| column.as_primitive_opt::<Int64Type>());
        let (Some(recipients), Some(numbers)) = (recipients, numbers) else { return };
        for (row, number) in numbers.values().iter().enumerate() {
            let Ok(number) = usize::try_from(*number) else { continue };
            if let (Some(Some(account)), Some(foreign)) =
                (self.accounts.get(number), self.foreign.get_mut(number))
                && recipients.is_valid(row)
                && recipients.value(row) != account
            {
                *foreign += 1;
            }
        }
    }
}

/// Returns rows of digest files with what S3 keeps beside each; `_object` is the number in `stamps`.
fn stamped(
    rows: &RecordBatch,
    stamps: &[Option<Box<DigestStamp>>],
) -> Result<RecordBatch, ArrowError> {
    if stamps.iter().all(Option::is_none) {
        return Ok(rows.clone());
    }
    let schema = rows.schema();
    let numbers = rows.column(schema.index_of("_object")?).as_primitive::<Int64Type>();
    let stamp_of = |number: &i64| stamps.get(usize::try_from(*number).ok()?)?.as_deref();
    let mut columns = rows.columns().to_vec();
    let mut fill = |name, part: fn(&DigestStamp) -> Option<&str>| {
        let values = numbers.values().iter().map(|number| part(stamp_of(number)?));
        columns[schema.index_of(name)?] = Arc::new(values.collect::<StringArray>());
        Ok::<_, ArrowError>(())
    };
    fill("signature", |stamp| stamp.signature.as_deref())?;
    fill("signatureAlgorithm", |stamp| stamp.signature_algorithm.as_deref())?;
    fill("backfillGenerationTimestamp", |stamp| stamp.backfill_generation_timestamp.as_deref())?;
    RecordBatch::try_new(rows.schema(), columns)
}
