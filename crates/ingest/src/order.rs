//! The objects of a run in order, in bounded memory: a trail of years has millions.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::thread::JoinHandle;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use traillake_cloudtrail::ObjectKey;

use crate::error::{Error, Result};
use crate::source::{Before, SourceObject, Spool, SpoolReader};

/// Objects that are held, about 250 bytes each. More are set aside, sorted, and merged; while they
/// are, as many come.
const HELD_MAX: usize = 100_000;

/// In which order objects come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// As the ledger keeps them, by month and key: asking it for each then reads it once. (By date,
    /// each question would be about all accounts and regions, and read a month from end to end.)
    Ledger,
    /// The date first, over all accounts and regions: a round then touches one or two months, and
    /// duplicates have few places to be. (Listing order is account, region, date.)
    Reading,
    /// The same, but the newest day first: what happened lately is what is asked about.
    NewestDay,
}

/// An object and what the orders need of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listed {
    pub(crate) object: SourceObject,
    /// Number of its source.
    pub(crate) source: u32,
    /// Microseconds: the date in its key, else its modification time.
    at: i64,
    /// The month of that, counted from any one.
    month: i32,
    /// The month in which its own key says that it was delivered, counted alike: the ledger is by it.
    pub(crate) delivered: Option<i32>,
    /// How much of the key names what stays together: an archive, or the object itself.
    group_bytes: u32,
}

impl Listed {
    /// Returns the object with its place: how much of its key is the `group`'s name, and the group's
    /// time. Objects of a sequential source share its key and the time of the first; others are each
    /// a group.
    pub(crate) fn new(
        object: SourceObject,
        delivered_at: Option<DateTime<Utc>>,
        source: usize,
        group: (usize, i64),
    ) -> Listed {
        let (group_bytes, at) = group;
        Listed {
            object,
            delivered: delivered_at.map(|at| month_of(at.timestamp_micros())),
            source: u32::try_from(source).unwrap_or(u32::MAX),
            at,
            month: month_of(at),
            group_bytes: u32::try_from(group_bytes).unwrap_or(u32::MAX),
        }
    }

    fn cmp(&self, other: &Listed, order: Order) -> Ordering {
        match order {
            Order::Reading => self.rank().cmp(&other.rank()),
            Order::NewestDay => {
                let days = other.day().cmp(&self.day());
                days.then_with(|| self.rank().cmp(&other.rank()))
            }
            Order::Ledger => {
                let rank = |listed: &Listed| (listed.month, listed.object.position);
                let keys = self.object.key.cmp(&other.object.key);
                self.month.cmp(&other.month).then(keys).then(rank(self).cmp(&rank(other)))
            }
        }
    }

    fn day(&self) -> i64 {
        self.at.div_euclid(TimeDelta::days(1).num_microseconds().unwrap_or(1))
    }

    fn rank(&self) -> (i64, &str, u64) {
        let group = self.object.key.get(..self.group_bytes as usize);
        (self.at, group.unwrap_or(&self.object.key), self.object.position)
    }
}

/// Returns the time an object is ordered by, in microseconds.
pub(crate) fn time_of(object: &SourceObject, key: &ObjectKey<'_>) -> i64 {
    key.delivered_at.or(object.modified_at).map_or(0, |at| at.timestamp_micros())
}

fn month_of(at: i64) -> i32 {
    let at = DateTime::from_timestamp_micros(at).unwrap_or_default();
    at.year() * 12 + at.month0() as i32
}

/// Returns how the ledger spells a month: `YYYY-MM`.
pub(crate) fn month_label(month: i32) -> Option<String> {
    let first = NaiveDate::from_ymd_opt(month.div_euclid(12), month.rem_euclid(12) as u32 + 1, 1);
    first.map(|first| first.format("%Y-%m").to_string())
}

/// Objects on their way into order.
#[derive(Debug)]
pub(crate) struct Objects {
    order: Order,
    held: Vec<Listed>,
    held_max: usize,
    /// All in one file.
    runs: Vec<Spool>,
    /// The last run, on its way there.
    leaving: Option<JoinHandle<io::Result<Spool>>>,
    temp_dir: PathBuf,
    /// How many there are.
    pub(crate) count: u64,
    /// Their bytes as stored.
    pub(crate) bytes: u64,
}

