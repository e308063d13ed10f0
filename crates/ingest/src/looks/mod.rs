//! What was looked at: of which accounts, regions and times a bucket was listed, and of which not.
//!
//! A trail delivers to *places*: an account and a region under one `AWSLogs` of a bucket. A walk
//! meets places, also those that a run leaves out, and says of each from which month on there is
//! something. A run that ends adds for which times it has listed each of them. Times are those of
//! events: to have looked until a time means to have listed what was delivered [`LATE_DAYS`] later
//! still.
//!
//! Looks only ever add up, so that several ingesters need not know of one another: what one of them
//! has listed, is listed. Files on disk, keys that somebody names and an inventory are no looks:
//! whether all of a day is among them, nobody knows.

mod course;
mod file;
mod runs;
mod scope;
mod spans;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, DurationRound, NaiveDate, TimeDelta, Utc};
use traillake_cloudtrail::Kind;
use traillake_store::{Look, StoreWriter};

use crate::options::{LATE_DAYS, Selection};
use crate::report::Report;

pub(crate) use course::{Course, may_grow};
pub use runs::DayRun;
pub(crate) use scope::Scope;
use spans::{Span, Spans};

/// Everything that was looked at to fill a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looks {
    /// When somebody looked last.
    looked_at: Option<DateTime<Utc>>,
    places: BTreeMap<Place, Known>,
    /// Runs by what they are over, as far as they came.
    courses: BTreeMap<String, Course>,
}

/// Where a trail delivers to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The folder above accounts: `s3://bucket/prefix/AWSLogs`.
    pub(crate) root: String,
    pub(crate) account: String,
    /// None: the account's regions are not known.
    pub(crate) region: Option<String>,
}

/// What is known of a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Known {
    /// The first month of which there is something.
    first: Option<NaiveDate>,
    /// Times whose events were listed.
    listed: Spans,
}

/// The places that a walk of a bucket meets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(BTreeMap<Place, Option<NaiveDate>>);

impl Places {
    /// Takes in a folder that is to be listed, entered or left.
    pub(crate) fn meet(&mut self, folder_uri: &str, is_left: bool) {
        let scope = Scope::of(folder_uri);
        let is_ours = scope.kind == Some(Kind::Events);
        // Of an account that is left out, nobody looks which regions it has.
        if !is_left && (!is_ours || scope.region.is_none()) || is_left && scope.is_other_kind() {
            return;
        }
        let (Some(root), Some(account)) = (scope.root, scope.account) else { return };
        let first = scope.days.map(|(first, _)| first);
        let known = self.0.entry(Place { root, account, region: scope.region }).or_default();
        *known = (*known).into_iter().chain(first).min();
    }
}

/// One look at a bucket, from its walk to its end.
#[derive(Debug, Clone)]
pub(crate) struct Looking {
    /// The bucket, and what is under its prefix.
    pub(crate) uri: String,
    pub(crate) places: Places,
}

impl Looking {
    /// Returns which places there are, before anything was listed.
    pub(crate) fn begun(&self, began: DateTime<Utc>) -> Looks {
        let places = self.places.0.clone().into_iter();
        let places = places.map(|(place, first)| (place, Known { first, ..Known::default() }));
        let looked_at = Some(to_the_hour(began));
        Looks { looked_at, places: places.collect(), ..Looks::default() }
    }

    /// Returns what was looked at until `listed_until`, given what went wrong.
    pub(crate) fn done(
        &self,
        selection: &Selection,
        report: &Report,
        listed_until: DateTime<Utc>,
    ) -> Looks {
        let looked_at = to_the_hour(listed_until);
        let until = selection.until.map_or(looked_at, |until| until.min(looked_at));
        let mut window = Spans::of(Span::between(selection.since, until));
        // Below a prefix that names a day or a month there is nothing else.
        if let Some((first, end)) = Scope::of(&self.uri).days {
            let end = spans::midnight(end) - TimeDelta::days(LATE_DAYS);
            window.keep(Span::between(Some(spans::midnight(first)), end));
        }
        let gaps = gaps(report, &self.uri);
        let known = |place: &Place, first| {
            let mut listed = match &gaps {
                Some(_) if is_selected(place, selection) => window.clone(),
                _ => Spans::default(),
            };
            for gap in gaps.iter().flatten().filter(|gap| gap.is_about(place)) {
                listed.remove(gap.events());
            }
            Known { first, listed }
        };
        let places = self.places.0.iter();
        let places = places.map(|(place, first)| (place.clone(), known(place, *first)));
        Looks { looked_at: Some(looked_at), places: places.collect(), ..Looks::default() }
    }
}

