//! Going on from a run that was cut off.
//!
//! A run over a bucket brings in one month after the other, and leaves behind in the lake which of
//! them it has listed and brought in whole. Where it is killed, interrupted or fails, the next run
//! over the same goes on from there, as one run would after a pause: it walks the folders, and
//! lists all months but those. A run that comes to its end says so, whether it went on from another
//! or read everything again, and the one after it lists everything. So what is delivered late is
//! found by the first run that begins after another has ended, as it would be if no run were ever
//! cut off.
//!
//! Which runs are over the same, their *name* says: the bucket's place and the prefix as given, the
//! selection, and whether it is a follower's sweep. In which order months come in, which events are
//! taken of them, and whether known objects are read again is no part of it, for whoever ends has
//! listed the same. But none goes on from one who reads again, nor does that one from another.
//!
//! A month is passed over only while all of this holds:
//! - it had been over for [`LATE_DAYS`](crate::LATE_DAYS) when it was listed, or that was a quarter of
//!   an hour ago at most, in a run that begins nowhere or with a day (what is delivered meanwhile then waits for the next
//!   run, as if this were one with the run before), and it has the folders that it had then;
//! - nothing of it was left out: no fault but what is in the ledger, nothing past retention;
//! - the run is over the same prefix of the same bucket with the same selection, and for the same
//!   reason: a follower's sweep goes on from a sweep, what somebody types from what somebody typed;
//! - the run from which it goes on began within the last 30 days, and the lake has the commit that
//!   was its newest when that run last said how far it was: so it has all the rounds that it had
//!   then, not others with their numbers, as a lake that was restored from a backup may. (A commit
//!   that a clean-up has removed from the log, after a week or later, counts as not there.)

use chrono::{DateTime, NaiveTime, Utc};
use sha2::{Digest, Sha256};
use traillake_store::StoreWriter;

use crate::looks::{Course, Looks, may_grow};
use crate::options::IngestOptions;
use crate::plan::Opened;
use crate::report::Report;
use crate::source::{Bucket, Month};

/// Returns the name that runs have in common of which one can go on from another.
pub(crate) fn course_name(bucket: &Bucket, options: &IngestOptions) -> String {
    let IngestOptions { selection, is_sweep, .. } = options;
    let over = format!("{} {bucket} {selection:?} {is_sweep}", bucket.lister.bucket_url);
    format!("{:x}", Sha256::digest(over))
}

/// How far a run has come in each of its buckets.
pub(crate) struct Resumption {
    /// By the number of the bucket; none where no month can be passed over.
    courses: Vec<Option<Coming>>,
    /// When this run began.
    began: DateTime<Utc>,
    /// It begins nowhere, or with a day. A window that begins so many days or hours ago is another with
    /// each run: nobody goes on from it, and what is noted of its newest month would only pile up.
    is_lasting: bool,
}

struct Coming {
    name: String,
    course: Course,
}

impl Resumption {
    /// Returns from where a run goes on that begins at `began`. The lake is asked only where there
    /// are months of which one could be passed over, and for a commit only where one is to be.
    pub(crate) async fn of(
        opened: &Opened,
        options: &IngestOptions,
        writer: &StoreWriter,
        began: DateTime<Utc>,
    ) -> Resumption {
        let months = |bucket: usize| {
            let months = opened.groups.iter().filter_map(|group| group.month.as_ref());
            months.filter(|month| month.bucket == bucket).count()
        };
        let since = options.selection.since;
        let is_lasting = since.is_none_or(|since| since.time() == NaiveTime::MIN);
        // Who reads again what is known passes over nothing.
        let goes_on = |bucket: usize| !options.rehash && months(bucket) > 1;
        let names = &opened.course_names;
        if !(0..names.len()).any(goes_on) {
            return Resumption { courses: Vec::new(), began, is_lasting };
        }
        let kept = Looks::kept(writer).await;
        let mut courses = Vec::new();
        for (bucket, name) in names.iter().enumerate() {
            courses.push(match goes_on(bucket) {
                true => Coming::of(name, &kept, writer, began).await,
                false => None,
            });
        }
        Resumption { courses, began, is_lasting }
    }

    /// Returns until when a month was listed that the run from which this one goes on has brought in:
    /// it is passed over.
    pub(crate) fn listed_until(&self, month: &Month) -> Option<DateTime<Utc>> {
        let coming = self.courses.get(month.bucket).and_then(Option::as_ref)?;
        coming.course.listed_until(month, self.began)
    }

    /// Takes in that a month was brought in whole, and tells the lake.
    pub(crate) async fn finish(
        &mut self,
        month: &Month,
        listed_at: DateTime<Utc>,
        writer: &StoreWriter,
    ) {
        let coming = self.courses.get_mut(month.bucket).and_then(Option::as_mut);
        let Some(Coming { name, course }) = coming else { return };
        if may_grow(&month.label, listed_at) && !self.is_lasting {
            return;
        }
        if course.finish(month, listed_at, writer.mark().await) {
            Looks::of_course(name.clone(), course.clone()).keep(&[], writer).await;
        }
    }
}

impl Coming {
    /// Returns the run of a name, as far as the lake `kept` how far it has come: a new one where
    /// the lake knows of none, or has not all that was in it then; none where that is not known.
    async fn of(
        name: &str,
        kept: &Looks,
        writer: &StoreWriter,
        began: DateTime<Utc>,
    ) -> Option<Coming> {
        let known = kept.course(name, began, writer.token());
        let has_all = match known.and_then(Course::mark) {
            Some(mark) => match writer.has(&mark).await {
                Ok(has_all) => has_all,
                Err(error) => {
                    // A new one would take the place of that which a later run may go on from.
                    let message = "whether the lake is as it was could not be found out";
                    tracing::warn!(%error, "{message}: everything is listed");
                    return None;
                }
            },
            None => false,
        };
        if known.is_some() && !has_all {
            tracing::info!("the lake was another when a run was cut off: everything is listed");
        }
        let course = known.filter(|_| has_all).cloned();
        let course = course.unwrap_or_else(|| Course::begun(began));
        Some(Coming { name: name.to_owned(), course })
    }
}

/// Returns how much is missing so far of what was listed: a month that adds nothing to it was
/// brought in whole.
pub(crate) fn missing(report: &Report) -> u64 {
    report.gaps + report.objects.failed + report.objects.past_retention
}
