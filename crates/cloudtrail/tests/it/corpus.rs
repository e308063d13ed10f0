//! Every record of the real data sets comes back byte for byte, and the counts are the truth.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use arrow::array::{AsArray, RecordBatch};
use traillake_cloudtrail::{
    Decoder, Kind, Limits, ObjectFault, ObjectSummary, inspect, rebuild_all,
};
use traillake_testkit::corpus::corpus;

use crate::support::check_spare_column;

/// What a whole set gave.
#[derive(Default)]
struct Set {
    summaries: Vec<(PathBuf, ObjectSummary)>,
    batches: Vec<(Kind, RecordBatch)>,
    shapes: HashSet<String>,
    spare: u64,
    raw: u64,
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn read(set: &str) -> Option<Set> {
    let mut paths = Vec::new();
    files(&corpus(set)?, &mut paths);
    paths.sort();
    let mut found = Set::default();
    let limits = Limits::default();
    let mut decoder = Decoder::new(limits.clone());
    let mut batches = Vec::new();
    let mut sink = |batch: traillake_cloudtrail::Batch| {
        batches.push((batch.kind, batch.rows));
        ControlFlow::Continue(())
    };
    for (number, path) in paths.iter().enumerate() {
        let mut file = fs::File::open(path).unwrap();
        let inspected = inspect(&mut file, &limits).unwrap();
        let mut again = || Ok(Box::new(fs::File::open(path)?) as Box<dyn Read>);
        let summary = decoder.decode(number as i64, &inspected, &mut again, &mut sink).unwrap();
        found.spare += summary.spare_rows;
        found.raw += summary.raw_field_rows;
        found.summaries.push((path.clone(), summary));
    }
    decoder.finish(&mut sink);
    found.batches = batches;
    for (kind, rows) in &found.batches {
        if *kind != Kind::Digest {
            let shapes = rows.column_by_name("_shape").unwrap().as_string::<i32>();
            found.shapes.extend(shapes.iter().flatten().map(str::to_owned));
        }
    }
    Some(found)
}

impl Set {
    fn total(&self, count: impl Fn(&ObjectSummary) -> u64) -> u64 {
        self.summaries.iter().map(|(_, summary)| count(summary)).sum()
    }

    /// Compares every record with those of the file it came from, each of which is there once.
    fn check_bytes(&self) {
        let originals = self.summaries.iter().map(|(path, _)| originals(path));
        let mut expected: Vec<HashMap<String, usize>> = originals.collect();
        let mut spare = 0;
        for (kind, rows) in self.batches.iter().filter(|(kind, _)| *kind != Kind::Digest) {
            let objects = rows.column_by_name("_object").unwrap();
            let objects = objects.as_primitive::<arrow::datatypes::Int64Type>();
            let records = rebuild_all(rows).unwrap();
            for row in 0..rows.num_rows() {
                let record = std::str::from_utf8(records.value(row)).unwrap();
                let object = objects.value(row) as usize;
                let left = expected[object].get_mut(record).filter(|left| **left > 0);
                let path = self.summaries[object].0.display();
                *left.unwrap_or_else(|| panic!("{kind:?} {path}: {record}")) -= 1;
            }
            spare += check_spare_column(rows, &records);
        }
        assert_eq!(spare as u64, self.spare);
    }
}

/// The records of a file and how often each is there, cut out by another parser.
fn originals(path: &Path) -> HashMap<String, usize> {
    let bytes = fs::read(path).unwrap();
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(bytes).unwrap();
    }
    let mut records = Vec::new();
    let values =
        serde_json::Deserializer::from_str(&text).into_iter::<&serde_json::value::RawValue>();
    for value in values.map_while(Result::ok) {
        cut(value, &mut records);
    }
    let mut found = HashMap::new();
    for record in records {
        *found.entry(record).or_default() += 1;
    }
    found
}

#[derive(serde::Deserialize)]
struct Records<'a> {
    #[serde(borrow, rename = "Records")]
    records: Vec<&'a serde_json::value::RawValue>,
}

#[derive(serde::Deserialize)]
struct Lookup {
    #[serde(rename = "CloudTrailEvent")]
    event: String,
}

fn cut(value: &serde_json::value::RawValue, found: &mut Vec<String>) {
    if let Ok(Records { records }) = serde_json::from_str(value.get()) {
        found.extend(records.iter().map(|record| record.get().to_owned()));
    } else if let Ok(Lookup { event }) = serde_json::from_str(value.get()) {
        found.push(event);
    } else if value.get().starts_with('[') {
        let records: Vec<&serde_json::value::RawValue> = serde_json::from_str(value.get()).unwrap();
        found.extend(records.iter().map(|record| record.get().to_owned()));
    } else {
        found.push(value.get().to_owned());
    }
}

fn check(name: &str, records: u64, rejected: u64) {
    let Some(set) = read(name) else { return };
    let (all, rows) = (set.total(|s| s.records), set.total(|s| s.rows));
    println!(
        "{name}: {all} records, {} shapes, {} spare, {} raw",
        set.shapes.len(),
        set.spare,
        set.raw
    );
    assert_eq!((all, all - rows), (records, rejected), "{name}");
    assert!(set.spare * 100 <= rows, "{name}: {} of {rows} need the spare column", set.spare);
    assert!(set.raw * 20 <= rows, "{name}: {} of {rows} have a raw field", set.raw);
    set.check_bytes();
}

#[test]
fn sans504_comes_back() {
    check("sans504", 30_477, 0);
}

#[test]
fn invictus_comes_back() {
    check("invictus", 2_900, 0);
}

#[test]
fn boogy_comes_back() {
    check("boogy", 1_679, 0);
}

#[test]
fn cartographer_comes_back() {
    check("cartographer", 9_226, 0);
}

#[test]
fn small_sets_come_back() {
    check("umccr-flaws", 185, 0);
    check("stratus", 310, 0);
    check("traildiscover", 315, 0);
    check("splunk", 48, 0);
    check("plaso", 12, 0);
    check("trailscraper", 5, 0);
    check("zieglerva", 4, 0);
}

#[test]
fn a_malformed_file_is_refused_with_its_position_and_costs_no_other() {
    let Some(set) = read("opensearch") else { return };
    assert_eq!(set.total(|s| s.rows), 840);
    let (_, bad) =
        set.summaries.iter().find(|(path, _)| path.ends_with("samples-large.json.gz")).unwrap();
    assert!(matches!(bad.fault, Some(ObjectFault::Malformed { at: 3_053, records: 2, .. })));
    assert_eq!((bad.records, bad.rows, bad.rejected), (1, 0, 1));
    assert_eq!((bad.rejects[0].index, bad.rejects[0].offset), (2, 3_053));
    assert!(bad.rejects[0].bytes.starts_with(b"}},\n  { \"aws\""));
    set.check_bytes();
}

#[test]
fn what_is_not_cloudtrails_is_told_apart() {
    let Some(set) = read("zieglerva") else { return };
    let text = set.summaries.iter().find(|(path, _)| path.ends_with("SOURCE.txt")).unwrap();
    assert!(!text.1.recognised && text.1.records == 0);
    let digests = set.batches.iter().filter(|(kind, _)| *kind == Kind::Digest);
    assert_eq!(digests.map(|(_, rows)| rows.num_rows()).sum::<usize>(), 1);
}
