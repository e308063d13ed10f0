//! Measures upkeep of a large lake: `upkeep --traillake PATH --work FOLDER`. Prints Markdown.
//!
//! A trail comes in by parts, as a follower leaves it; `maintain` folds that: time and peak memory.
//! Then questions are asked of a copy of the lake as it was, idle, and again and again while another
//! copy beside it is tended by the same machine. Copies share their files, which nobody changes.
#![allow(clippy::print_stdout)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde_json::Value;
use traillake_benches::process::size_of;
use traillake_benches::{Lakes, Program, Workload, fresh, machine};

/// Measures upkeep alone, and questions beside it.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program to measure (a release build).
    #[arg(long)]
    traillake: PathBuf,
    /// Where the trail and the lakes are made; lakes that are there are removed.
    #[arg(long)]
    work: PathBuf,
    /// Number of objects, as a factor of 1,000 (each of about 2,300 events); 4.5: ten million.
    #[arg(long, default_value_t = 4.5)]
    scale: f64,
    /// Parts in which the trail comes in: so many files in each month at least.
    #[arg(long, default_value_t = 20)]
    parts: u64,
    /// Times each question is asked of the idle lake, and beside upkeep at least.
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

/// Questions of an audit that read little, some and all.
const QUESTIONS: &[(&str, &str)] = &[
    ("all events", "SELECT count(*) AS n FROM events"),
    (
        "latest 100",
        "SELECT eventTime, eventID, eventName, sourceIPAddress FROM events \
         ORDER BY eventTime DESC, eventID LIMIT 100",
    ),
    (
        "one address",
        "SELECT eventName, count(*) AS n FROM events WHERE sourceIPAddress = \
         (SELECT min(sourceIPAddress) FROM events) GROUP BY eventName ORDER BY 2 DESC, 1",
    ),
    (
        "errors",
        "SELECT errorCode, count(*) AS n FROM events WHERE errorCode IS NOT NULL \
         GROUP BY errorCode ORDER BY 2 DESC, 1",
    ),
    (
        "most frequent calls",
        "SELECT eventName, count(*) AS n FROM events GROUP BY eventName ORDER BY 2 DESC, 1 LIMIT 20",
    ),
];

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    fs::create_dir_all(&arguments.work)?;
    let traillake = Program::at(&arguments.traillake)?;
    println!("{}", traillake.run(&["version".as_ref()])?.output.trim());
    println!("{}\n", machine());
    let bench = Bench(Lakes { traillake, work: arguments.work.clone() });
    let lake = bench.fill(&arguments)?;
    let before = bench.0.copy(&lake, "lake-before")?;
    bench.tend_alone(&lake)?;
    bench.beside(&before, arguments.runs)
}

/// Lakes that are tended.
struct Bench(Lakes);

impl Bench {
    /// A lake of the trail, which came in by parts.
    fn fill(&self, arguments: &Arguments) -> Result<PathBuf> {
        let lake = fresh(self.0.work.join("lake-upkeep"))?;
        let trail = Workload::Unique.trail(arguments.scale);
        let (objects, parts) = (trail.objects(), arguments.parts.max(1));
        for part in 0..parts {
            let folder = fresh(self.0.work.join("trail-upkeep"))?;
            let of = part * objects / parts..(part + 1) * objects / parts;
            trail.write_some(&folder, 2, of)?;
            self.0.run(&lake, &["--quiet", "ingest", &folder.to_string_lossy()])?;
        }
        fresh(self.0.work.join("trail-upkeep"))?;
        let (held, events) = (self.0.count(&lake)?, trail.truth().events);
        ensure!(held == events, "the lake holds {held} events instead of {events}");
        println!("{events} events in {parts} parts\n");
        Ok(lake)
    }

