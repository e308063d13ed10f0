//! The year, and what must be true of it.

use std::collections::BTreeMap;

use traillake_testkit::random::Random;

use super::{DAY, Events, Lake, Sum};
use crate::upkeep::plan::{FULL_BYTES, Piece, REWRITES_MAX};

/// Days that a file at the cut-off can be split into.
const DAYS_OF_MONTH: usize = 31;

/// How deliveries come late.
#[derive(Clone, Copy)]
struct Late {
    /// The share of minutes in which one does, beside the two that are in time.
    chance: f64,
    /// Its bytes are those of a minute, divided by this.
    part: u64,
}

/// Late deliveries are few and small.
const FEW: Late = Late { chance: 0.01, part: 10 };
/// One of a hundred deliveries is late, and is as large as those of a busy hour.
const A_HUNDREDTH: Late = Late { chance: 0.02, part: 2 };

/// A trail of `bytes` a minute, followed for a year.
struct Year {
    lake: Lake,
    /// Bytes that came in.
    bytes: u64,
    /// The most files that a month had.
    most: usize,
}

impl Year {
    fn of(bytes: u64, upkeep_every: i64, kept_days: Option<i64>, late: Late) -> Year {
        let mut random = Random::new(bytes);
        let (files, gone) = (BTreeMap::new(), Sum::default());
        let lake = Lake { files, made: 0, cut: i64::MIN, gone };
        let mut year = Year { lake, bytes: 0, most: 0 };
        for now in 0..365 * DAY {
            // Nights are quiet; delivery takes up to a quarter of an hour.
            let busy = if now / 60 % 24 < 8 { 1 } else { 6 };
            let delivered =
                |minute: i64| Events { minute, bytes: bytes * busy / 12 + 1, rewrites: 0 };
            let mut events = vec![delivered(now - 5), delivered(now - 15)];
            if random.chance(late.chance) {
                let minutes = match random.below(10) {
                    0..5 => random.below(600),
                    5..9 => random.below(3 * 1440),
                    _ => random.below(60 * 1440),
                };
                events.push(Events {
                    minute: now - minutes as i64,
                    bytes: bytes / late.part + 1,
                    rewrites: 0,
                });
            }
            let cut = year.lake.cut;
            let kept = events.iter().filter(|events| events.minute >= cut);
            year.bytes += kept.map(|events| events.bytes).sum::<u64>();
            year.lake.round(events, now);
            if now % upkeep_every == 0 {
                year.lake.tend(now, kept_days);
                year.most =
                    year.most.max(year.lake.files.values().map(Vec::len).max().unwrap_or(0));
            }
        }
        // A month later, with nothing new.
        year.lake.tend(396 * DAY, kept_days);
        year
    }

    /// What it came to, as benches/runs has it: how often a byte was written again on average, an
    /// event at most; the most small files of a month at the end, and of all at any time.
    fn told(&self) -> String {
        let (sum, small, most) = (self.sum(), self.small(), self.most);
        format!("{:.2} | {} | {small} | {most}", sum.mean(), sum.most)
    }

    fn events(&self) -> impl Iterator<Item = &Events> {
        self.lake.files.values().flatten().flat_map(|(_, events)| events)
    }

    /// The most small files of a month.
    fn small(&self) -> usize {
        let small = |files: &Vec<(Piece, Vec<Events>)>| {
            files.iter().filter(|(piece, _)| piece.size < FULL_BYTES).count()
        };
        self.lake.files.values().map(small).max().unwrap_or(0)
    }

    /// What is there and what has left is what came; of it all how often it was rewritten.
    fn sum(&self) -> Sum {
        let sum = self.events().fold(self.lake.gone, Sum::and);
        assert_eq!(sum.bytes, self.bytes, "bytes present and gone");
        sum
    }
}