impl Objects {
    pub(crate) fn new(temp_dir: PathBuf, order: Order) -> Objects {
        Objects {
            order,
            held: Vec::new(),
            held_max: HELD_MAX,
            runs: Vec::new(),
            leaving: None,
            temp_dir,
            count: 0,
            bytes: 0,
        }
    }

    pub(crate) fn push(&mut self, listed: Listed) -> Result<()> {
        self.count += 1;
        self.bytes += listed.object.size_bytes;
        self.held.push(listed);
        if self.held.len() < self.held_max { Ok(()) } else { self.set_aside() }
    }

    /// Sets aside what is held, on a thread of its own: whoever lists goes on.
    fn set_aside(&mut self) -> Result<()> {
        self.see_off()?;
        let mut run = std::mem::take(&mut self.held);
        let (order, last) = (self.order, self.runs.last().cloned());
        let temp_dir = self.temp_dir.clone();
        let leaving = std::thread::Builder::new().spawn(move || {
            run.sort_unstable_by(|a, b| a.cmp(b, order));
            let written = match last {
                None => Spool::write(&temp_dir, |output| write_lines(output, &run)),
                Some(last) => last.write_behind(|output| write_lines(output, &run)),
            };
            Ok(written?.0)
        });
        self.leaving = Some(leaving.map_err(|source| self.failed(source))?);
        Ok(())
    }

    /// Waits until the last run has been set aside.
    fn see_off(&mut self) -> Result<()> {
        let Some(leaving) = self.leaving.take() else { return Ok(()) };
        let written = leaving.join().unwrap_or_else(|_| Err(io::Error::other("it broke off")));
        self.runs.push(written.map_err(|source| self.failed(source))?);
        Ok(())
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Temporary { folder: self.temp_dir.clone(), source }
    }

    /// Returns the objects in their order.
    pub(crate) fn sorted(mut self) -> SortedObjects {
        let failure = self.see_off().err();
        self.held.sort_unstable_by(|a, b| a.cmp(b, self.order));
        let mut sorted = SortedObjects {
            order: self.order,
            held: self.held.into_iter(),
            runs: self.runs.iter().map(|run| BufReader::new(run.reader())).collect(),
            heads: BinaryHeap::new(),
            temp_dir: self.temp_dir,
            failure,
        };
        for run in 0..=sorted.runs.len() {
            sorted.refill(run);
        }
        sorted
    }
}

/// Objects in order, merged from sorted runs.
#[derive(Debug)]
pub(crate) struct SortedObjects {
    order: Order,
    held: std::vec::IntoIter<Listed>,
    runs: Vec<BufReader<SpoolReader>>,
    heads: BinaryHeap<Reverse<Head>>,
    temp_dir: PathBuf,
    failure: Option<Error>,
}

/// The next object of a run; what is held counts as the last run.
#[derive(Debug)]
struct Head {
    listed: Listed,
    run: usize,
    order: Order,
}

impl SortedObjects {
    fn refill(&mut self, run: usize) {
        let next = match self.runs.get_mut(run) {
            Some(run) => read_line(run),
            None => Ok(self.held.next()),
        };
        match next {
            Ok(Some(listed)) => {
                let order = self.order;
                self.heads.push(Reverse(Head { listed, run, order }));
            }
            Ok(None) => {}
            Err(source) => {
                self.failure = Some(Error::Temporary { folder: self.temp_dir.clone(), source });
            }
        }
    }
}

impl Iterator for SortedObjects {
    type Item = Result<Listed>;

    fn next(&mut self) -> Option<Result<Listed>> {
        if let Some(error) = self.failure.take() {
            self.heads.clear();
            return Some(Err(error));
        }
        let Reverse(Head { listed, run, .. }) = self.heads.pop()?;
        self.refill(run);
        Some(Ok(listed))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Head) -> Ordering {
        self.listed.cmp(&other.listed, self.order).then(self.run.cmp(&other.run))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Head) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Head) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

/// An object as a line: order, stamp and what its listing says, what the ledger knew, key.
type Line = (
    (i64, Option<i32>, u32, u32, u64),
    (u64, Option<i64>, Option<Box<str>>, (bool, bool)),
    Option<(Option<[u8; 32]>, bool)>,
    Box<str>,
);

fn write_lines(output: &mut dyn Write, run: &[Listed]) -> io::Result<()> {
    run.iter().try_for_each(|listed| write_line(output, listed))
}

