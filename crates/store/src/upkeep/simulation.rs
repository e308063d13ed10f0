//! A year of rounds, minute by minute, with upkeep beside it and, where a store has one, retention: how
//! often each event is rewritten, and how many files a reader meets. Nothing is read or written; time
//! is a number.
//!
//! Bytes written again for each byte that came, of a small, a middling and a large trail: 2.97, 2.00 and
//! 2.01 where events stay for ever; 3.85, 2.73 and 2.10 where they stay for 90 days. (When a file at
//! the cut-off was written whole again each day it was 14 of the small one, and up to 33 of an event.)

mod year;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use object_store::path::Path;

use super::plan::{Group, Piece, folds_max, plan};
use crate::snapshot::LiveFile;

/// Minutes of a day.
const DAY: i64 = 1440;

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
    /// Minutes before this one have left.
    cut: i64,
    gone: Sum,
}

/// Events, summed up.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    bytes: u64,
    /// Bytes times rewrites.
    again: u64,
    /// The most that one was rewritten.
    most: u32,
}

impl Sum {
    fn and(self, events: &Events) -> Sum {
        Sum {
            bytes: self.bytes + events.bytes,
            again: self.again + events.bytes * u64::from(events.rewrites),
            most: self.most.max(events.rewrites),
        }
    }

    /// How often a byte was written again.
    fn mean(self) -> f64 {
        self.again as f64 / self.bytes as f64
    }
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
        let folded = if rewrites == 0 { String::new() } else { format!(".r{rewrites}") };
        let piece = Piece {
            path: Path::from(format!("part-{:08}{folded}.parquet", self.made)),
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
        // A round leaves out what would have left.
        for event in events.into_iter().filter(|event| event.minute >= self.cut) {
            months.entry(at(event.minute).format("%Y-%m").to_string()).or_default().push(event);
        }
        months.into_iter().for_each(|(month, events)| self.add(&month, events, 0, now));
    }

    /// What `maintain` does; events stay for so many days, where they do not stay for ever.
    fn tend(&mut self, now: i64, kept_days: Option<i64>) {
        let cut = kept_days.map(|days| (now / DAY - days) * DAY);
        if let Some(cut) = cut.filter(|cut| *cut > self.cut) {
            self.expire(cut, now);
        }
        self.upkeep(now, folds_max(kept_days.is_some()));
    }

    /// Takes out what is from before a minute, the first of a day.
    fn expire(&mut self, cut: i64, now: i64) {
        self.cut = cut;
        for (month, files) in std::mem::take(&mut self.files) {
            for (piece, events) in files {
                let (first, last) = piece.span.unwrap();
                if first >= micros(cut) {
                    self.files.entry(month.clone()).or_default().push((piece, events));
                    continue;
                }
                let (gone, left): (Vec<Events>, Vec<Events>) =
                    events.into_iter().partition(|events| events.minute < cut);
                self.gone = gone.iter().fold(self.gone, Sum::and);
                let group = Group::alone(&live(&piece));
                for range in group.left_by_day(micros(cut), last) {
                    let of_range = left.iter().filter(|of| range.contains(&micros(of.minute)));
                    let again = |of: &Events| Events { rewrites: of.rewrites + 1, ..*of };
                    let events: Vec<Events> = of_range.map(again).collect();
                    if !events.is_empty() {
                        self.add(&month, events, group.rewrites, now);
                    }
                }
            }
        }
    }

    fn upkeep(&mut self, now: i64, folds_max: u32) {
        for _ in 0..8 {
            let files = self.files.values().flatten();
            let files = files.map(|(piece, _)| piece.clone()).collect();
            let groups = plan(files, folds_max, at(now));
            if groups.is_empty() {
                return;
            }
            for group in groups {
                assert!(group.inputs.len() > 1 && group.rewrites <= folds_max, "{group:?}");
                self.fold(&group, now);
            }
        }
    }

    fn fold(&mut self, group: &Group, now: i64) {
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

fn live(piece: &Piece) -> LiveFile {
    let Piece { path, partition, size, rows, .. } = piece.clone();
    LiveFile { path, size, rows, partition, stats: Vec::new().into() }
}
