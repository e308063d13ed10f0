//! How far runs have come that did not end: what the run after each need not list again.

use std::collections::BTreeMap;

use chrono::{DateTime, Months, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use traillake_store::Mark;

use super::Looks;
use super::spans::midnight;
use crate::options::LATE_DAYS;
use crate::source::Month;

/// How long after its beginning a run can be gone on with. What is delivered late to a month waits
/// for a run that lists the month: at most so long, however often runs are cut off.
const KEPT_DAYS: i64 = 30;
/// How long ago a month that may still grow can have been listed by the run that is gone on with: about as long
/// as CloudTrail takes to deliver.
const FRESH: TimeDelta = TimeDelta::minutes(15);

/// A run over a bucket, as far as it has come: with all those that it went on from, one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Course {
    /// When the first of them began.
    began: DateTime<Utc>,
    /// It came to its end: nobody goes on from it.
    #[serde(default, rename = "ended")]
    is_ended: bool,
    /// The store's newest commit when it last said how far it is. None: an earlier version said
    /// that, by the number of a round alone, and it is not believed.
    #[serde(flatten)]
    mark: Option<Mark>,
    /// Months that were over when it listed them and that it has brought in whole, each with the hash of
    /// its folders' names.
    #[serde(default)]
    months: BTreeMap<String, String>,
    /// Months that it has brought in, too, but that may have grown since.
    #[serde(default)]
    growing: BTreeMap<String, Growing>,
}

/// A month that may have grown since it was listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Growing {
    listed_at: DateTime<Utc>,
    /// Hash of its folders' names.
    folders: String,
}

impl Course {
    /// Returns a run that has only begun.
    pub(crate) fn begun(began: DateTime<Utc>) -> Course {
        let (months, growing) = Default::default();
        Course { began, is_ended: false, mark: None, months, growing }
    }

    /// Returns until when it has listed a month that it has brought in, with the folders that the
    /// month has `now`: until `now` where nothing more is expected of it; none where it has not, or
    /// so long ago that more may have come. (What was listed later than now, a clock noted that was
    /// ahead.)
    pub(crate) fn listed_until(&self, month: &Month, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if !may_grow(&month.label, now) && self.months.get(&month.label) == Some(&month.folders) {
            return Some(now);
        }
        let growing = self.growing.get(&month.label)?;
        let is_fresh = (TimeDelta::zero()..=FRESH).contains(&(now - growing.listed_at));
        (is_fresh && growing.folders == month.folders).then_some(growing.listed_at)
    }

    /// Takes in that a month was brought in whole; `mark` is the store's newest commit, where that
    /// is known. Returns whether somebody can go on from there: not without a mark. (A month may grow
    /// for [`LATE_DAYS`] after its end.)
    pub(crate) fn finish(
        &mut self,
        month: &Month,
        listed_at: DateTime<Utc>,
        mark: Option<Mark>,
    ) -> bool {
        let Some(mark) = mark else { return false };
        self.mark = self.mark.max(Some(mark));
        let (label, folders) = (month.label.clone(), month.folders.clone());
        match may_grow(&label, listed_at) {
            true => drop(self.growing.insert(label, Growing { folders, listed_at })),
            false => drop(self.months.insert(label, folders)),
        }
        true
    }

    /// Takes in that it came to its end.
    pub(super) fn end(&mut self) {
        self.is_ended = true;
        self.months.clear();
        self.growing.clear();
    }

    /// Returns the commit that a lake must have in which it can be gone on with.
    pub(crate) fn mark(&self) -> Option<Mark> {
        self.mark
    }

    /// Returns what two files say of runs with one name: the later run counts, and that it came to
    /// its end counts more than how far it was. (Where they know a month with different folders,
    /// either may be forgotten: it is listed again unless its folders are those.)
    pub(super) fn and(self, other: Course) -> Course {
        if self.began != other.began {
            return if self.began > other.began { self } else { other };
        }
        // An earlier version asked no more than a number before it went on from the same run.
        let mark = self.mark.zip(other.mark).map(|(ours, theirs)| ours.max(theirs));
        let is_ended = self.is_ended || other.is_ended;
        let mut months = self.months;
        months.extend(other.months);
        let mut growing = self.growing;
        for (label, theirs) in other.growing {
            let latest = growing.remove(&label).map_or(theirs.clone(), |ours| ours.max(theirs));
            growing.insert(label, latest);
        }
        let mut course = Course { mark, months, growing, ..other };
        if is_ended {
            course.end();
        }
        course
    }

    /// Returns whether it can be gone on with at a time, or would be if it had not ended.
    pub(super) fn is_kept(&self, at: DateTime<Utc>) -> bool {
        at - self.began <= TimeDelta::days(KEPT_DAYS)
    }
}

impl Looks {
    /// Returns what a run leaves behind, by the name that it has in common with those that may go
    /// on from it.
    pub(crate) fn of_course(name: String, course: Course) -> Looks {
        Looks { courses: BTreeMap::from([(name, course)]), ..Looks::default() }
    }

    /// Returns the run of that name from which another goes on that begins at `began`, when `round`
    /// is the store's last, and if the store has the run's mark. (A lake that lacks it is a copy of
    /// another time: what a run said of it does not hold.)
    pub(crate) fn course(&self, name: &str, began: DateTime<Utc>, round: i64) -> Option<&Course> {
        let course = self.courses.get(name)?;
        let has_rounds = course.mark.is_some_and(|mark| mark.round <= round);
        let goes_on = !course.is_ended && course.is_kept(began) && has_rounds;
        // One that began later was noted by a clock that was ahead.
        (goes_on && course.began <= began).then_some(course)
    }

    /// Takes in that a run of each of these names came to its end, whichever it was: what others of
    /// its name have brought in, it has listed or had listed before. None goes on from them.
    pub(super) fn end(&mut self, names: &[String]) {
        for name in names {
            if let Some(course) = self.courses.get_mut(name) {
                course.end();
            }
        }
    }
}

/// Returns whether more may be delivered of a month, `yyyy/mm`.
pub(crate) fn may_grow(label: &str, at: DateTime<Utc>) -> bool {
    let first = NaiveDate::parse_from_str(&format!("{label}/01"), "%Y/%m/%d").ok();
    let end = first.and_then(|first| first.checked_add_months(Months::new(1)));
    end.is_none_or(|end| at < midnight(end) + TimeDelta::days(LATE_DAYS))
}
