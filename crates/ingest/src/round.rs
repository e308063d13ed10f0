//! A round as it fills: chunks, as they came, become rows, ledger rows and rejects.

use std::collections::HashMap;

use chrono::DateTime;
use traillake_cloudtrail::{Inspected, Kind, ObjectFault, ObjectSummary, Reject};
use traillake_store::{Counts, ObjectRow, ObjectState, PartRows, RejectRow, RoundInput, RoundPart};

use crate::decode::{DecodedChunk, DecodedObject, Outcome};
use crate::error::Result;
use crate::progress::Progress;
use crate::report::{Fault, FaultKind, IgnoredLine, Report};
use crate::source::{Ignored, SourceObject};
use crate::spill::{Ordinals, Part, by_kind, push};

/// Memory that an object's ledger row takes, about.
const OBJECT_BYTES: usize = 800;

/// A round that is being filled.
#[derive(Default)]
pub(crate) struct Round {
    parts: Vec<RoundPart>,
    rows: PartRows,
    objects: Vec<ObjectRow>,
    rejects: Vec<RejectRow>,
    /// Bytes of rows and rejects held.
    pub(crate) bytes: usize,
    /// Records of its objects.
    pub(crate) records: u64,
    /// Number of its first chunk, once it has one.
    first_chunk: Option<u64>,
    /// Chunks of the run up to and with this round's last.
    pub(crate) chunks: u64,
}

impl Round {
    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Returns the number of chunks it has taken.
    pub(crate) fn chunks_taken(&self) -> u64 {
        self.first_chunk.map_or(0, |first| self.chunks - first)
    }

    /// Adds a chunk; what is no part of the round goes straight into the report.
    pub(crate) fn add(
        &mut self,
        chunk: DecodedChunk,
        originals: &mut Originals,
        report: &mut Report,
        progress: &dyn Progress,
    ) -> Result<()> {
        let mut ordinals = Ordinals::default();
        originals.forget_before(chunk.claims_from);
        for object in chunk.objects {
            let name = object.object.key.clone();
            let taken = originals.settle(object, chunk.number);
            if let Some(fault) = taken.fault {
                progress.fault(&fault);
                report.fault(fault);
            }
            report.foreign_recipients += taken.foreign_recipients;
            let ordinal = match taken.fate {
                Fate::Row(row, rejects) => {
                    // A large object may give rows before the fault for which it is refused.
                    let refused = row.state == ObjectState::Rejected;
                    Some(self.add_object(*row, rejects)).filter(|_| !refused)
                }
                Fate::Ignored(reason) => {
                    report.ignore(reason, 1);
                    progress.ignored(&IgnoredLine::of(name.into(), reason));
                    None
                }
                Fate::Failed => {
                    report.objects.failed += 1;
                    None
                }
                Fate::Known => {
                    report.objects.known += 1;
                    None
                }
            };
            ordinals.0.push(ordinal);
        }
        self.first_chunk.get_or_insert(chunk.number);
        self.chunks = chunk.number + 1;
        if ordinals.0.iter().all(Option::is_none) {
            return Ok(());
        }
        for rows in chunk.spilled {
            self.parts
                .push(RoundPart::Spilled(Box::new(Part { rows, ordinals: ordinals.clone() })));
        }
        for (kind, batches) in by_kind(chunk.rows) {
            let batches = batches.iter().map(|batch| ordinals.apply(batch));
            push(&mut self.rows, kind, batches.collect::<Result<_, _>>()?);
        }
        self.bytes += chunk.bytes;
        Ok(())
    }

    fn add_object(&mut self, row: ObjectRow, rejects: Vec<Reject>) -> i64 {
        let ordinal = u32::try_from(self.objects.len()).unwrap_or(u32::MAX);
        self.records += row.records;
        self.bytes += OBJECT_BYTES;
        self.objects.push(row);
        for reject in rejects {
            self.bytes += reject.bytes.len() + reject.reason.len();
            self.rejects.push(RejectRow {
                object: ordinal,
                index: reject.index,
                offset: reject.offset,
                reason: reject.reason,
                bytes: reject.bytes,
                truncated: reject.truncated,
            });
        }
        i64::from(ordinal)
    }

    /// Returns what the store commits. Spilled parts come first: they hold the earlier records.
    /// `planned_at` is the last round of the ledger that the plan rests on.
    pub(crate) fn into_input(mut self, planned_at: i64) -> RoundInput {
        self.parts.push(RoundPart::Held(self.rows));
        RoundInput {
            parts: self.parts,
            objects: self.objects,
            rejects: self.rejects,
            planned_at: Some(planned_at),
        }
    }
}

