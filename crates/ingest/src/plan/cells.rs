//! What there is to read, added up by what keys say, in bounded memory.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{Datelike, NaiveDate};
use serde::Serialize;
use traillake_cloudtrail::ObjectKey;

use super::Standing;

/// Cells of a plan at most, unless there are more by year: an organization has millions by day.
pub const PLAN_CELLS_MAX: usize = 20_000;

/// How finely the cells of a plan tell when objects were delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanSpan {
    /// By day.
    #[default]
    Day,
    /// By month, where there are more than [`PLAN_CELLS_MAX`] cells by day.
    Month,
    /// By year, where there are more than [`PLAN_CELLS_MAX`] cells by month.
    Year,
}

impl PlanSpan {
    /// Returns the next wider one.
    fn wider(self) -> Option<PlanSpan> {
        match self {
            PlanSpan::Day => Some(PlanSpan::Month),
            PlanSpan::Month => Some(PlanSpan::Year),
            PlanSpan::Year => None,
        }
    }

    /// Returns the first day of the span that a day is in.
    fn first(self, day: NaiveDate) -> NaiveDate {
        let month = if self == PlanSpan::Year { 1 } else { day.month() };
        match self {
            PlanSpan::Day => day,
            _ => NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day),
        }
    }

    /// Returns how it is written: as much of `YYYY-MM-DD` as it tells.
    fn format(self) -> &'static str {
        match self {
            PlanSpan::Day => "%Y-%m-%d",
            PlanSpan::Month => "%Y-%m",
            PlanSpan::Year => "%Y",
        }
    }
}

impl fmt::Display for PlanSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PlanSpan::Day => "day",
            PlanSpan::Month => "month",
            PlanSpan::Year => "year",
        })
    }
}

/// Objects whose keys say the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanCell {
    /// Account in the key.
    pub account: Option<String>,
    /// Region in the key.
    pub region: Option<String>,
    /// Table that the key's folder stands for.
    pub kind: Option<&'static str>,
    /// Day of delivery, `YYYY-MM-DD`; of a plan with more than [`PLAN_CELLS_MAX`] cells the month,
    /// `YYYY-MM`, and where those are more too, the year, `YYYY`.
    pub day: Option<String>,
    /// How many.
    #[serde(flatten)]
    pub tally: PlanTally,
}

/// Objects and bytes by what the ledger says of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PlanTally {
    /// Objects that are not in the ledger.
    pub new_objects: u64,
    /// Their bytes as stored.
    pub new_bytes: u64,
    /// Objects in the ledger with another size, ETag or time: they would be read again.
    pub changed_objects: u64,
    /// Their bytes as stored.
    pub changed_bytes: u64,
    /// Objects in the ledger.
    pub known_objects: u64,
    /// Their bytes as stored.
    pub known_bytes: u64,
    /// Objects that are new or changed, and have to be restored before they can be read.
    pub archived_objects: u64,
    /// Their bytes as stored.
    pub archived_bytes: u64,
}

impl PlanTally {
    /// Adds an object.
    pub(super) fn count(&mut self, standing: Standing, bytes: u64) {
        let (objects, sum) = match standing {
            Standing::New => (&mut self.new_objects, &mut self.new_bytes),
            Standing::Changed => (&mut self.changed_objects, &mut self.changed_bytes),
            Standing::Known => (&mut self.known_objects, &mut self.known_bytes),
            Standing::Archived => (&mut self.archived_objects, &mut self.archived_bytes),
        };
        *objects += 1;
        *sum += bytes;
    }

    /// Adds all that another counts.
    fn add(&mut self, other: PlanTally) {
        self.new_objects += other.new_objects;
        self.new_bytes += other.new_bytes;
        self.changed_objects += other.changed_objects;
        self.changed_bytes += other.changed_bytes;
        self.known_objects += other.known_objects;
        self.known_bytes += other.known_bytes;
        self.archived_objects += other.archived_objects;
        self.archived_bytes += other.archived_bytes;
    }
}

/// Day, account, region, kind: the order of a plan.
type Cell = (Option<NaiveDate>, Option<Box<str>>, Option<Box<str>>, Option<&'static str>);

/// Cells that objects are added to.
#[derive(Default)]
pub(super) struct Cells {
    span: PlanSpan,
    tallies: BTreeMap<Cell, PlanTally>,
    /// The cell of the last objects, by day, and what is to be added to it: those of a folder come
    /// together.
    last: Option<(Cell, PlanTally)>,
}

impl Cells {
    /// Adds the object of that key. Where there are too many cells, days become months, and months
    /// years.
    pub(super) fn count(&mut self, key: &str, standing: Standing, bytes: u64) {
        let key = ObjectKey::parse(key).unwrap_or_else(|| ObjectKey::unread(key));
        let day = key.delivered_at.map(|at| at.date_naive());
        let kind = key.kind.map(|kind| kind.table());
        let is_last = |(cell, _): &(Cell, PlanTally)| {
            let (last_day, account, region, last_kind) = cell;
            (*last_day, *last_kind) == (day, kind)
                && (account.as_deref(), region.as_deref()) == (key.account, key.region)
        };
        if !self.last.as_ref().is_some_and(is_last) {
            self.put_away();
        }
        let cell = || (day, key.account.map(Box::from), key.region.map(Box::from), kind);
        let (_, tally) = self.last.get_or_insert_with(|| (cell(), PlanTally::default()));
        tally.count(standing, bytes);
    }

    fn put_away(&mut self) {
        let Some(((day, account, region, kind), tally)) = self.last.take() else { return };
        let cell = (day.map(|day| self.span.first(day)), account, region, kind);
        self.tallies.entry(cell).or_default().add(tally);
        while self.tallies.len() > PLAN_CELLS_MAX
            && let Some(wider) = self.span.wider()
        {
            self.span = wider;
            for ((day, account, region, kind), tally) in std::mem::take(&mut self.tallies) {
                let cell = (day.map(|day| wider.first(day)), account, region, kind);
                self.tallies.entry(cell).or_default().add(tally);
            }
        }
    }

    /// Returns them in order, and how finely they tell the time.
    pub(super) fn told(mut self) -> (Vec<PlanCell>, PlanSpan) {
        self.put_away();
        let cells = self.tallies.into_iter().map(|((day, account, region, kind), tally)| {
            let day = day.map(|day| day.format(self.span.format()).to_string());
            let (account, region) = (account.map(String::from), region.map(String::from));
            PlanCell { account, region, kind, day, tally }
        });
        (cells.collect(), self.span)
    }
}
