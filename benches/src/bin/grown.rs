//! Measures ingest into a large lake against the same into an empty one:
//! `grown --traillake PATH --work FOLDER`. Prints Markdown.
//!
//! A year of a trail comes in by twelve parts, but for its last days. Those come into an empty lake and into
//! a copy of the large one, with no duplicates, with some and with many. Copies share their files, which
//! nobody changes.
#![allow(clippy::print_stdout)]

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use chrono::NaiveDate;
use clap::Parser;
use serde_json::Value;
use traillake_benches::process::size_of;
use traillake_benches::{Finished, Lakes, Program, fresh, machine};
use traillake_testkit::trail::{Trail, TrailOptions, days_of_months};

/// Parts in which the trail comes in.
const PARTS: u64 = 12;
/// Shares of duplicates among the records of the last days.
const DUPLICATES: [f64; 3] = [0.0, 0.01, 0.5];

/// Measures ingest into an empty lake and into a large one.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program to measure (a release build).
    #[arg(long)]
    traillake: PathBuf,
    /// Where trails and lakes are made. A large lake of the same scale that is there is used again.
    #[arg(long)]
    work: PathBuf,
    /// Number of objects, as a factor of 44,000 (each of about 2,300 events): 100 million events.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// The last objects, one of so many, are what is timed.
    #[arg(long, default_value_t = 50)]
    last: u64,
    /// Times each is timed; the median counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    fs::create_dir_all(&arguments.work)?;
    let traillake = Program::at(&arguments.traillake)?;
    println!("{}", traillake.run(&["version".as_ref()])?.output.trim());
    println!("{}\n", machine());
    let bench = Bench(Lakes { traillake, work: arguments.work.clone() });
    let objects = trail(arguments.scale, 0.0).objects();
    let first = objects - (objects / arguments.last.max(1)).max(1);
    let lake = bench.fill(arguments.scale, first)?;
    println!("| duplicates | records | empty: seconds | MB | large: seconds | MB | ratio |");
    println!("|--:|--:|--:|--:|--:|--:|--:|");
    for share in DUPLICATES {
        let folder = bench.written(&trail(arguments.scale, share), first..objects)?;
        bench.compare(&lake, share, &folder, arguments.runs)?;
    }
    Ok(())
}

/// A year of twenty accounts. The same events whatever the share; only which are told again differs.
fn trail(scale: f64, duplicate_share: f64) -> Trail {
    let first_day = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap_or_default();
    Trail::new(TrailOptions {
        accounts: 20,
        first_day,
        days: days_of_months(first_day, 12),
        objects: ((44_000.0 * scale).round() as u64).max(2 * PARTS),
        duplicate_share,
        ..TrailOptions::default()
    })
}

/// Lakes of a year.
struct Bench(Lakes);

impl Bench {
    /// A lake of a trail's objects but for the last.
    fn fill(&self, scale: f64, objects: u64) -> Result<PathBuf> {
        let name = format!("lake-grown-{scale}-{objects}");
        let (lake, done) = (self.0.work.join(&name), self.0.work.join(name + ".done"));
        if !done.exists() {
            fresh(lake.clone())?;
            let trail = trail(scale, 0.0);
            for part in 0..PARTS {
                let of = part * objects / PARTS..(part + 1) * objects / PARTS;
                let folder = self.written(&trail, of)?;
                self.0.run(&lake, &["--quiet", "ingest", &folder.to_string_lossy()])?;
            }
            fs::write(&done, "")?;
        }
        let (bytes, files) = size_of(&lake)?;
        let (events, megabytes) = (self.0.count(&lake)?, bytes as f64 / 1e6);
        println!("the large lake: {events} events, {megabytes:.0} MB in {files} files\n");
        Ok(lake)
    }

    /// Brings the same objects into an empty lake and into a copy of the large one, in turn.
    fn compare(&self, large: &Path, share: f64, folder: &Path, runs: usize) -> Result<()> {
        let (mut into_empty, mut into_large) = (Vec::new(), Vec::new());
        let mut records = 0;
        for _ in 0..runs.max(1) {
            let empty = fresh(self.0.work.join("lake-empty"))?;
            let (finished, read) = self.ingest(&empty, folder)?;
            into_empty.push(finished);
            let copy = self.0.copy(large, "lake-copy")?;
            let (finished, read_again) = self.ingest(&copy, folder)?;
            into_large.push(finished);
            ensure!(read == read_again, "{read} records, then {read_again}");
            records = read;
        }
        let (empty, large) = (median(into_empty)?, median(into_large)?);
        println!(
            "| {:.0} % | {records} | {:.2} | {:.0} | {:.2} | {:.0} | **{:.2}** |",
            share * 100.0,
            empty.elapsed.as_secs_f64(),
            empty.memory_bytes_max as f64 / 1e6,
            large.elapsed.as_secs_f64(),
            large.memory_bytes_max as f64 / 1e6,
            large.elapsed.as_secs_f64() / empty.elapsed.as_secs_f64().max(1e-9),
        );
        Ok(())
    }

    /// Ingests; how many records were read. Each became an event or tells one again, and the lake
    /// holds so many events more.
    fn ingest(&self, lake: &Path, folder: &Path) -> Result<(Finished, u64)> {
        let before = if lake.exists() { self.0.count(lake)? } else { 0 };
        let words = ["ingest", "--format", "json", &folder.to_string_lossy()];
        let finished = self.0.run(lake, &words)?;
        let report: Value = serde_json::from_str(&finished.output)?;
        let number = |name: &str| report["records"][name].as_u64().context("no number of records");
        let (read, stored, again) = (number("records")?, number("stored")?, number("duplicates")?);
        ensure!(read == stored + again, "{read} records are not {stored} + {again}");
        let events = self.0.count(lake)?;
        ensure!(events == before + stored, "{events} events are not {before} + {stored}");
        Ok((finished, read))
    }

    fn written(&self, trail: &Trail, objects: Range<u64>) -> Result<PathBuf> {
        let folder = fresh(self.0.work.join("trail-grown"))?;
        let threads = std::thread::available_parallelism()?.get();
        trail.write_some(&folder, threads, objects)?;
        Ok(folder)
    }
}

fn median(mut runs: Vec<Finished>) -> Result<Finished> {
    runs.sort_by_key(|run| run.elapsed);
    let middle = runs.len() / 2;
    runs.into_iter().nth(middle).context("nothing was timed")
}
