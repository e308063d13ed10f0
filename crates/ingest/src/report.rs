//! What became of everything: counts whose identities add up, faults, and the intake record.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use traillake_store::{ObjectRow, ObjectState, RoundReceipt};

use crate::source::Ignored;

/// Faults that a [`Report`] keeps; further ones are only counted.
pub(crate) const FAULTS_MAX: usize = 1_000;

/// What a run did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Objects by what became of them.
    pub objects: ObjectCounts,
    /// Records of the objects committed, by what became of them.
    pub records: RecordCounts,
    /// What was passed over and why, with how many.
    pub ignored: BTreeMap<String, u64>,
    /// When the newest of the objects found was delivered, by its key.
    pub newest_delivery: Option<DateTime<Utc>>,
    /// Bytes read of objects committed, as stored at their source.
    pub bytes_read: u64,
    /// Bytes of data files written, of attempts abandoned to another ingester too.
    pub bytes_written: u64,
    /// Rounds committed.
    pub rounds: u64,
    /// How often another ingester was first and a round was rebased on its.
    pub rebased: u64,
    /// Records that name another recipient account than their object's key does. They are stored
    /// as they are; member accounts' logs in an organization trail should have none.
    pub foreign_recipients: u64,
    /// What went wrong, in the order met; at most 1,000.
    pub faults: Vec<Fault>,
    /// How much went wrong, those not kept in `faults` too.
    pub faults_total: u64,
    /// How many of them left something out for which the next run has to look.
    #[serde(skip)]
    pub gaps: u64,
    /// Months of a bucket that were not listed: a run that was cut off, and from which this one went
    /// on, had brought them in.
    pub months_passed_over: u64,
    /// Whether the run was asked to stop before its end.
    pub cancelled: bool,
}

/// Objects by what became of them. `found` is the sum of all others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ObjectCounts {
    /// Everything found at the sources.
    pub found: u64,
    /// In the ledger already, unchanged: not read (with rehash: read, and the same bytes).
    pub known: u64,
    /// Read, and their records taken in.
    pub read: u64,
    /// Known under the same key with other content: read again.
    pub changed: u64,
    /// With the same inflated bytes as another object: noted, not decoded.
    pub copies: u64,
    /// Sound, without records.
    pub empty: u64,
    /// Refused as a whole.
    pub rejected: u64,
    /// Not to be had: unreadable, vanished, or changed while read. Still new for the next run.
    pub failed: u64,
    /// Committed by another ingester while this one read them.
    pub elsewhere: u64,
    /// Not CloudTrail's logs; see [`Report::ignored`].
    pub ignored: u64,
    /// Outside the selection.
    pub left_out: u64,
    /// New or changed, and delivered before what the store keeps: not read.
    pub past_retention: u64,
    /// Not reached, because the run was asked to stop.
    pub unreached: u64,
}

impl ObjectCounts {
    /// Returns how many of what was found are logs that the run was about.
    pub fn logs(&self) -> u64 {
        self.found - self.ignored - self.left_out - self.past_retention
    }

    /// Returns whether everything found is accounted for.
    pub fn adds_up(&self) -> bool {
        self.found == self.reached() + self.unreached
    }

    /// Counts what a cancelled run did not come to.
    pub(crate) fn close(&mut self) {
        self.unreached = self.found.saturating_sub(self.reached());
    }

    /// Returns how many of what was found the other counts account for.
    pub(crate) fn reached(&self) -> u64 {
        let in_ledger = self.known + self.read + self.changed + self.copies + self.empty;
        let not_taken = self.rejected + self.failed + self.elsewhere;
        in_ledger + not_taken + self.ignored + self.left_out + self.past_retention
    }
}

/// Records by what became of them. `records` is the sum of all others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RecordCounts {
    /// Records in the objects committed.
    pub records: u64,
    /// Became the one row of their identity.
    pub stored: u64,
    /// Equal bytes to a row or variant.
    pub duplicates: u64,
    /// Equal JSON value to a row or variant, spelled otherwise.
    pub respelled: u64,
    /// Another value than the row of their identity.
    pub variants: u64,
    /// Left out by a selection.
    pub deselected: u64,
    /// Could not become a row.
    pub rejects: u64,
}

impl RecordCounts {
    /// Returns whether every record is accounted for.
    pub fn adds_up(&self) -> bool {
        let rows = self.stored + self.duplicates + self.respelled + self.variants;
        self.records == rows + self.deselected + self.rejects
    }

    fn add(&mut self, row: &ObjectRow) {
        self.records += row.records;
        self.stored += row.counts.stored;
        self.duplicates += row.counts.duplicates;
        self.respelled += row.counts.respelled;
        self.variants += row.counts.variants;
        self.deselected += row.deselected;
        self.rejects += row.rejects;
    }
}

/// Something wrong with an object or a folder. The run goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Its key or path.
    pub object: String,
    /// What is wrong.
    pub kind: FaultKind,
    /// In words.
    pub reason: String,
}

/// What can be wrong with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A file or folder that may not or cannot be read.
    Unreadable,
    /// Listed, and gone when it was to be read.
    Vanished,
    /// It changed while it was read.
    Changed,
    /// In an archive class of S3, from which it has to be restored first.
    Archived,
    /// An archive that breaks off; what stands before the break is read.
    Damaged,
    /// Refused as a whole; it is in the ledger with the reason.
    Rejected,
    /// Some of its records could not become rows; they are kept as rejects.
    Rejects,
}