fn write_line(output: &mut dyn Write, listed: &Listed) -> io::Result<()> {
    let object = &listed.object;
    let modified_at = object.modified_at.map(|at| at.timestamp_micros());
    let listed_as = (object.is_archived, object.is_unseen);
    let line: Line = (
        (listed.at, listed.delivered, listed.source, listed.group_bytes, object.position),
        (object.size_bytes, modified_at, object.etag.clone(), listed_as),
        object.before.as_ref().map(|before| (before.sha256, before.same_stamp)),
        object.key.clone(),
    );
    serde_json::to_writer(&mut *output, &line)?;
    output.write_all(b"\n")
}

fn read_line(run: &mut BufReader<SpoolReader>) -> io::Result<Option<Listed>> {
    let mut text = String::new();
    if run.read_line(&mut text)? == 0 {
        return Ok(None);
    }
    let (order, stamp, before, key): Line = serde_json::from_str(&text)?;
    let (at, delivered, source, group_bytes, position) = order;
    let (size_bytes, modified_at, etag, (is_archived, is_unseen)) = stamp;
    let modified_at = modified_at.and_then(DateTime::from_timestamp_micros);
    let before = before.map(|(sha256, same_stamp)| Before { sha256, same_stamp });
    let listed = SourceObject::listed(key, size_bytes, modified_at);
    let object = SourceObject { etag, is_archived, is_unseen, position, before, ..listed };
    Ok(Some(Listed { object, source, at, month: month_of(at), delivered, group_bytes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed_of(object: SourceObject, source: usize) -> Listed {
        let group = (object.key.len(), time_of(&object, &object.log_key()));
        let delivered_at = object.modified_at.filter(|at| at.timestamp_micros() % 2 == 0);
        Listed::new(object, delivered_at, source, group)
    }

    #[test]
    fn runs_set_aside_come_back_in_order_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let listed = |number: u64| {
            let key = format!("/logs/\"{}\"/\u{e9}.json", number * 7_919 % 1_000);
            let modified_at = DateTime::from_timestamp_micros((number * 31 % 17) as i64);
            SourceObject::listed(key, number, modified_at)
        };
        let object = |number: u64| SourceObject {
            etag: (number.is_multiple_of(3)).then(|| "e-tag".into()),
            is_archived: number.is_multiple_of(7),
            is_unseen: number.is_multiple_of(11),
            position: number % 2,
            before: (number.is_multiple_of(5))
                .then_some(Before { sha256: Some([7; 32]), same_stamp: true }),
            ..listed(number)
        };
        let sorted = |held_max, order| {
            let mut objects = Objects::new(folder.path().to_path_buf(), order);
            objects.held_max = held_max;
            (0..1_000).for_each(|n| objects.push(listed_of(object(n), 3)).unwrap());
            assert_eq!((objects.count, objects.bytes), (1_000, 499_500));
            objects.sorted().collect::<Result<Vec<_>>>().unwrap()
        };
        let held = sorted(usize::MAX, Order::Reading);
        assert!(held.is_sorted_by(|a, b| a.rank() <= b.rank()));
        assert_eq!(held.len(), 1_000);
        assert_eq!(sorted(64, Order::Reading), held);
        let newest = sorted(64, Order::NewestDay);
        assert!(newest.is_sorted_by(|a, b| (b.day(), a.rank()) <= (a.day(), b.rank())));
        assert_eq!(newest, sorted(usize::MAX, Order::NewestDay));
        let by_key = sorted(64, Order::Ledger);
        assert!(by_key.is_sorted_by(|a, b| a.object.key <= b.object.key));
        assert_eq!(by_key, sorted(usize::MAX, Order::Ledger));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn however_many_runs_there_are_they_take_one_open_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut objects = Objects::new(folder.path().to_path_buf(), Order::Ledger);
        objects.held_max = 1;
        let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = open();
        for number in 0..3_000 {
            let object = SourceObject::listed(format!("{number:08}"), number, None);
            objects.push(listed_of(object, 0)).unwrap();
        }
        assert_eq!(objects.runs.len() + objects.leaving.iter().len(), 3_000);
        let sorted = objects.sorted();
        // Other tests open files meanwhile, but not so many.
        assert!(open() < before + 1_000, "{} files are open", open());
        let keys = sorted.map(|listed| listed.unwrap().object.key);
        assert!(keys.map(|key| key.parse::<u64>().unwrap()).eq(0..3_000_u64));
    }
}
