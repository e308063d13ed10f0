//! Measures two ingesters beside one another: `beside --traillake PATH --work FOLDER`. Prints
//! Markdown.
//!
//! Both halves of a trail of 24 months go into a lake of their own, one after the other; then both
//! at once into one lake, by two processes. Each half has one core, the same alone and beside the
//! other, so that what it takes longer is what one waits for the other, or does again. What an
//! ingester writes and drops because the other was first is thrown-away work: the bytes it says it
//! wrote, less those that the lake has.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde_json::Value;
use traillake_benches::{Finished, Program, Workload, fresh, machine};

/// Measures two ingesters on disjoint slices of a trail.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program to measure (a release build).
    #[arg(long)]
    traillake: PathBuf,
    /// Where trails and lakes are made; lakes that are there are removed.
    #[arg(long)]
    work: PathBuf,
    /// Number of objects, as a factor of the back-fill's own.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
}

/// What one ingester did.
struct Ingested {
    finished: Finished,
    report: Value,
}

fn main() -> Result<()> {
    let Arguments { traillake, work, scale } = Arguments::parse();
    fs::create_dir_all(&work)?;
    let traillake = Program::at(&traillake)?;
    println!("{}", traillake.run(&["version".as_ref()])?.output.trim());
    println!("{}\n", machine());
    let trail = Workload::Backfill.trail(scale);
    let half = trail.objects() / 2;
    let mut halves = Vec::new();
    for (number, objects) in [0..half, half..trail.objects()].into_iter().enumerate() {
        let folder = work.join(format!("trail-beside-{scale}-{number}"));
        trail.write_some(&folder, 2, objects)?;
        halves.push(folder);
    }
    println!("| what | seconds | rounds | rebased | MB written |");
    println!("|---|--:|--:|--:|--:|");
    let cores = [traillake.clone().on_core(0), traillake.clone().on_core(1)];
    let mut alone = Vec::new();
    for (number, (half, core)) in halves.iter().zip(&cores).enumerate() {
        let lake = fresh(work.join(format!("lake-alone-{number}")))?;
        let ingested = ingest(core, &lake, half)?;
        ingested.print(&format!("half {} alone", number + 1));
        alone.push(ingested);
    }
    let lake = fresh(work.join("lake-beside"))?;
    // The first of all rounds makes the tables; nobody should have to wait for that.
    let seed = work.join("trail-beside-seed");
    Workload::Tiny.trail(0.01).write_some(&seed, 1, 0..1)?;
    let seeded = ingest(&traillake, &lake, &seed)?;
    let both = std::thread::scope(|scope| {
        let lake = lake.as_path();
        let run = |(half, core)| scope.spawn(move || ingest(core, lake, half));
        let running: Vec<_> = halves.iter().map(PathBuf::as_path).zip(&cores).map(run).collect();
        let done = running.into_iter().map(|one| one.join().ok().context("a thread failed")?);
        done.collect::<Result<Vec<_>>>()
    })?;
    let mut longer = Vec::new();
    for (number, (beside, alone)) in both.iter().zip(&alone).enumerate() {
        beside.print(&format!("half {} beside the other", number + 1));
        longer.push(format!("{:.2}", beside.seconds() / alone.seconds()));
    }
    let events = query(&traillake, &lake, "SELECT count(*) AS n FROM events")?;
    let stored = seeded.count("records", "stored") + trail.truth().events;
    ensure!(events == stored, "the lake has {events} events instead of {stored}");
    let kept = query(&traillake, &lake, "SELECT sum(size_bytes) AS n FROM system.files")?;
    let written: u64 = both
        .iter()
        .chain([&seeded])
        .map(|one| one.report["bytes_written"].as_u64().unwrap_or(0))
        .sum();
    let thrown = written.saturating_sub(kept);
    println!(
        "\n- beside the other, of the time alone: {} times\n\
         - thrown away: {:.1} MB of {:.1} MB written, {:.1} %",
        longer.join(" and "),
        thrown as f64 / 1e6,
        written as f64 / 1e6,
        thrown as f64 * 100.0 / written.max(1) as f64,
    );
    Ok(())
}

fn ingest(traillake: &Program, lake: &Path, source: &Path) -> Result<Ingested> {
    let arguments: [&OsStr; 8] = [
        "--lake".as_ref(),
        lake.as_ref(),
        "--no-progress".as_ref(),
        "--quiet".as_ref(),
        "ingest".as_ref(),
        source.as_ref(),
        "--format".as_ref(),
        "json".as_ref(),
    ];
    let finished = traillake.run(&arguments)?;
    let report = serde_json::from_str(&finished.output)?;
    Ok(Ingested { finished, report })
}

fn query(traillake: &Program, lake: &Path, sql: &str) -> Result<u64> {
    let arguments: [&OsStr; 6] = [
        "--lake".as_ref(),
        lake.as_ref(),
        "query".as_ref(),
        "--format".as_ref(),
        "ndjson".as_ref(),
        sql.as_ref(),
    ];
    let output = traillake.run(&arguments)?.output;
    let row: Value = serde_json::from_str(output.trim())?;
    row["n"].as_u64().with_context(|| format!("no number in `{output}`"))
}

impl Ingested {
    fn seconds(&self) -> f64 {
        self.finished.elapsed.as_secs_f64()
    }

    fn count(&self, what: &str, name: &str) -> u64 {
        self.report[what][name].as_u64().unwrap_or_default()
    }

    fn print(&self, what: &str) {
        let number = |name: &str| self.report[name].as_u64().unwrap_or_default();
        println!(
            "| {what} | {:.2} | {} | {} | {:.1} |",
            self.seconds(),
            number("rounds"),
            number("rebased"),
            number("bytes_written") as f64 / 1e6,
        );
    }
}