impl FaultKind {
    /// Returns whether it leaves something out for which the next run has to look. What was refused
    /// is in the ledger, with the reason.
    pub(crate) fn is_gap(self) -> bool {
        !matches!(self, FaultKind::Rejected | FaultKind::Rejects)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FaultKind::Unreadable => "unreadable",
            FaultKind::Vanished => "vanished",
            FaultKind::Changed => "changed",
            FaultKind::Archived => "archived",
            FaultKind::Damaged => "damaged",
            FaultKind::Rejected => "rejected",
            FaultKind::Rejects => "rejects",
        })
    }
}

impl Report {
    /// Returns whether nothing was rejected, failed or cut short: what exit code 0 means.
    pub fn is_clean(&self) -> bool {
        self.faults_total == 0 && self.records.rejects == 0 && !self.cancelled
    }

    /// Returns whether objects and records add up.
    pub fn adds_up(&self) -> bool {
        self.objects.adds_up() && self.records.adds_up()
    }

    pub(crate) fn ignore(&mut self, reason: Ignored, count: u64) {
        self.objects.ignored += count;
        *self.ignored.entry(reason.to_string()).or_default() += count;
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        self.faults_total += 1;
        self.gaps += u64::from(fault.kind.is_gap());
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }

    pub(crate) fn round(&mut self, receipt: &RoundReceipt) {
        self.rounds += u64::from(!receipt.objects.is_empty());
        self.rebased += u64::from(receipt.rebased);
        self.bytes_written += receipt.bytes_written;
        self.objects.elsewhere += receipt.known.len() as u64;
        for row in &receipt.objects {
            self.bytes_read += row.size_bytes;
            self.records.add(row);
            let count = match row.state {
                ObjectState::Read => &mut self.objects.read,
                ObjectState::Copy => &mut self.objects.copies,
                ObjectState::Changed => &mut self.objects.changed,
                ObjectState::Rejected => &mut self.objects.rejected,
                ObjectState::Empty => &mut self.objects.empty,
            };
            *count += 1;
        }
    }
}

/// Something passed over, in the intake record (`--report`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IgnoredLine {
    /// Where it is.
    pub ignored: String,
    /// Why, as in [`Report::ignored`].
    pub reason: String,
}

impl IgnoredLine {
    /// Returns the line of what was passed over at `path`.
    pub(crate) fn of(path: String, reason: Ignored) -> IgnoredLine {
        IgnoredLine { ignored: path, reason: reason.to_string() }
    }
}

/// One committed object in the intake record (`--report`): enough to prove later what was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IntakeLine {
    /// Where it was read.
    pub object: String,
    /// Its key from `AWSLogs/` on, else the whole path.
    pub logical_key: String,
    /// Bytes as stored.
    pub size_bytes: u64,
    /// Modification time at the source, RFC 3339.
    pub modified_at: Option<String>,
    /// ETag, where the source has one.
    pub etag: Option<String>,
    /// SHA-256 of the bytes as stored, lower-case hex.
    pub sha256: Option<String>,
    /// SHA-256 of the inflated bytes, lower-case hex.
    pub inflated_sha256: Option<String>,
    /// Table of its first record.
    pub kind: Option<String>,
    /// Account in its key.
    pub account: Option<String>,
    /// Region in its key.
    pub region: Option<String>,
    /// Delivery time in its key, RFC 3339.
    pub delivered_at: Option<String>,
    /// Earliest eventTime, RFC 3339.
    pub first_event_at: Option<String>,
    /// Latest eventTime, RFC 3339.
    pub last_event_at: Option<String>,
    /// What became of it: `read`, `copy`, `changed`, `rejected` or `empty`.
    pub state: &'static str,
    /// The object it is a copy of.
    pub copy_of: Option<String>,
    /// More about its state.
    pub detail: Option<String>,
    /// What became of its records.
    #[serde(flatten)]
    pub records: RecordCounts,
    /// Number of the round that committed it.
    pub round: i64,
    /// When that was, RFC 3339.
    pub committed_at: String,
}

impl IntakeLine {
    /// Returns the line of an object committed in `round` at `committed_at`.
    pub(crate) fn of(row: &ObjectRow, round: i64, committed_at: DateTime<Utc>) -> IntakeLine {
        let mut records = RecordCounts::default();
        records.add(row);
        IntakeLine {
            object: row.object_key.clone(),
            logical_key: row.logical_key.clone(),
            size_bytes: row.size_bytes,
            modified_at: row.modified_at.map(spelled),
            etag: row.etag.clone(),
            sha256: row.sha256.map(|hash| hex(&hash)),
            inflated_sha256: row.inflated_sha256.map(|hash| hex(&hash)),
            kind: row.kind.clone(),
            account: row.account.clone(),
            region: row.region.clone(),
            delivered_at: row.delivered_at.map(spelled),
            first_event_at: row.first_event_at.map(spelled),
            last_event_at: row.last_event_at.map(spelled),
            state: row.state.as_str(),
            copy_of: row.copy_of.clone(),
            detail: row.detail.clone(),
            records,
            round,
            committed_at: spelled(committed_at),
        }
    }
}

fn spelled(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        use fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}