/// Who follows a bucket looks each minute, and need not write each time.
fn to_the_hour(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

fn is_selected(place: &Place, selection: &Selection) -> bool {
    let Selection { accounts, regions, kinds, .. } = selection;
    place.region.as_ref().is_some_and(|region| regions.is_empty() || regions.contains(region))
        && (accounts.is_empty() || accounts.contains(&place.account))
        && (kinds.is_empty() || kinds.contains(&Kind::Events))
}

/// What could not be listed or read; none when more went wrong than the report tells.
fn gaps(report: &Report, uri: &str) -> Option<Vec<Scope>> {
    if report.faults_total > report.faults.len() as u64 {
        return None;
    }
    // What was refused is in the ledger, with the reason.
    let faults = report.faults.iter().filter(|fault| fault.kind.is_gap());
    let ours = faults.filter(|fault| fault.object.starts_with(uri));
    Some(ours.map(|fault| Scope::of(&fault.object)).collect())
}

impl Looks {
    /// Reads what a lake keeps of a store.
    ///
    /// # Errors
    /// In words, when a file is none of ours, or of a later version.
    pub fn of_files<'a>(files: impl IntoIterator<Item = &'a [u8]>) -> Result<Looks, String> {
        let mut all = Looks::default();
        for bytes in files {
            all.add(file::read(bytes)?);
        }
        Ok(all)
    }

    /// Takes in what others have looked at.
    pub(crate) fn add(&mut self, other: Looks) {
        self.looked_at = self.looked_at.max(other.looked_at);
        for (place, known) in other.places {
            let ours = self.places.entry(place).or_default();
            ours.first = ours.first.into_iter().chain(known.first).min();
            ours.listed.add_all(&known.listed);
        }
        let with_regions = self.places.keys().filter(|place| place.region.is_some());
        let with_regions: BTreeSet<(String, String)> =
            with_regions.map(|of| (of.root.clone(), of.account.clone())).collect();
        self.places.retain(|place, _| {
            let account = (place.root.clone(), place.account.clone());
            place.region.is_some() || !with_regions.contains(&account)
        });
        for (name, course) in other.courses {
            let course = match self.courses.remove(&name) {
                Some(ours) => ours.and(course),
                None => course,
            };
            self.courses.insert(name, course);
        }
        let now = self.looked_at;
        self.courses.retain(|_, course| now.is_none_or(|now| course.is_kept(now)));
    }

    /// Returns what the lake keeps of a store, and the files that say so.
    async fn files(writer: &StoreWriter) -> Result<(Looks, Vec<Look>), String> {
        let kept = writer.looks().await.map_err(|error| error.to_string())?;
        let looks = Looks::of_files(kept.iter().map(|look| &*look.text))?;
        Ok((looks, kept))
    }

    /// Returns what the lake keeps of a store; nothing, which is told, where it cannot be read.
    pub(crate) async fn kept(writer: &StoreWriter) -> Looks {
        match Looks::files(writer).await {
            Ok((looks, _)) => looks,
            Err(reason) => {
                tracing::warn!(reason, "what was looked at could not be read");
                Looks::default()
            }
        }
    }

    /// Adds these looks to those that the lake keeps of a store, and that runs of the names `ended`
    /// came to their end. That it cannot be done is told, and no more: what was looked at then
    /// counts as not looked at.
    pub(crate) async fn keep(self, ended: &[String], writer: &StoreWriter) {
        if let Err(reason) = self.try_keep(ended, writer).await {
            tracing::warn!(reason, "what was looked at could not be noted");
        }
    }

    async fn try_keep(self, ended: &[String], writer: &StoreWriter) -> Result<(), String> {
        let (before, kept) = Looks::files(writer).await?;
        let mut all = before.clone();
        all.add(self);
        all.end(ended);
        if all == before && kept.len() <= 1 {
            return Ok(());
        }
        let text = file::write(&all)?;
        writer.add_look(text, &kept).await.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests;
