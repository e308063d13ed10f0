//! Measures how soon what is delivered can be asked for: `follow --traillake PATH --work FOLDER`.
//! Prints Markdown.
//!
//! A trail lies in an S3 on this machine that answers each request after a while, as one far away
//! does. `ingest --follow` has swept it; then an object is delivered, again and again, and its event
//! counted by a query as soon as the follower has told of it.
#![allow(clippy::print_stdout)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use clap::Parser;
use traillake_benches::{Program, Workload, machine};
use traillake_testkit::s3::{ACCESS_KEY, S3, SECRET_KEY, Spoiled};

/// Measures the time from a delivery to its answer.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program to measure (a release build).
    #[arg(long)]
    traillake: PathBuf,
    /// Where the lake is made; one that is there is removed.
    #[arg(long)]
    work: PathBuf,
    /// Number of objects that are there before, as a factor of the back-fill's own.
    #[arg(long, default_value_t = 0.1)]
    scale: f64,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 5)]
    every: u64,
    /// Milliseconds that each answer of S3 takes.
    #[arg(long, default_value_t = 30)]
    latency: u64,
    /// Deliveries that are measured.
    #[arg(long, default_value_t = 20)]
    deliveries: u32,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let traillake = Program::at(&arguments.traillake)?;
    println!("{}", traillake.run(&["version".as_ref()])?.output.trim());
    println!("{}\n", machine());
    let runtime = tokio::runtime::Runtime::new()?;
    let s3 = runtime.block_on(S3::start(&["trail"]))?;
    let trail = Workload::Backfill.trail(arguments.scale);
    trail.write_to(&s3.bucket_folder("trail"), 2)?;
    let latency = arguments.latency;
    s3.spoil(move |_, _| Some(Spoiled::Late(latency)));
    let lake = arguments.work.join("lake-follow");
    if lake.exists() {
        fs::remove_dir_all(&lake)?;
    }
    let mut follower = Follower::start(&arguments, &s3, &lake)?;
    follower.next()?;
    let events = count(&arguments.traillake, &lake)?;
    ensure!(events == trail.truth().events, "the sweep brought {events} events");
    s3.asked();
    let mut took = Vec::new();
    for number in 0..arguments.deliveries {
        // Not in step with the looks.
        std::thread::sleep(Duration::from_millis(u64::from(number) * 371 % 5_000));
        let delivered = Instant::now();
        deliver(&s3.bucket_folder("trail"), number, Utc::now())?;
        follower.next()?;
        let held = count(&arguments.traillake, &lake)?;
        took.push(delivered.elapsed().as_secs_f64());
        let expected = events + u64::from(number) + 1;
        ensure!(held == expected, "{held} events when {expected} were told of");
    }
    took.sort_by(f64::total_cmp);
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    let (objects, asked) = (trail.objects(), s3.asked().len());
    println!("| objects before | looks every s | ms a request | median s | worst s | requests |");
    println!("|--:|--:|--:|--:|--:|--:|");
    println!(
        "| {objects} | {} | {latency} | {median:.2} | {worst:.2} | {asked} |",
        arguments.every
    );
    println!(
        "\n- at most {:.2} s beyond the time between two looks",
        worst - arguments.every as f64
    );
    Ok(())
}

/// A process that follows the trail; it is killed when this goes.
struct Follower {
    child: Child,
    told: BufReader<ChildStdout>,
}

impl Follower {
    fn start(arguments: &Arguments, s3: &S3, lake: &Path) -> Result<Follower> {
        let mut command = Command::new(&arguments.traillake);
        command.arg("--lake").arg(lake).args(["--no-progress", "ingest", "s3://trail", "--follow"]);
        command.args(["--every", &format!("{}s", arguments.every)]);
        command
            .env("AWS_ENDPOINT_URL_S3", s3.endpoint())
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("AWS_REGION", "us-east-1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn()?;
        let told = BufReader::new(child.stdout.take().context("no output to read")?);
        Ok(Follower { child, told })
    }

    /// Waits until it tells of a look that brought something.
    fn next(&mut self) -> Result<()> {
        let mut line = String::new();
        ensure!(self.told.read_line(&mut line)? > 0, "the follower has ended");
        Ok(())
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts an object of one event where CloudTrail would.
fn deliver(bucket: &Path, number: u32, now: DateTime<Utc>) -> Result<()> {
    let account = "111122223333";
    let folder =
        bucket.join(format!("AWSLogs/{account}/CloudTrail/eu-west-1/{}", now.format("%Y/%m/%d")));
    fs::create_dir_all(&folder)?;
    let record = format!(
        "{{\"Records\":[{{\"eventVersion\":\"1.08\",\"eventTime\":\"{}\",\"eventSource\":\
         \"s3.amazonaws.com\",\"eventName\":\"GetObject\",\"awsRegion\":\"eu-west-1\",\"eventID\":\
         \"00000000-0000-4000-8000-{number:012}\",\"recipientAccountId\":\"{account}\"}}]}}",
        now.format("%Y-%m-%dT%H:%M:%SZ")
    );
    let name = format!(
        "{account}_CloudTrail_eu-west-1_{}_{number:016}.json.gz",
        now.format("%Y%m%dT%H%MZ")
    );
    let gzipped = traillake_testkit::trail::gzip(record.as_bytes())?;
    // Whole or not at all, as a put is.
    let begun = bucket.with_extension("begun");
    fs::write(&begun, gzipped)?;
    Ok(fs::rename(begun, folder.join(name))?)
}

fn count(traillake: &Path, lake: &Path) -> Result<u64> {
    let sql = "SELECT count(*) FROM events";
    let arguments = ["--lake".as_ref(), lake.as_os_str(), "query".as_ref(), "--format".as_ref()];
    let rest = ["csv".as_ref(), "--no-header".as_ref(), sql.as_ref()];
    let output = Program::at(traillake)?.run(&[&arguments[..], &rest].concat())?.output;
    output.trim().parse().with_context(|| format!("no number in `{output}`"))
}