/// Where an object ends up.
enum Fate {
    /// In the ledger, with its rejects.
    Row(Box<ObjectRow>, Vec<Reject>),
    Ignored(Ignored),
    Failed,
    Known,
}

struct Taken {
    fate: Fate,
    fault: Option<Fault>,
    foreign_recipients: u64,
}

/// What became of objects that stand for copies, where it is not simply that they were read: a
/// copy of what was refused is refused too, and one of what changed meanwhile has to be read again.
#[derive(Default)]
pub(crate) struct Originals {
    /// By inflated hash, with the chunk they stood in.
    fates: HashMap<[u8; 32], (Original, u64)>,
    from: u64,
}

enum Original {
    Ignored(Ignored),
    Empty,
    Failed,
    Rejected(Vec<Reject>),
}

impl Originals {
    fn forget_before(&mut self, chunk: u64) {
        if chunk > self.from {
            self.from = chunk;
            self.fates.retain(|_, (_, stood_in)| *stood_in >= chunk);
        }
    }

    fn settle(&mut self, decoded: DecodedObject, chunk: u64) -> Taken {
        let DecodedObject { object, outcome } = decoded;
        match outcome {
            Outcome::Failed(kind, reason) => failed(&object, kind, reason),
            Outcome::Foreign => Taken {
                fate: Fate::Ignored(Ignored::NotCloudTrail),
                fault: None,
                foreign_recipients: 0,
            },
            Outcome::Unchanged => Taken { fate: Fate::Known, fault: None, foreign_recipients: 0 },
            Outcome::Refused(reason) => {
                let (index, offset, bytes) = (0, 0, Vec::new());
                let reject = Reject { index, offset, reason, bytes, truncated: true };
                rejected(object_row(&object), vec![reject])
            }
            Outcome::Copy(inspected, original) => self.copy(&object, &inspected, original),
            Outcome::Read { summary, head, foreign_recipients, deselected } => {
                let hash = summary.inflated_sha256;
                let counted = (foreign_recipients, deselected);
                let (fate, fault) = read(&object, *summary, head, counted);
                self.note(hash, &fate, chunk);
                Taken { fate, fault, foreign_recipients }
            }
        }
    }

    fn note(&mut self, hash: [u8; 32], fate: &Fate, chunk: u64) {
        let original = match fate {
            Fate::Ignored(reason) => Original::Ignored(*reason),
            Fate::Failed => Original::Failed,
            Fate::Row(row, rejects) if row.state == ObjectState::Rejected => {
                Original::Rejected(rejects.clone())
            }
            Fate::Row(row, _) if row.state == ObjectState::Empty => Original::Empty,
            Fate::Row(..) | Fate::Known => {
                self.fates.remove(&hash);
                return;
            }
        };
        self.fates.insert(hash, (original, chunk));
    }

    fn copy(&self, object: &SourceObject, inspected: &Inspected, original: String) -> Taken {
        let mut row = object_row(object);
        row.sha256 = Some(inspected.sha256);
        row.inflated_sha256 = Some(inspected.inflated_sha256);
        let fate = match self.fates.get(&inspected.inflated_sha256).map(|(original, _)| original) {
            None => {
                row.state = ObjectState::Copy;
                row.copy_of = Some(original);
                Fate::Row(Box::new(row), Vec::new())
            }
            Some(Original::Empty) => {
                row.state = ObjectState::Empty;
                Fate::Row(Box::new(row), Vec::new())
            }
            Some(Original::Ignored(reason)) => Fate::Ignored(*reason),
            Some(Original::Rejected(rejects)) => return rejected(row, rejects.clone()),
            Some(Original::Failed) => {
                let reason = format!("is a copy of `{original}`, which changed while it was read");
                return failed(object, FaultKind::Changed, reason);
            }
        };
        Taken { fate, fault: None, foreign_recipients: 0 }
    }
}

