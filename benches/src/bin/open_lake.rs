//! Measures a lake of very many files: `open_lake --traillake PATH --work FOLDER`. Prints Markdown.
//!
//! A small lake is made by the program itself. Then its log of `events` is told of files that do
//! not exist, all of other months, in commits like the program's own: what is measured never opens
//! them, and making 100,000 real ones would take an hour.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, TimeDelta};
use clap::Parser;
use serde_json::{Value, json};
use traillake_benches::process::size_of;
use traillake_benches::{Program, Workload, machine};

/// Commits that add the files: enough for upkeep to write a checkpoint.
const COMMITS: u64 = 100;
/// Commits of one file each, with which a checkpoint is due that no round leaves to upkeep.
const MORE_COMMITS: u64 = 900;
/// Months over which the files are spread, from January 2001.
const MONTHS: u64 = 24;
/// What the names of files end with that do not exist.
const SYNTHETIC: &str = "-0000-4000-8000-000000000000";
/// Objects of each of the rounds that are really ingested.
const OBJECTS: u64 = 2;

/// Measures opening a lake, listing its files with a predicate, and a commit.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program to measure (a release build).
    #[arg(long)]
    traillake: PathBuf,
    /// Where the lake is made; one that is there is removed.
    #[arg(long)]
    work: PathBuf,
    /// Number of data files of `events`.
    #[arg(long, default_value_t = 100_000)]
    files: u64,
}

/// A place to measure in.
struct Bench {
    traillake: Program,
    lake: PathBuf,
    work: PathBuf,
}

fn main() -> Result<()> {
    let Arguments { traillake, work, files } = Arguments::parse();
    fs::create_dir_all(&work)?;
    let lake = work.join("lake-open");
    if lake.exists() {
        fs::remove_dir_all(&lake)?;
    }
    let bench = Bench { traillake: Program::at(&traillake)?, lake, work };

    println!("{}", bench.traillake.run(&["version".as_ref()])?.output.trim());
    println!("{}\n", machine());
    println!("| what | seconds | peak MB |");
    println!("|---|--:|--:|");
    bench.ingest("making the lake", 0)?;
    bench.open("nothing but its own")?;
    bench.ingest("a commit", 1)?;
    bench.add_files(0..files, COMMITS)?;
    ensure!(bench.count()? > files, "the lake has not all its files");
    bench.open("its newest files in the log alone")?;
    bench.ingest("a commit, while the checkpoint is left to upkeep", 2)?;
    bench.add_files(files..files + MORE_COMMITS, MORE_COMMITS)?;
    bench.ingest("a commit, and the checkpoint that is left no longer", 3)?;
    bench.open("a checkpoint")?;
    bench.ingest("a commit", 4)?;
    let last = files + MORE_COMMITS;
    bench.add_files(last..last + MORE_COMMITS, MORE_COMMITS)?;
    bench.open(&format!("a checkpoint and {MORE_COMMITS} commits"))?;
    bench.ingest("a commit behind those", 5)?;
    let (bytes, _) = size_of(&bench.lake.join("stores/default/events/_delta_log"))?;
    println!("\n- the log of `events`: {:.1} MB", bytes as f64 / 1e6);
    Ok(())
}

impl Bench {
    /// Ingests the objects of round `number`: opens, plans, reads, writes, commits every table.
    fn ingest(&self, what: &str, number: u64) -> Result<()> {
        let trail = Workload::Tiny.trail(0.01);
        let source = self.work.join(format!("trail-open-{number}"));
        trail.write_some(&source, 1, number * OBJECTS..(number + 1) * OBJECTS)?;
        let arguments: [&OsStr; 4] =
            ["--no-progress".as_ref(), "--quiet".as_ref(), "ingest".as_ref(), source.as_ref()];
        self.measure(&format!("`ingest`: {what}"), &arguments).map(drop)
    }

    /// Opens the lake and asks for what no file holds, then for what the real ones do.
    fn open(&self, what: &str) -> Result<()> {
        let count = |when: &str, condition: &str| -> Result<u64> {
            let sql = format!("SELECT count(*) AS n FROM events WHERE {condition}");
            let arguments = ["query", "--format", "ndjson", &sql].map(OsStr::new);
            number(&self.measure(&format!("`query`: {what}; {when}"), &arguments)?)
        };
        let none = count("before any file", "eventTime < TIMESTAMP '2000-01-01 00:00:00'")?;
        ensure!(none == 0, "{none} events before there were any");
        let real = count("the real files", "eventTime > TIMESTAMP '2010-01-01 00:00:00'")?;
        ensure!(real > 0, "the real events are gone");
        Ok(())
    }