    /// Tends the lake, and tells what that took.
    fn tend_alone(&self, lake: &Path) -> Result<()> {
        let (events, before) = (self.0.count(lake)?, size_of(lake)?);
        let finished = self.0.run(lake, &["maintain", "--format", "json"])?;
        let report: Value = serde_json::from_str(&finished.output)?;
        let after = self.0.count(lake)?;
        ensure!(after == events, "{after} events after upkeep instead of {events}");
        let tables = report["stores"][0]["tables"].as_array().context("tables in the report")?;
        println!("| table | files before | after | rows rewritten |\n|---|--:|--:|--:|");
        for table in tables {
            let number = |name: &str| table[name].as_u64().unwrap_or_default();
            println!(
                "| {} | {} | {} | {} |",
                table["table"].as_str().unwrap_or_default(),
                number("files_before"),
                number("files_after"),
                number("rows_rewritten"),
            );
        }
        println!(
            "\n- `maintain`: {:.1} s, peak {:.0} MB; the lake {:.0} MB before and {:.0} MB after (what \
             was replaced is kept for a week)\n",
            finished.elapsed.as_secs_f64(),
            finished.memory_bytes_max as f64 / 1e6,
            before.0 as f64 / 1e6,
            size_of(lake)?.0 as f64 / 1e6,
        );
        Ok(())
    }

    /// Asks each question of the idle lake, then while a copy is tended.
    fn beside(&self, lake: &Path, runs: usize) -> Result<()> {
        let idle = QUESTIONS.iter().map(|(_, sql)| {
            let took = (0..runs.max(1)).map(|_| self.ask(lake, sql)).collect::<Result<Vec<_>>>()?;
            Ok(median(took))
        });
        let idle = idle.collect::<Result<Vec<_>>>()?;
        let busy = AtomicBool::new(false);
        let ended = AtomicBool::new(false);
        let busy_times = std::thread::scope(|scope| -> Result<Vec<Vec<Duration>>> {
            let tending = scope.spawn(|| -> Result<u64> {
                let mut times = 0;
                while !ended.load(Ordering::SeqCst) {
                    let copy = self.0.copy(lake, "lake-tended")?;
                    busy.store(true, Ordering::SeqCst);
                    self.0.run(&copy, &["--quiet", "maintain"])?;
                    busy.store(false, Ordering::SeqCst);
                    times += 1;
                }
                Ok(times)
            });
            let asked = self.ask_while(&busy, lake, runs);
            ended.store(true, Ordering::SeqCst);
            tending.join().ok().context("the upkeep's thread failed")??;
            asked
        })?;
        println!("| question | idle ms | beside upkeep ms | ratio |\n|---|--:|--:|--:|");
        let mut sum = 0.0;
        for (((name, _), idle), beside) in QUESTIONS.iter().zip(&idle).zip(busy_times) {
            let (idle, beside) = (idle.as_secs_f64() * 1e3, median(beside).as_secs_f64() * 1e3);
            sum += (beside / idle).ln();
            println!("| {name} | {idle:.1} | {beside:.1} | {:.2} |", beside / idle);
        }
        println!("| **geometric mean** | | | **{:.2}** |", (sum / QUESTIONS.len() as f64).exp());
        Ok(())
    }

    /// Asks in turn until each question has `runs` answers that came while upkeep went on.
    fn ask_while(&self, busy: &AtomicBool, lake: &Path, runs: usize) -> Result<Vec<Vec<Duration>>> {
        let mut times = vec![Vec::new(); QUESTIONS.len()];
        while times.iter().any(|times| times.len() < runs.max(1)) {
            for ((_, sql), times) in QUESTIONS.iter().zip(&mut times) {
                let began = busy.load(Ordering::SeqCst);
                let took = self.ask(lake, sql)?;
                if began && busy.load(Ordering::SeqCst) {
                    times.push(took);
                }
            }
        }
        Ok(times)
    }

    /// How long a question took, start of the program included.
    fn ask(&self, lake: &Path, sql: &str) -> Result<Duration> {
        Ok(self.0.run(lake, &["query", "--format", "csv", sql])?.elapsed)
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
