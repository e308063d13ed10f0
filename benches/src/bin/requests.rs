//! Measures what a lake in a bucket costs its readers: `requests --traillake PATH --work FOLDER`.
//! Prints Markdown.
//!
//! The lake lies in an S3 on this machine that answers each request after a while, as one far away
//! does, and that counts them. Its rounds are made by the program itself; one of them is then told of
//! files that do not exist, all of another month: no question opens them. Questions are asked just
//! behind a checkpoint and, where they cost most, just before the next: on a machine that knows
//! nothing of the lake, and again.
#![allow(clippy::print_stdout)]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde_json::{Value, json};
use traillake_benches::{Program, Workload, fresh, machine};
use traillake_testkit::damage;
use traillake_testkit::s3::{ACCESS_KEY, Asked, S3, SECRET_KEY, Spoiled};
use traillake_testkit::table_log::{checkpoints, commits_to_checkpoint};

const LAKE: &str = "s3://home/lake";
/// Objects of each round.
const OBJECTS: u64 = 20;
/// The round that is told of more files; the one after it writes a checkpoint.
const MULTIPLIED: u64 = 7;

/// Measures requests, bytes and time of questions to a lake in a bucket.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program to measure (a release build).
    #[arg(long)]
    traillake: PathBuf,
    /// Where trails are made, and what is kept of the lake; what is there of an earlier run is removed.
    #[arg(long)]
    work: PathBuf,
    /// Number of data files of `events`.
    #[arg(long, default_value_t = 10_000)]
    files: usize,
    /// Milliseconds that each answer of S3 takes.
    #[arg(long, default_value_t = 30)]
    latency: u64,
}

/// A lake to ask.
struct Bench {
    traillake: Program,
    s3: S3,
    work: PathBuf,
    /// What is kept of the lake on this machine.
    kept: PathBuf,
    /// Rounds so far.
    rounds: u64,
}

fn main() -> Result<()> {
    let Arguments { traillake, work, files, latency } = Arguments::parse();
    fs::create_dir_all(&work)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let s3 = runtime.block_on(S3::start(&["home"]))?;
    let kept = fresh(work.join("kept-requests"))?;
    let traillake = Program::at(&traillake)?
        .with("AWS_ENDPOINT_URL_S3", &s3.endpoint())
        .with("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .with("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .with("AWS_REGION", "us-east-1")
        .with("XDG_CACHE_HOME", &kept.to_string_lossy());
    println!("{}", traillake.run(&["version".as_ref()])?.output.trim());
    println!("{}\n", machine());
    let mut bench = Bench { traillake, s3, work, kept, rounds: 0 };
    for _ in 0..MULTIPLIED {
        bench.round()?;
    }
    add_files(&bench.log().join(format!("{MULTIPLIED:020}.json")), files)?;
    bench.round()?;
    let checkpoints = checkpoints(&bench.log())?;
    ensure!(checkpoints.first() == Some(&bench.rounds), "checkpoints: {checkpoints:?}");

    println!("{files} files of `events`, {latency} ms a request\n");
    println!("| what | when | requests | GET | LIST | other | seconds |");
    println!("|---|---|--:|--:|--:|--:|--:|");
    bench.ask("behind a checkpoint", latency)?;
    // It costs most just before the next: commits that none holds are read each.
    for _ in 1..commits_to_checkpoint(&bench.log())? {
        bench.round()?;
    }
    bench.ask("just before the next", latency)
}

impl Bench {
    /// Brings in a round of a few objects, all of one month.
    fn round(&mut self) -> Result<()> {
        let folder = fresh(self.work.join("trail-requests"))?;
        let of = self.rounds * OBJECTS..(self.rounds + 1) * OBJECTS;
        Workload::Tiny.trail(0.01).write_some(&folder, 1, of)?;
        let arguments = ["--lake", LAKE, "--no-progress", "--quiet", "ingest"].map(OsStr::new);
        self.traillake.run(&[&arguments[..], &[folder.as_os_str()]].concat())?;
        self.rounds += 1;
        Ok(())
    }

    /// Asks each question as somebody who never asked before, and again; `state` says when.
    fn ask(&self, state: &str, latency: u64) -> Result<()> {
        self.s3.heal();
        let times = self.query(
            "SELECT min(eventTime), max(eventTime) FROM events WHERE eventTime >= '2010-01-01'",
        )?;
        let (first, last) = times.split_once(',').with_context(|| format!("times: {times}"))?;
        let count = |condition: String| format!("SELECT count(*) FROM events WHERE {condition}");
        let questions = [
            ("opening the lake", count("eventTime < '2000-01-01'".to_owned())),
            (
                "a count between two times",
                count(format!("eventTime > '{first}' AND eventTime < '{last}'")),
            ),
        ];
        for (what, sql) in questions {
            fs::remove_dir_all(&self.kept)?;
            fs::create_dir_all(&self.kept)?;
            self.s3.spoil(move |_, _| Some(Spoiled::Late(latency)));
            let cold = self.measure(&format!("{what}, {state} | cold"), &sql)?;
            let again = self.measure(&format!("{what}, {state} | again"), &sql)?;
            ensure!(cold == again, "{cold} and {again}");
        }
        Ok(())
    }

    fn measure(&self, what: &str, sql: &str) -> Result<String> {
        self.s3.asked();
        let begun = Instant::now();
        let answer = self.query(sql)?;
        let seconds = begun.elapsed().as_secs_f64();
        let asked = self.s3.asked();
        let count = |of: fn(&Asked) -> bool| asked.iter().filter(|asked| of(asked)).count();
        let (read, listed) = (count(Asked::is_reading), count(Asked::is_listing));
        let others = asked.len() - read - listed;
        println!("| {what} | {} | {read} | {listed} | {others} | {seconds:.2} |", asked.len());
        Ok(answer)
    }

    fn query(&self, sql: &str) -> Result<String> {
        let arguments = ["--lake", LAKE, "query", "--format", "csv", "--no-header", sql];
        Ok(self.traillake.run(&arguments.map(OsStr::new))?.output.trim().to_owned())
    }

    /// The log of `events`, as the S3 keeps it.
    fn log(&self) -> PathBuf {
        self.s3.bucket_folder("home").join("lake/stores/default/events/_delta_log")
    }
}

/// Makes a commit name so many files more, of a month of 2001.
fn add_files(commit: &Path, count: usize) -> Result<()> {
    let mut actions = damage::actions(&fs::read(commit)?)?;
    damage::multiply(&mut actions, count, |add, number| {
        let mut stats: Value = add["stats"]
            .as_str()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        for bound in ["minValues", "maxValues"] {
            stats[bound]["eventTime"] = json!("2001-01-02T00:00:00.000Z");
        }
        add["path"] = json!(format!("eventMonth=2001-01/part-{number:08}.parquet"));
        add["partitionValues"] = json!({ "eventMonth": "2001-01" });
        add["stats"] = json!(stats.to_string());
    });
    fs::write(commit, damage::commit(&actions))?;
    Ok(())
}