fn check_year(bytes: u64, upkeep_every: i64, told: &str) {
    let (files_a_month, files_at_most) = (6, 400);
    let year = Year::of(bytes, upkeep_every, None, FEW);
    assert_eq!(year.told(), told);
    let (sum, small, most) = (year.sum(), year.small(), year.most);
    assert!(sum.most <= REWRITES_MAX, "an event was rewritten {} times", sum.most);
    assert!(sum.mean() < 3.5, "events are rewritten {} times on average", sum.mean());
    assert!(small <= files_a_month, "{small} small files are left of a month");
    assert!(most <= files_at_most, "{most} files in one month");
    assert!(year.events().count() >= 2 * 365 * 1440, "{} events", year.events().count());
}

/// A year of which so many days are kept; how often a byte is written again is less than `mean`.
fn check_thinned_out(bytes: u64, upkeep_every: i64, days: i64, (mean, told): (f64, &str)) {
    let year = Year::of(bytes, upkeep_every, Some(days), FEW);
    assert_eq!(year.told(), told);
    let (sum, small, most) = (year.sum(), year.small(), year.most);
    assert!(sum.most <= REWRITES_MAX, "an event was rewritten {} times", sum.most);
    assert!(sum.mean() < mean, "events are rewritten {} times on average", sum.mean());
    // A file for each day that is left of the month at the cut-off.
    assert!(small <= DAYS_OF_MONTH + 14, "{small} small files in one month");
    assert!(most <= 400, "{most} files in one month");
    let cut = (396 - days) * DAY;
    assert!(year.events().all(|events| events.minute >= cut), "all that should has left");
    assert!(year.lake.gone.bytes > sum.bytes / 2, "{:?}", year.lake.gone);
}

#[test]
fn a_small_trail_followed_for_a_year() {
    check_year(4_000, 60, "2.97 | 4 | 6 | 189");
}

#[test]
fn a_middling_trail_followed_for_a_year() {
    check_year(60_000, 180, "2.00 | 4 | 5 | 95");
}

#[test]
fn a_large_trail_followed_for_a_year() {
    check_year(1_500_000, 60, "2.01 | 4 | 6 | 321");
}

#[test]
fn a_small_trail_of_which_a_quarter_of_the_year_is_kept() {
    check_thinned_out(4_000, 60, 90, (3.9, "3.85 | 4 | 31 | 189"));
}

#[test]
fn a_middling_trail_of_which_a_quarter_of_the_year_is_kept() {
    check_thinned_out(60_000, 180, 90, (2.9, "2.73 | 4 | 31 | 95"));
}

#[test]
fn a_large_trail_of_which_a_quarter_of_the_year_is_kept() {
    check_thinned_out(1_500_000, 60, 90, (2.3, "2.10 | 4 | 40 | 321"));
}

#[test]
fn a_small_trail_of_which_a_week_is_kept() {
    check_thinned_out(4_000, 60, 7, (3.1, "2.76 | 4 | 0 | 176"));
}

#[test]
fn trails_of_which_a_hundredth_comes_late_and_all_is_kept() {
    for (bytes, upkeep_every, told) in [
        (4_000, 60, "2.96 | 4 | 7 | 239"),
        (60_000, 180, "2.00 | 4 | 6 | 95"),
        (1_500_000, 60, "2.03 | 4 | 6 | 339"),
    ] {
        let year = Year::of(bytes, upkeep_every, None, A_HUNDREDTH);
        assert_eq!(year.told(), told, "{bytes} a minute");
        let (most, mean) = (year.sum().most, year.sum().mean());
        assert!(most <= REWRITES_MAX, "an event of {bytes} a minute was rewritten {most} times");
        assert!(mean < 3.5, "events of {bytes} a minute are rewritten {mean} times on average");
    }
}

#[test]
fn a_trail_of_which_a_hundredth_comes_late_and_a_quarter_of_the_year_is_kept() {
    let year = Year::of(60_000, 180, Some(90), A_HUNDREDTH);
    assert_eq!(year.told(), "2.74 | 4 | 35 | 95");
    let most = year.sum().most;
    assert!(most <= REWRITES_MAX, "an event was rewritten {most} times");
}
