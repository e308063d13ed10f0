//! Which files to fold into which: sizes, times and ages in, groups out. Nothing is read here.
//!
//! Every fold makes files whose rows have been rewritten once more than the most often rewritten
//! of its inputs; no fold passes [`folds_max`], so how often an event is written again is bounded by
//! what this file says, whatever arrives. Where events leave, the last time is kept for retention: when
//! a file comes to the cut-off it becomes a file a day, each of which then leaves whole
//! ([`Group::alone`]).
//!
//! - While a month goes on, its files are folded by *tiers*: small files that were rewritten equally
//!   often, once together they are many times the largest of them. Minutes become half hours, half
//!   hours become a day.
//! - What is older than everything folded so far leaves for a file of its own (the `cut`), so that a
//!   late event does not stretch a file over the whole month.
//! - Once a month is over and no file came for a day, what is small becomes one file, or a few that
//!   follow one another in time. A file joins only when the others bring a tenth of it: late events
//!   are folded with one another, and wait beside their month until they are worth it
//!   (docs/decisions/0015-upkeep.md says why).

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, Months, NaiveDate, TimeDelta, Utc};
use object_store::path::Path;

use super::times::days;
use crate::layout;
use crate::snapshot::LiveFile;

/// How often a row is rewritten in its life, at most. (Where folds have used that up before a retention
/// is set, once more.)
pub(super) const REWRITES_MAX: u32 = 4;
/// How often folds rewrite a row of a store whose events leave, at most.
const FOLDS_BEFORE_RETENTION: u32 = REWRITES_MAX - 1;
/// A file of this size is folded no more, but for late events.
pub(super) const FULL_BYTES: u64 = 128 << 20;
/// No file is made larger than this.
const FILE_BYTES_MAX: u64 = 512 << 20;
/// What files are made of that share more rows than fit into one.
const FILE_BYTES: u64 = 384 << 20;
/// A tier is folded when it is so many times its largest file, by number of rewrites. Fifty
/// thousand rounds a month are 32 · 32 · 48.
const TIERS: [u64; 3] = [32, 32, 64];
/// A tier is folded when it has so many times that many files, however their sizes differ.
const TIER_FILES: usize = 4;
/// Files of one fold, at most: the footer of each is in memory until the fold is over.
const INPUTS_MAX: usize = 256;
/// Bytes of one fold, at most: what an interruption costs.
const INPUT_BYTES_MAX: u64 = 4 << 30;
/// A file is worth rewriting when this share of it comes in.
const WORTH: u64 = 10;

/// A live file, as planning sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Piece {
    /// Its path.
    pub path: Path,
    /// The month it belongs to; none in a table without months.
    pub partition: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Rows.
    pub rows: u64,
    /// How often its rows have been rewritten, at most.
    pub rewrites: u32,
    /// First and last time in it, where known: microseconds since 1970.
    pub span: Option<(i64, i64)>,
    /// When it became part of the table.
    pub added_at: DateTime<Utc>,
}

/// Files to be folded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    /// The month they belong to.
    pub partition: Option<String>,
    /// The files, by time.
    pub inputs: Vec<Piece>,
    /// How often the rows of the new files will have been rewritten, at most.
    pub rewrites: u32,
    /// Rows up to this time go to files of their own.
    pub cut: Option<i64>,
    /// How large the new files should be.
    pub file_bytes: u64,
}

impl Group {
    /// One file, written again without what is past retention, whatever its number is. What was
    /// folded before becomes a file a day, and has a number with which folds leave it so: a month
    /// that is thinned out day by day is written again once, and not each day.
    pub(crate) fn alone(file: &LiveFile) -> Group {
        let rewrites = match layout::rewrites(&file.path) {
            0 => 1,
            folded => (folded + 1).max(FOLDS_BEFORE_RETENTION),
        };
        let (partition, inputs) = (file.partition.clone(), Vec::new());
        Group { partition, inputs, rewrites, cut: None, file_bytes: u64::MAX }
    }

