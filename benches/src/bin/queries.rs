//! Measures audit queries beside DuckDB and ClickHouse: `queries --traillake PATH --work FOLDER`.
//! Prints Markdown.
//!
//! All hold the same events and must give the same answers. DuckDB and ClickHouse answer inside a
//! process that stays; `traillake` is a new process for each query: `own` is what `--timing` says,
//! from the statement to the last row, `wall` is all of it.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use chrono::NaiveDateTime;
use clap::Parser;
use traillake_benches::Workload;
use traillake_benches::audit::{Engine, QUESTIONS, Question, THINGS};
use traillake_benches::peers::{Answer, Peers};

/// Measures audit queries beside DuckDB and ClickHouse.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program to measure (a release build).
    #[arg(long)]
    traillake: PathBuf,
    /// Where the trail, the lake and the peers' files are made; a trail that is there is kept.
    #[arg(long)]
    work: PathBuf,
    /// Number of objects, as a factor of 1,000 (each of about 1,500 events).
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Times each query is asked of each engine; the median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Cores each engine may use; the program runs with as many as it finds.
    #[arg(long, default_value_t = 2)]
    cores: usize,
    /// A Python that has duckdb and chdb.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Only the questions whose name holds this.
    #[arg(long, default_value = "")]
    only: String,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let trail = arguments.trail()?;
    let lake = Lake::of(&arguments.traillake, &arguments.work.join("lake-queries"), &trail)?;
    let work = arguments.work.join("peers");
    let mut peers = Peers::start(&arguments.python, &trail, &work, arguments.cores)?;
    let count = lake.ask("SELECT count(*) AS n FROM events")?.0.rows;
    for (peer, held) in &peers.counts {
        ensure!(count == [[Some(held.to_string())]], "{peer} holds {held} events, not {count:?}");
    }
    let versions = peers.versions.iter().map(|(name, version)| format!("{name} {version}"));
    println!("{}, {}", lake.version()?, versions.collect::<Vec<_>>().join(", "));
    println!("{} events, medians of {} runs, ms\n", peers.counts["DuckDB"], arguments.runs);
    println!("| query | rows | own | wall | DuckDB | ClickHouse | own / better | wall / better |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    let things = lake.things()?;
    let mut ratios: [Vec<f64>; 2] = Default::default();
    for question in QUESTIONS.iter().filter(|question| question.name.contains(&arguments.only)) {
        let figures = measure(question, &things, &lake, &mut peers, arguments.runs)?;
        figures.print(question.name);
        for (all, ratio) in ratios.iter_mut().zip(figures.ratios()) {
            all.push(ratio);
        }
    }
    let means = ratios.map(|ratios| format!("**{:.2}**", geometric_mean(&ratios)));
    println!("| **geometric mean** | | | | | | {} |", means.join(" | "));
    Ok(())
}

impl Arguments {
    /// Returns the folder of a trail without duplicates, which the others would keep.
    fn trail(&self) -> Result<PathBuf> {
        let folder = self.work.join(format!("trail-unique-{}", self.scale));
        let done = folder.with_extension("done");
        if !done.exists() {
            fs::create_dir_all(&folder)?;
            Workload::Unique.trail(self.scale).write_to(&folder, self.cores)?;
            fs::write(done, "")?;
        }
        Ok(folder)
    }
}

/// Medians of one question.
struct Figures {
    rows: usize,
    own: Duration,
    wall: Duration,
    duck: Duration,
    click: Duration,
}

impl Figures {
    fn ratios(&self) -> [f64; 2] {
        let better = self.duck.min(self.click).as_secs_f64();
        // `--timing` has whole milliseconds: nothing counts as faster than half of one.
        [self.own.max(Duration::from_micros(500)), self.wall]
            .map(|time| time.as_secs_f64() / better)
    }

    fn print(&self, name: &str) {
        let times = [self.own, self.wall, self.duck, self.click];
        let times = times.map(|time| format!("{:.1}", time.as_secs_f64() * 1e3)).join(" | ");
        let ratios = self.ratios().map(|ratio| format!("{ratio:.2}")).join(" | ");
        println!("| {name} | {} | {times} | {ratios} |", self.rows);
    }
}

/// Asks every engine `runs` times; a fast wrong answer is no figure.
fn measure(
    question: &Question,
    things: &BTreeMap<String, String>,
    lake: &Lake,
    peers: &mut Peers,
    runs: usize,
) -> Result<Figures> {
    let spelled = |engine: Engine| engine.spell(question.sql, things);
    let (mut own, mut wall) = (Vec::new(), Vec::new());
    let mut expected = Vec::new();
    for _ in 0..runs.max(1) {
        let (answer, took) = lake.ask(&spelled(Engine::TrailLake))?;
        own.push(answer.elapsed);
        wall.push(took);
        expected = answer.rows;
    }
    let mut theirs = |engine: Engine| -> Result<Duration> {
        let mut times = Vec::new();
        for _ in 0..runs.max(1) {
            let answer = peers.ask(engine, &spelled(engine))?;
            times.push(answer.elapsed);
            agree(question.name, engine, &expected, answer.rows)?;
        }
        Ok(median(times))
    };
    let (duck, click) = (theirs(Engine::DuckDb)?, theirs(Engine::ClickHouse)?);
    Ok(Figures { rows: expected.len(), own: median(own), wall: median(wall), duck, click })
}