/// Judges an object that was decoded.
fn read(
    object: &SourceObject,
    summary: ObjectSummary,
    head: Vec<u8>,
    counted: (u64, u64),
) -> (Fate, Option<Fault>) {
    let ours = object.log_key().is_cloudtrail || summary.recognised || summary.suspect;
    let mut row = object_row(object);
    row.sha256 = Some(summary.sha256);
    row.inflated_sha256 = Some(summary.inflated_sha256);
    let taken = match &summary.fault {
        Some(ObjectFault::Empty) if ours => {
            row.state = ObjectState::Empty;
            row.detail = Some(ObjectFault::Empty.to_string());
            return (Fate::Row(Box::new(row), Vec::new()), None);
        }
        Some(ObjectFault::Empty) => return (Fate::Ignored(Ignored::Empty), None),
        // What nothing could be read of may be anything, and what asks for too much is told.
        Some(fault) if ours || summary.inflated_bytes == 0 || is_excessive(fault) => {
            rejected(row, summary.rejects)
        }
        None if summary.recognised => return sound(row, object, summary, counted),
        None if ours => {
            let reason = match summary.suspect {
                true => "has keys of CloudTrail's records, but no record in a form that is known",
                false => "holds no CloudTrail records",
            };
            let reason = reason.to_owned();
            rejected(
                row,
                vec![Reject { index: 0, offset: 0, reason, bytes: head, truncated: true }],
            )
        }
        Some(_) | None => return (Fate::Ignored(Ignored::NotCloudTrail), None),
    };
    (taken.fate, taken.fault)
}

fn is_excessive(fault: &ObjectFault) -> bool {
    matches!(fault, ObjectFault::TooLarge { .. } | ObjectFault::Bomb { .. })
}

fn sound(
    mut row: ObjectRow,
    object: &SourceObject,
    summary: ObjectSummary,
    (foreign_recipients, deselected): (u64, u64),
) -> (Fate, Option<Fault>) {
    let rejects = summary.rejected;
    row.records = summary.records;
    row.deselected = deselected;
    row.rejects = rejects;
    row.kind = summary.kind.map(|kind| kind.table().to_owned()).or(row.kind);
    row.first_event_at = summary.first_event_at.and_then(DateTime::from_timestamp_micros);
    row.last_event_at = summary.last_event_at.and_then(DateTime::from_timestamp_micros);
    row.state = match &object.before {
        _ if summary.records == 0 && summary.kind != Some(Kind::Digest) => ObjectState::Empty,
        Some(_) => ObjectState::Changed,
        None => ObjectState::Read,
    };
    let mut details = Vec::new();
    if foreign_recipients > 0 {
        let account = row.account.as_deref().unwrap_or_default();
        details.push(format!(
            "{foreign_recipients} records name another recipient account than `{account}`"
        ));
    }
    let kept = summary.rejects.len() as u64;
    if kept < rejects {
        details.push(format!(
            "only the first {kept} of {rejects} rejects are kept, the others are counted"
        ));
    }
    row.detail = (!details.is_empty()).then(|| details.join("; "));
    let fault = summary.rejects.first().map(|first| Fault {
        object: row.object_key.clone(),
        kind: FaultKind::Rejects,
        reason: format!(
            "{rejects} of {} records rejected, the first at byte {}: {}",
            summary.records, first.offset, first.reason
        ),
    });
    (Fate::Row(Box::new(row), summary.rejects), fault)
}

fn rejected(mut row: ObjectRow, rejects: Vec<Reject>) -> Taken {
    let reason = rejects.first().map(|reject| reject.reason.clone()).unwrap_or_default();
    row.state = ObjectState::Rejected;
    row.records = 1;
    row.rejects = 1;
    row.detail = Some(reason.clone());
    let at = rejects.first().map_or(0, |reject| reject.offset);
    let told = at == 0 || reason.contains(&format!("at byte {at}"));
    let reason = if told { reason } else { format!("at byte {at}: {reason}") };
    let fault = Fault { object: row.object_key.clone(), kind: FaultKind::Rejected, reason };
    Taken { fate: Fate::Row(Box::new(row), rejects), fault: Some(fault), foreign_recipients: 0 }
}

fn failed(object: &SourceObject, kind: FaultKind, reason: String) -> Taken {
    let fault = Fault { object: object.key.to_string(), kind, reason };
    Taken { fate: Fate::Failed, fault: Some(fault), foreign_recipients: 0 }
}

/// Returns the ledger row of an object as far as its key and its listing say.
fn object_row(object: &SourceObject) -> ObjectRow {
    let key = object.log_key();
    ObjectRow {
        object_key: object.key.to_string(),
        logical_key: key.logical_key.to_owned(),
        size_bytes: object.size_bytes,
        etag: object.etag.as_deref().map(str::to_owned),
        modified_at: object.modified_at,
        version_id: object.version_id.as_deref().map(str::to_owned),
        sha256: None,
        inflated_sha256: None,
        kind: key.kind.map(|kind| kind.table().to_owned()),
        account: key.account.map(str::to_owned),
        region: key.region.map(str::to_owned),
        delivered_at: key.delivered_at,
        records: 0,
        rejects: 0,
        deselected: 0,
        counts: Counts::default(),
        first_event_at: None,
        last_event_at: None,
        state: ObjectState::Read,
        copy_of: None,
        detail: None,
    }
}