    /// Where its files are.
    pub(super) fn paths(&self) -> Vec<Path> {
        self.inputs.iter().map(|piece| piece.path.clone()).collect()
    }

    /// The times of the files that a file at the cut-off `before` becomes; `last` is its latest.
    pub(super) fn left_by_day(&self, before: i64, last: i64) -> Vec<Range<i64>> {
        let all = i64::MIN..i64::MAX;
        if self.rewrites < FOLDS_BEFORE_RETENTION { vec![all] } else { days(before, last) }
    }

    fn of(mut inputs: Vec<Piece>, cut: Option<i64>) -> Group {
        inputs.sort_by(|a, b| (a.span, a.added_at, &a.path).cmp(&(b.span, b.added_at, &b.path)));
        let bytes: u64 = inputs.iter().map(|piece| piece.size).sum();
        let file_bytes = match bytes <= FILE_BYTES_MAX {
            true => FILE_BYTES_MAX,
            false => bytes.div_ceil(bytes.div_ceil(FILE_BYTES)),
        };
        Group {
            partition: inputs.first().and_then(|piece| piece.partition.clone()),
            rewrites: 1 + inputs.iter().map(|piece| piece.rewrites).max().unwrap_or(0),
            cut,
            file_bytes,
            inputs,
        }
    }

    /// Bytes of its files.
    pub fn bytes(&self) -> u64 {
        self.inputs.iter().map(|piece| piece.size).sum()
    }

    /// Rows of its files.
    pub fn rows(&self) -> u64 {
        self.inputs.iter().map(|piece| piece.rows).sum()
    }

    /// How many files it will leave, about.
    pub fn files(&self) -> u64 {
        self.bytes().div_ceil(self.file_bytes.max(1)).max(1) + u64::from(self.cut.is_some())
    }
}

/// How often folds rewrite a row at most. Files of so many are left alone.
pub(super) fn folds_max(events_leave: bool) -> u32 {
    if events_leave { FOLDS_BEFORE_RETENTION } else { REWRITES_MAX }
}

/// The folds that are due among the live files of a table, at most one for each file; none rewrites a
/// row more than `folds_max` times.
pub(super) fn plan(pieces: Vec<Piece>, folds_max: u32, now: DateTime<Utc>) -> Vec<Group> {
    let mut months: BTreeMap<Option<String>, Vec<Piece>> = BTreeMap::new();
    for piece in pieces {
        months.entry(piece.partition.clone()).or_default().push(piece);
    }
    months.values().flat_map(|pieces| plan_month(pieces, folds_max, now)).collect()
}

fn plan_month(pieces: &[Piece], folds_max: u32, now: DateTime<Utc>) -> Vec<Group> {
    let day = TimeDelta::days(1);
    let month = pieces.first().and_then(|piece| piece.partition.as_deref());
    let over = month.is_none_or(|month| end_of(month).is_none_or(|end| end + day <= now));
    let quiet = pieces.iter().all(|piece| piece.added_at + day <= now);
    if !over {
        return tiers(pieces, 0);
    }
    if quiet {
        return last_fold(pieces, folds_max);
    }
    // What was never rewritten may be once, at once: whoever brings in an old month wants it whole.
    let mut groups = tiers(pieces, 1);
    let fresh = small(pieces).filter(|piece| piece.rewrites == 0);
    groups.extend(chunks(worthwhile(fresh.cloned().collect()), None));
    groups
}

/// Small files: those not yet of the size they should have.
fn small(pieces: &[Piece]) -> impl Iterator<Item = &Piece> + Clone {
    pieces.iter().filter(|piece| piece.size < FULL_BYTES)
}

