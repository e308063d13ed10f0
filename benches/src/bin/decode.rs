//! Measures decoding alone, on one core: `decode --scale 0.05`. Prints Markdown.
//!
//! The stages of `traillake-cloudtrail` stand beside `serde_json` on the same bytes: cutting the
//! records out of a log (`RawValue`), and cutting the fields out of each record on top, are what a
//! decoder built on it would have to do before its first column is filled.
#![allow(clippy::print_stdout)]

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde::Deserialize;
use serde_json::value::RawValue;
use traillake_benches::{Workload, machine};
use traillake_cloudtrail::{Batch, Decoder, Inspected, Limits, inspect, rebuild_all};
use traillake_testkit::trail::gzip;

/// Measures decoding: records and bytes a second, stage by stage.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which trail.
    #[arg(long, value_enum, default_value_t = Workload::Unique)]
    workload: Workload,
    /// Number of objects, as a factor of the workload's own. All are held in memory.
    #[arg(long, default_value_t = 0.05)]
    scale: f64,
    /// Runs of each stage, of which the fastest counts.
    #[arg(long, default_value_t = 5)]
    runs: u32,
}

/// The objects of a trail, as stored and inflated.
struct Bench {
    objects: Vec<(Vec<u8>, String)>,
    records: u64,
    bytes: u64,
    runs: u32,
}

fn main() -> Result<()> {
    let Arguments { workload, scale, runs } = Arguments::parse();
    let bench = Bench::new(workload, scale, runs)?;
    println!("{}\n", machine());
    println!(
        "{} objects, {} records, {:.1} MB inflated, the fastest of {runs} runs, one core\n",
        bench.objects.len(),
        bench.records,
        bench.bytes as f64 / 1e6,
    );
    println!("| stage | seconds | records/s | MB/s |");
    println!("|---|--:|--:|--:|");
    bench.measure("inflate, hash both sides", || {
        bench.inspected().try_for_each(|inspected| inspected.map(|_| ()))?;
        Ok(bench.records)
    })?;
    let inspected: Vec<Inspected> = bench.inspected().collect::<Result<_>>()?;
    bench.measure("scan, columns, rebuild check, fingerprint", || {
        Ok(rows(&decode(inspected.iter().map(Ok))?))
    })?;
    bench.measure("all of it", || Ok(rows(&decode(bench.inspected())?)))?;
    bench.measure("serde_json: records as RawValue", || bench.cut_records())?;
    bench.measure("serde_json: records and their fields as RawValue", || bench.cut_fields())?;
    bench.check()
}

impl Bench {
    fn new(workload: Workload, scale: f64, runs: u32) -> Result<Bench> {
        let trail = workload.trail(scale);
        let mut bench = Bench { objects: Vec::new(), records: 0, bytes: 0, runs: runs.max(1) };
        for number in 0..trail.objects() {
            let object = trail.object(number);
            bench.records += u64::from(object.records);
            bench.bytes += object.body.len() as u64;
            bench.objects.push((gzip(object.body.as_bytes())?, object.body));
        }
        Ok(bench)
    }

    /// Runs a stage, prints its line, and checks that it saw every record.
    fn measure(&self, stage: &str, run: impl Fn() -> Result<u64>) -> Result<()> {
        let mut fastest = Duration::MAX;
        for _ in 0..self.runs {
            let begun = Instant::now();
            let records = run().with_context(|| stage.to_owned())?;
            fastest = fastest.min(begun.elapsed());
            ensure!(records == self.records, "{stage}: {records} of {} records", self.records);
        }
        let seconds = fastest.as_secs_f64().max(1e-9);
        println!(
            "| {stage} | {seconds:.3} | {:.0} | {:.0} |",
            self.records as f64 / seconds,
            self.bytes as f64 / 1e6 / seconds,
        );
        Ok(())
    }

    fn inspected(&self) -> impl Iterator<Item = Result<Inspected>> {
        let limits = Limits::default();
        self.objects.iter().map(move |(stored, _)| Ok(inspect(&mut &stored[..], &limits)?))
    }

    fn cut_records(&self) -> Result<u64> {
        self.objects.iter().try_fold(0, |records, (_, body)| {
            let log: Log<'_> = serde_json::from_str(body)?;
            Ok(records + black_box(log.records).len() as u64)
        })
    }

    fn cut_fields(&self) -> Result<u64> {
        let mut records = 0;
        for (_, body) in &self.objects {
            let log: Log<'_> = serde_json::from_str(body)?;
            for record in &log.records {
                let fields: BTreeMap<&str, &RawValue> = serde_json::from_str(record.get())?;
                records += u64::from(!black_box(fields).is_empty());
            }
        }
        Ok(records)
    }

    /// A fast wrong answer is no figure: the rows must give the very records that serde_json cuts.
    fn check(&self) -> Result<()> {
        for (inspected, (_, body)) in self.inspected().zip(&self.objects) {
            let log: Log<'_> = serde_json::from_str(body)?;
            let mut records = log.records.iter();
            for batch in decode(std::iter::once(inspected))? {
                for record in rebuild_all(&batch.rows)?.iter() {
                    let expected = records.next().map(|record| record.get().as_bytes());
                    ensure!(record == expected, "a record does not come back");
                }
            }
            ensure!(records.next().is_none(), "a record is missing");
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Log<'a> {
    #[serde(borrow, rename = "Records")]
    records: Vec<&'a RawValue>,
}

/// Decodes objects, one after the other, into batches that span them.
fn decode<I: Borrow<Inspected>>(objects: impl Iterator<Item = Result<I>>) -> Result<Vec<Batch>> {
    let mut decoder = Decoder::new(Limits::default());
    let mut batches = Vec::new();
    let mut sink = |batch| {
        batches.push(batch);
        ControlFlow::Continue(())
    };
    let mut again = || -> io::Result<Box<dyn io::Read>> { Err(io::ErrorKind::Unsupported.into()) };
    for (number, inspected) in (0..).zip(objects) {
        decoder.decode(number, inspected?.borrow(), &mut again, &mut sink)?;
    }
    decoder.finish(&mut sink);
    Ok(batches)
}

fn rows(batches: &[Batch]) -> u64 {
    batches.iter().map(|batch| batch.rows.num_rows() as u64).sum()
}