/// How the lake is told to write NULL.
const NULL: &str = "<NULL>";

type Row = Vec<Option<String>>;

fn agree(question: &str, engine: Engine, expected: &[Row], rows: Vec<Row>) -> Result<()> {
    let rows: Vec<Row> = rows.into_iter().map(plain).collect();
    if rows.len() != expected.len() {
        let name = engine.name();
        bail!("`{question}`: traillake has {} rows, {name} {}", expected.len(), rows.len());
    }
    match rows.iter().zip(expected).position(|(theirs, ours)| theirs != ours) {
        None => Ok(()),
        Some(at) => bail!(
            "`{question}`: row {at} is {:?}, that of {} {:?}",
            expected[at],
            engine.name(),
            rows[at]
        ),
    }
}

/// Returns the row with times as all engines can write them: without a fraction of zeros.
fn plain(row: Row) -> Row {
    let whole = |text: String| match text.split_once('.') {
        Some((second, zeros)) if zeros.bytes().all(|byte| byte == b'0') && is_time(second) => {
            second.to_owned()
        }
        _ => text,
    };
    row.into_iter().map(|cell| cell.map(whole)).collect()
}

fn is_time(text: &str) -> bool {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").is_ok()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn geometric_mean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len().max(1) as f64).exp()
}

/// The lake that is measured.
struct Lake {
    program: PathBuf,
    folder: PathBuf,
}

impl Lake {
    /// Brings the trail into a new lake.
    fn of(program: &Path, folder: &Path, trail: &Path) -> Result<Lake> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        let program = program.canonicalize().context("there is no program to measure")?;
        let lake = Lake { program, folder: folder.to_path_buf() };
        lake.run(&["--no-progress", "--quiet", "ingest", &trail.to_string_lossy()])?;
        Ok(lake)
    }

    /// Returns standard output and standard error.
    fn run(&self, arguments: &[&str]) -> Result<(String, String)> {
        let mut command = Command::new(&self.program);
        let output = command.arg("--lake").arg(&self.folder).args(arguments).output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (said, talk) = (text(&output.stdout), text(&output.stderr));
        ensure!(output.status.success(), "{arguments:?} ended with {}: {talk}", output.status);
        Ok((said, talk))
    }

    fn version(&self) -> Result<String> {
        Ok(self.run(&["version"])?.0.lines().next().unwrap_or_default().to_owned())
    }

    /// Returns the answer with its own time, and the time of the whole process.
    fn ask(&self, sql: &str) -> Result<(Answer, Duration)> {
        let begun = Instant::now();
        let asked = ["query", "--timing", "--format", "tsv", "--no-header", "--null", NULL, sql];
        let (said, talk) = self.run(&asked)?;
        let wall = begun.elapsed();
        let own = talk.lines().find_map(duration).context("`--timing` said nothing")?;
        let cell = |text: &str| (text != NULL).then(|| text.to_owned());
        let rows = said.lines().map(|line| plain(line.split('\t').map(cell).collect()));
        Ok((Answer { elapsed: own, rows: rows.collect() }, wall))
    }

    /// Returns what the questions ask for: things and times in the middle of the trail.
    fn things(&self) -> Result<BTreeMap<String, String>> {
        let mut things = BTreeMap::new();
        let cell = |sql: &str| {
            let rows = self.ask(sql)?.0.rows;
            let first = rows.into_iter().flatten().next().flatten();
            first.with_context(|| format!("nothing to ask for: {sql}"))
        };
        for (name, sql) in THINGS {
            let sql = Engine::TrailLake.spell(sql, &things);
            things.insert((*name).to_owned(), cell(&sql)?);
        }
        let time = |sql: &str| -> Result<NaiveDateTime> {
            Ok(NaiveDateTime::parse_from_str(&cell(sql)?, "%Y-%m-%d %H:%M:%S")?)
        };
        let first = time("SELECT date_trunc('day', min(eventTime)) AS t FROM events")?;
        let last = time("SELECT date_trunc('day', max(eventTime)) AS t FROM events")?;
        let day = first + chrono::Duration::days((last - first).num_days() * 3 / 5);
        let hour = day + chrono::Duration::hours(10);
        for (name, at) in [
            ("day", day),
            ("day-end", day + chrono::Duration::days(1)),
            ("hour", hour),
            ("hour-end", hour + chrono::Duration::hours(1)),
        ] {
            things.insert(name.to_owned(), at.format("%Y-%m-%d %H:%M:%S").to_string());
        }
        Ok(things)
    }
}

/// Reads `12 ms: 1 of 3 files, …`.
fn duration(line: &str) -> Option<Duration> {
    let (time, _) = line.split_once(": ")?;
    let mut words = time.split(' ');
    let (number, unit) = (words.next()?.parse::<f64>().ok()?, words.next()?);
    let factor = match unit {
        "ms" => 1e-3,
        "s" => 1.0,
        "min" => 60.0,
        _ => return None,
    };
    Some(Duration::from_secs_f64(number * factor))
}