/// The tiers, from one number of rewrites on, that have grown enough.
fn tiers(pieces: &[Piece], from: u32) -> Vec<Group> {
    let mut groups = Vec::new();
    for (rewrites, times) in (0..).zip(TIERS).skip(from as usize) {
        let tier = small(pieces).filter(|piece| piece.rewrites == rewrites);
        let largest = tier.clone().map(|piece| piece.size).max().unwrap_or(0);
        let bytes: u64 = tier.clone().map(|piece| piece.size).sum();
        let count = tier.clone().count();
        let many = count >= TIER_FILES * times as usize;
        let grown = bytes >= (times * largest).min(FILE_BYTES_MAX);
        if count < 2 || !(grown || many) {
            continue;
        }
        let later = pieces.iter().filter(|piece| piece.rewrites > rewrites);
        let cut = later.filter_map(|piece| Some(piece.span?.1)).max();
        groups.extend(chunks(tier.cloned().collect(), cut));
    }
    groups
}

/// Everything small of a month that is over, and the full files they lie over.
fn last_fold(pieces: &[Piece], folds_max: u32) -> Vec<Group> {
    let may_be_folded = |piece: &&Piece| piece.rewrites < folds_max;
    let mut inputs = worthwhile(small(pieces).filter(may_be_folded).cloned().collect());
    let full = pieces.iter().filter(|piece| piece.size >= FULL_BYTES).filter(may_be_folded);
    let overlapped: Vec<Piece> = full
        .filter(|full| {
            let late: u64 = inputs.iter().map(|piece| shared_bytes(piece, full)).sum();
            late * WORTH >= full.size
        })
        .cloned()
        .collect();
    inputs.extend(overlapped);
    chunks(inputs, None)
}

/// The files of which each gets at least a tenth from those smaller than it: the largest such set.
fn worthwhile(mut pieces: Vec<Piece>) -> Vec<Piece> {
    pieces.sort_by(|a, b| (a.size, &a.path).cmp(&(b.size, &b.path)));
    let mut smaller = 0;
    let mut keep = 0;
    for (place, piece) in pieces.iter().enumerate() {
        if place > 0 && smaller * WORTH >= piece.size {
            keep = place + 1;
        }
        smaller += piece.size;
    }
    pieces.truncate(keep);
    pieces
}

/// Bytes of `piece` that lie in the time of `full`, as if its rows were spread evenly.
fn shared_bytes(piece: &Piece, full: &Piece) -> u64 {
    let Some((a, b)) = piece.span.zip(full.span) else { return 0 };
    let length = |from: i64, to: i64| (i128::from(to) - i128::from(from) + 1).max(0);
    let shared = length(a.0.max(b.0), a.1.min(b.1));
    let share = i128::from(piece.size) * shared / length(a.0, a.1).max(1);
    u64::try_from(share).unwrap_or(0)
}

/// Splits what is too much for one fold, by time.
fn chunks(mut pieces: Vec<Piece>, cut: Option<i64>) -> Vec<Group> {
    pieces.sort_by(|a, b| (a.span, a.added_at, &a.path).cmp(&(b.span, b.added_at, &b.path)));
    let mut groups: Vec<Vec<Piece>> = Vec::new();
    let mut bytes = 0;
    for piece in pieces {
        bytes += piece.size;
        match groups.last_mut() {
            Some(last) if last.len() < INPUTS_MAX && bytes <= INPUT_BYTES_MAX => last.push(piece),
            _ => {
                bytes = piece.size;
                groups.push(vec![piece]);
            }
        }
    }
    let several = groups.into_iter().filter(|inputs| inputs.len() > 1);
    several.map(|inputs| Group::of(inputs, cut)).collect()
}

/// When a month ends; none for what is no month.
fn end_of(month: &str) -> Option<DateTime<Utc>> {
    let first = NaiveDate::parse_from_str(&format!("{month}-01"), "%Y-%m-%d").ok()?;
    Some((first + Months::new(1)).and_hms_opt(0, 0, 0)?.and_utc())
}