    /// The number of data files that the lake says it has.
    fn count(&self) -> Result<u64> {
        let sql = "SELECT count(*) AS n FROM system.files WHERE table_name = 'events'";
        let arguments = ["query", "--format", "ndjson", sql].map(OsStr::new);
        number(&self.run(&arguments)?.output)
    }

    fn measure(&self, what: &str, arguments: &[&OsStr]) -> Result<String> {
        let finished = self.run(arguments).with_context(|| what.to_owned())?;
        let megabytes = finished.memory_bytes_max as f64 / 1e6;
        println!("| {what} | {:.3} | {megabytes:.0} |", finished.elapsed.as_secs_f64());
        Ok(finished.output)
    }

    fn run(&self, arguments: &[&OsStr]) -> Result<traillake_benches::Finished> {
        let lake: [&OsStr; 2] = ["--lake".as_ref(), self.lake.as_ref()];
        self.traillake.run(&[&lake[..], arguments].concat())
    }

    /// Adds files of those numbers to the log of `events` in so many commits, each a copy of a real
    /// one in all but its name and time.
    fn add_files(&self, numbers: Range<u64>, commits: u64) -> Result<()> {
        let store = self.lake.join("stores/default");
        let identity: Value = serde_json::from_slice(&fs::read(store.join("store.json"))?)?;
        let log = store.join("events/_delta_log");
        let last = newest_commit(&log)?;
        let add: Value = serde_json::from_str(&real_file(&log, last)?)?;
        let application = format!("{}/rewrite", identity["id"].as_str().unwrap_or_default());
        let info = json!({ "operation": "OPTIMIZE", "timestamp": 1_700_000_000_000u64 });
        let count = numbers.end - numbers.start;
        for commit in 0..commits {
            let version = last + 1 + commit;
            let mut lines = format!(
                "{}\n{}\n",
                json!({ "commitInfo": info }),
                json!({ "txn": { "appId": application, "version": version } }),
            );
            for number in count * commit / commits..count * (commit + 1) / commits {
                writeln!(lines, "{}", synthetic(&add, numbers.start + number)?)?;
            }
            fs::write(commit_file(&log, version), lines)?;
        }
        Ok(())
    }
}

/// A file of minute `number / 24` of one of the months.
fn synthetic(like: &Value, number: u64) -> Result<Value> {
    let month = number % MONTHS;
    let month = format!("{}-{:02}", 2001 + month / 12, 1 + month % 12);
    let begin: DateTime<chrono::Utc> = format!("{month}-01T00:00:00Z").parse()?;
    let begin = begin + TimeDelta::seconds((number / MONTHS * 60) as i64);
    let text = |time: DateTime<chrono::Utc>| time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let mut add = like.clone();
    let stats = add["add"]["stats"].as_str().context("no statistics")?;
    let mut stats: Value = serde_json::from_str(stats)?;
    stats["minValues"]["eventTime"] = json!(text(begin));
    stats["maxValues"]["eventTime"] = json!(text(begin + TimeDelta::seconds(59)));
    add["add"]["stats"] = json!(stats.to_string());
    add["add"]["partitionValues"] = json!({ "eventMonth": month });
    let name = format!("eventMonth={month}/part-{number:08x}{SYNTHETIC}.parquet");
    add["add"]["path"] = json!(name);
    Ok(add)
}

/// The line that adds a file, of the newest commit that adds a real one.
fn real_file(log: &Path, newest: u64) -> Result<String> {
    for version in (0..=newest).rev() {
        let text = fs::read_to_string(commit_file(log, version))?;
        let mut adds = text.lines().filter(|line| line.starts_with("{\"add\""));
        if let Some(add) = adds.find(|line| !line.contains(SYNTHETIC)) {
            return Ok(add.to_owned());
        }
    }
    bail!("no file")
}

fn newest_commit(log: &Path) -> Result<u64> {
    let mut newest = 0;
    for entry in fs::read_dir(log)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let version = name.strip_suffix(".json").and_then(|name| name.parse().ok());
        newest = newest.max(version.unwrap_or(0));
    }
    Ok(newest)
}

fn commit_file(log: &Path, version: u64) -> PathBuf {
    log.join(format!("{version:020}.json"))
}

fn number(output: &str) -> Result<u64> {
    let row: Value = serde_json::from_str(output.trim())?;
    row["n"].as_u64().with_context(|| format!("no number in `{output}`"))
}
