//! Looks by account, region and day: what `coverage` asks.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use super::spans::{Span, Spans, midnight};
use super::{Looks, Place};

/// The seconds of a day.
const DAY: i64 = 86_400;
/// CloudTrail began in this month: <https://aws.amazon.com/about-aws/whats-new/2013/11/>. A folder
/// of an earlier one is no reason to count its days.
const BEGINNING: (i32, u32) = (2013, 11);

/// Days that follow one another, of one account and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayRun {
    /// The account.
    pub account: String,
    /// The region. None: the account was left out, and which regions it has is not known.
    pub region: Option<String>,
    /// The first day.
    pub first_day: NaiveDate,
    /// The last day.
    pub last_day: NaiveDate,
    /// Whether everything there was listed, wherever it is delivered to.
    pub listed: bool,
}

impl Looks {
    /// Returns the days from the first month of which there is something in a bucket until the day
    /// before the last look: by account, region and time. A day of which a part was not listed
    /// counts as not listed.
    pub fn days(&self) -> Vec<DayRun> {
        let Some(end) = self.looked_at.map(|at| at.timestamp().div_euclid(DAY) * DAY) else {
            return Vec::new();
        };
        let first_of_all = self.places.values().filter_map(|known| known.first).min();
        let beginning = NaiveDate::from_ymd_opt(BEGINNING.0, BEGINNING.1, 1);
        let mut by_region: BTreeMap<(&str, Option<&str>), [Spans; 2]> = BTreeMap::new();
        for (place, known) in &self.places {
            let Some(first) = known.first.or(first_of_all) else { continue };
            let first = beginning.map_or(first, |beginning| first.max(beginning));
            let all = Span { since: midnight(first).timestamp(), until: end };
            let mut listed = whole_days(&known.listed);
            listed.keep(all);
            let mut others = Spans::of(all);
            others.remove_all(&listed);
            let Place { account, region, .. } = place;
            let sums = by_region.entry((account, region.as_deref())).or_default();
            sums[0].add_all(&listed);
            sums[1].add_all(&others);
        }
        let has_regions: BTreeSet<&str> =
            by_region.keys().filter(|(_, region)| region.is_some()).map(|key| key.0).collect();
        let mut runs = Vec::new();
        for ((account, region), [mut listed, others]) in by_region {
            if region.is_none() && has_regions.contains(account) {
                continue;
            }
            // What lies in two places is listed when both are.
            listed.remove_all(&others);
            let spans = listed.iter().map(|s| (s, true)).chain(others.iter().map(|s| (s, false)));
            runs.extend(spans.filter_map(|(span, listed)| {
                let (account, region) = (account.to_owned(), region.map(str::to_owned));
                let (first_day, last_day) = (day(span.since)?, day(span.until - DAY)?);
                Some(DayRun { account, region, first_day, last_day, listed })
            }));
        }
        runs.sort_by(|a, b| {
            (&a.account, &a.region, a.first_day).cmp(&(&b.account, &b.region, b.first_day))
        });
        runs
    }
}

/// The days that lie within, whole.
fn whole_days(spans: &Spans) -> Spans {
    let up = |at: i64| at.saturating_add(DAY - 1).div_euclid(DAY).saturating_mul(DAY);
    let whole = spans.iter().map(|span| Span {
        since: if span.since == i64::MIN { i64::MIN } else { up(span.since) },
        until: span.until.div_euclid(DAY).saturating_mul(DAY),
    });
    Spans::default().with(whole)
}

fn day(seconds: i64) -> Option<NaiveDate> {
    DateTime::<Utc>::from_timestamp(seconds, 0).map(|at| at.date_naive())
}
