//! Measures how a trail becomes a lake: `ingest --traillake PATH --work FOLDER`. Prints Markdown.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use traillake_benches::process::size_of;
use traillake_benches::{Finished, Program, Workload, machine};
use traillake_testkit::trail::{Trail, Written};

/// The back-fill is brought in in this many parts, each timed.
const PARTS: u64 = 10;

/// Measures ingest: speed, peak memory, size of the lake.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program to measure (a release build).
    #[arg(long)]
    traillake: PathBuf,
    /// Where trails and lakes are made; trails that are there already are used again.
    #[arg(long)]
    work: PathBuf,
    /// Number of objects, as a factor of the workload's own.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Only these workloads.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Workload>,
}

/// A place to measure in.
struct Bench {
    traillake: Program,
    work: PathBuf,
    scale: f64,
}

/// One line of the table.
struct Figures {
    what: String,
    written: Written,
    finished: Finished,
}

fn main() -> Result<()> {
    let Arguments { traillake, work, scale, only } = Arguments::parse();
    fs::create_dir_all(&work)?;
    let bench = Bench { traillake: Program::at(&traillake)?, work, scale };
    let wanted = |workload| only.is_empty() || only.contains(&workload);

    println!("{}", bench.traillake.run(&["version".as_ref()])?.output.trim());
    println!("{}\n", machine());
    println!("| what | objects | records | gz MB | seconds | records/s | files/s | peak MB |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    let mut remarks = Vec::new();
    if wanted(Workload::Ordinary) || wanted(Workload::Retold) {
        remarks.extend(bench.ordinary(wanted(Workload::Retold))?);
    }
    if wanted(Workload::Tiny) {
        remarks.push(bench.tiny()?);
    }
    if wanted(Workload::Backfill) {
        remarks.push(bench.backfill()?);
    }
    println!("\n{}", remarks.join("\n"));
    Ok(())
}

impl Bench {
    /// Ordinary files into an empty lake, the same again, and a second trail of duplicates.
    fn ordinary(&self, with_retold: bool) -> Result<Vec<String>> {
        let trail = Workload::Ordinary.trail(self.scale);
        let (source, written) = self.generated("ordinary", &trail, 0..trail.objects())?;
        let lake = self.empty_lake("ordinary")?;
        self.ingest("ordinary files", &lake, &source, written)?.print();
        self.check(&lake, trail.truth().events)?;
        let remark = size_remark("ordinary files", &lake, written)?;
        self.ingest("the same again, nothing new", &lake, &source, written)?.print();
        if with_retold {
            let retold = Workload::Retold.trail(self.scale);
            let (source, written) = self.generated("retold", &retold, 0..retold.objects())?;
            self.ingest("a second trail, all duplicates", &lake, &source, written)?.print();
        }
        self.check(&lake, trail.truth().events)?;
        Ok(vec![remark])
    }

    fn tiny(&self) -> Result<String> {
        let trail = Workload::Tiny.trail(self.scale);
        let (source, written) = self.generated("tiny", &trail, 0..trail.objects())?;
        let lake = self.empty_lake("tiny")?;
        self.ingest("tiny files", &lake, &source, written)?.print();
        self.check(&lake, trail.truth().events)?;
        size_remark("tiny files", &lake, written)
    }

    /// 24 months in ten parts, in the order of delivery, into one lake.
    fn backfill(&self) -> Result<String> {
        let trail = Workload::Backfill.trail(self.scale);
        let lake = self.empty_lake("backfill")?;
        let mut speeds = Vec::new();
        let mut all = Written::default();
        for part in 0..PARTS {
            let first = |part| trail.objects() * part / PARTS;
            let name = format!("backfill-{part}");
            let (source, written) = self.generated(&name, &trail, first(part)..first(part + 1))?;
            let what = format!("back-fill, part {} of {PARTS}", part + 1);
            let figures = self.ingest(&what, &lake, &source, written)?;
            figures.print();
            speeds.push(per_second(written.records, figures.finished.elapsed));
            (all.bytes, all.objects) = (all.bytes + written.bytes, all.objects + written.objects);
        }
        self.check(&lake, trail.truth().events)?;
        let ratio = speeds[speeds.len() - 1] / speeds[0];
        let size = size_remark("back-fill", &lake, all)?;
        Ok(format!("{size}\n- back-fill: the last tenth at {ratio:.2}x the speed of the first"))
    }

    /// Returns the folder of some of a trail's objects, written unless it is there.
    fn generated(
        &self,
        name: &str,
        trail: &Trail,
        objects: std::ops::Range<u64>,
    ) -> Result<(PathBuf, Written)> {
        let folder = self.work.join(format!("trail-{name}-{}", self.scale));
        let done = folder.with_extension("done");
        if let Ok(text) = fs::read_to_string(&done) {
            let numbers: Vec<u64> = text.split(' ').flat_map(str::parse).collect();
            if let [objects, records, inflated_bytes, bytes] = numbers[..] {
                return Ok((folder, Written { objects, records, inflated_bytes, bytes }));
            }
        }
        fs::create_dir_all(&folder)?;
        let threads = std::thread::available_parallelism()?.get();
        let written = trail.write_some(&folder, threads, objects)?;
        let Written { objects, records, inflated_bytes, bytes } = written;
        fs::write(done, format!("{objects} {records} {inflated_bytes} {bytes}"))?;
        Ok((folder, written))
    }

    fn empty_lake(&self, name: &str) -> Result<PathBuf> {
        let lake = self.work.join(format!("lake-{name}"));
        match fs::remove_dir_all(&lake) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(lake),
        }
    }

    fn ingest(&self, what: &str, lake: &Path, source: &Path, written: Written) -> Result<Figures> {
        let arguments: [&OsStr; 6] = [
            "--lake".as_ref(),
            lake.as_ref(),
            "--no-progress".as_ref(),
            "--quiet".as_ref(),
            "ingest".as_ref(),
            source.as_ref(),
        ];
        let finished = self.traillake.run(&arguments).with_context(|| what.to_owned())?;
        Ok(Figures { what: what.to_owned(), written, finished })
    }

    /// A fast wrong answer is no figure.
    fn check(&self, lake: &Path, events: u64) -> Result<()> {
        let arguments: [&OsStr; 6] = [
            "--lake".as_ref(),
            lake.as_ref(),
            "query".as_ref(),
            "--format".as_ref(),
            "ndjson".as_ref(),
            "SELECT count(*) AS n FROM events".as_ref(),
        ];
        let output = self.traillake.run(&arguments)?.output;
        let row: serde_json::Value = serde_json::from_str(output.trim())?;
        ensure!(row["n"] == events, "the lake has {} events, the trail {events}", row["n"]);
        Ok(())
    }
}

impl Figures {
    fn print(&self) {
        let Figures { what, written, finished } = self;
        println!(
            "| {what} | {} | {} | {:.1} | {:.2} | {:.0} | {:.0} | {:.0} |",
            written.objects,
            written.records,
            written.bytes as f64 / 1e6,
            finished.elapsed.as_secs_f64(),
            per_second(written.records, finished.elapsed),
            per_second(written.objects, finished.elapsed),
            finished.memory_bytes_max as f64 / 1e6,
        );
    }
}

fn per_second(count: u64, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64().max(1e-9)
}

fn size_remark(what: &str, lake: &Path, written: Written) -> Result<String> {
    let (bytes, files) = size_of(lake)?;
    let ratio = bytes as f64 / written.bytes as f64;
    let megabytes = bytes as f64 / 1e6;
    Ok(format!(
        "- {what}: lake of {megabytes:.1} MB in {files} files, {ratio:.3}x of the gzipped trail"
    ))
}
