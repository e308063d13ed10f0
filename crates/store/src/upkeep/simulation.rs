//! A year of rounds, minute by minute, with upkeep beside it: how often each event is rewritten, and
//! how many files a reader meets. Nothing is read or written; time is a number.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use object_store::path::Path;
use traillake_testkit::random::Random;

use super::plan::{FULL_BYTES, Group, Piece, REWRITES_MAX, plan};

/// Events of one minute that came together, and how often they were rewritten.
#[derive(Debug, Clone, Copy)]
struct Events {
    minute: i64,
    bytes: u64,
    rewrites: u32,
}

struct Lake {
    files: BTreeMap<String, Vec<(Piece, Vec<Events>)>>,
    made: u64,
}

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_735_689_600 + minute * 60, 0).unwrap() // 2025-01-01
}

fn micros(minute: i64) -> i64 {
    at(minute).timestamp_micros()
}

impl Lake {
    fn add(&mut self, month: &str, events: Vec<Events>, rewrites: u32, now: i64) {
        self.made += 1;
        let times = events.iter().map(|events| micros(events.minute));
        let piece = Piece {
            path: Path::from(format!("part-{:08}.parquet", self.made)),
            partition: Some(month.to_string()),
            size: events.iter().map(|events| events.bytes).sum(),
            rows: events.len() as u64,
            rewrites,
            span: times.clone().min().zip(times.max()),
            added_at: at(now),
        };
        self.files.entry(month.to_string()).or_default().push((piece, events));
    }

    /// A round: what was delivered in a minute, by the month it belongs to.
    fn round(&mut self, events: Vec<Events>, now: i64) {
        let mut months: BTreeMap<String, Vec<Events>> = BTreeMap::new();
        for event in events {
            months.entry(at(event.minute).format("%Y-%m").to_string()).or_default().push(event);
        }
        months.into_iter().for_each(|(month, events)| self.add(&month, events, 0, now));
    }

    fn upkeep(&mut self, now: i64) {
        for _ in 0..8 {
            let files = self.files.values().flatten();
            let groups = plan(files.map(|(piece, _)| piece.clone()).collect(), at(now));
            if groups.is_empty() {
                return;
            }
            groups.into_iter().for_each(|group| self.fold(&group, now));
        }
    }

    fn fold(&mut self, group: &Group, now: i64) {
        assert!(group.inputs.len() > 1 && group.rewrites <= REWRITES_MAX, "{group:?}");
        let month = group.partition.clone().unwrap();
        let files = self.files.get_mut(&month).unwrap();
        let mut events = Vec::new();
        files.retain(|(piece, of)| {
            let stays = !group.inputs.contains(piece);
            events.extend(of.iter().filter(|_| !stays).copied());
            stays
        });
        events.sort_by_key(|events| events.minute);
        let (mut next, mut bytes): (Vec<Events>, u64) = (Vec::new(), 0);
        for mut event in events {
            event.rewrites += 1;
            let late = |events: &Events| group.cut.is_some_and(|cut| micros(events.minute) < cut);
            let crossed = next.last().is_some_and(|last| late(last) && !late(&event));
            if crossed || bytes >= group.file_bytes {
                bytes = 0;
                self.add(&month, std::mem::take(&mut next), group.rewrites, now);
            }
            bytes += event.bytes;
            next.push(event);
        }
        self.add(&month, next, group.rewrites, now);
    }
}

/// Follows a trail of `bytes` a minute for a year.
fn follow(bytes: u64, upkeep_every: i64) -> (Lake, usize) {
    let mut random = Random::new(bytes);
    let mut lake = Lake { files: BTreeMap::new(), made: 0 };
    let mut most = 0;
    for now in 0..365 * 1440 {
        // Nights are quiet; delivery takes up to a quarter of an hour.
        let busy = if now / 60 % 24 < 8 { 1 } else { 6 };
        let delivered = |minute: i64| Events { minute, bytes: bytes * busy / 12 + 1, rewrites: 0 };
        let mut events = vec![delivered(now - 5), delivered(now - 15)];
        if random.chance(0.01) {
            let late = match random.below(10) {
                0..5 => random.below(600),
                5..9 => random.below(3 * 1440),
                _ => random.below(60 * 1440),
            };
            events.push(Events { minute: now - late as i64, bytes: bytes / 10 + 1, rewrites: 0 });
        }
        lake.round(events, now);
        if now % upkeep_every == 0 {
            lake.upkeep(now);
            most = most.max(lake.files.values().map(Vec::len).max().unwrap_or(0));
        }
    }
    // A month later, with nothing new.
    lake.upkeep(396 * 1440);
    (lake, most)
}

fn check_year(bytes: u64, upkeep_every: i64, files_a_month: usize, files_at_most: usize) {
    let (lake, most) = follow(bytes, upkeep_every);
    let files = lake.files.values().flatten();
    let events: Vec<Events> = files.flat_map(|(_, events)| events.iter().copied()).collect();
    let rewrites = events.iter().map(|events| events.rewrites).max().unwrap();
    let total: u64 = events.iter().map(|events| events.bytes).sum();
    let again: u64 = events.iter().map(|e| e.bytes * u64::from(e.rewrites)).sum();
    let mean = again as f64 / total as f64;
    let largest = lake.files.iter().map(|(month, files)| {
        let full = files.iter().filter(|(piece, _)| piece.size >= FULL_BYTES).count();
        (files.len() - full, month)
    });
    let (small, month) = largest.max().unwrap();
    assert!(rewrites <= REWRITES_MAX, "an event was rewritten {rewrites} times");
    assert!(mean < 3.5, "events are rewritten {mean} times on average");
    assert!(small <= files_a_month, "{small} small files are left of {month}");
    assert!(most <= files_at_most, "{most} files in one month");
    assert!(events.len() >= 2 * 365 * 1440, "{} events", events.len());
}

#[test]
fn a_small_trail_followed_for_a_year() {
    check_year(4_000, 60, 8, 400);
}

#[test]
fn a_middling_trail_followed_for_a_year() {
    check_year(60_000, 180, 8, 400);
}

#[test]
fn a_large_trail_followed_for_a_year() {
    check_year(1_500_000, 60, 8, 400);
}
