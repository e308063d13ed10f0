//! `traillake query`

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use traillake_store::Lake;
use traillake_trino::Parameters;

use crate::answers::{self, Writing};
use crate::closest::closest;
use crate::engines::{self, Limits, parse_at};
use crate::failure::{Outcome, Problem};
use crate::intake::{self, Intake};
use crate::output::Format;
use crate::parameters::{self, parse_assignment, parse_lookup};
use crate::quantities::{parse_duration, parse_size};
use crate::session::Session;
use crate::times::window;
use crate::{lakes, lookups, samples};

/// What can be typed after `traillake query`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake query \"SELECT count(*) FROM events WHERE eventName = :name\" -p name=ConsoleLogin
  traillake query --sample bucket-access -p bucket=audit-logs -p since=30d
  traillake query --from ./logs -o regions.csv \"SELECT awsRegion, count(*) FROM events GROUP BY 1\"")]
pub struct QueryArgs {
    #[command(flatten)]
    question: Question,
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    looks: Looks,
    /// Show the plan; `analyze` runs the query and shows what it cost
    #[arg(long, value_enum, value_name = "plan|analyze", num_args = 0..=1, require_equals = true,
          default_missing_value = "plan", hide_possible_values = true)]
    explain: Option<Explain>,
    /// End the query after this long
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
    /// Memory before the query spills to disk [default: half of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    memory: Option<u64>,
    /// Fail when the answer has more rows than this
    #[arg(long, value_name = "N")]
    rows_max: Option<u64>,
}

#[derive(Debug, Args)]
struct Question {
    /// The statement; `-` reads it from standard input
    #[arg(value_name = "SQL", group = "asked")]
    sql: Option<String>,
    /// Read the statement from a file
    #[arg(short, long, value_name = "FILE", group = "asked")]
    file: Option<PathBuf>,
    /// Ask a sample query; `traillake samples` lists them
    #[arg(long, value_name = "NAME", group = "asked")]
    sample: Option<String>,
    /// The value of a placeholder: `:NAME`, or `?` by its number
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = parse_assignment)]
    parameters: Vec<(String, String)>,
}

#[derive(Debug, Args)]
struct Scope {
    /// Only events at or after this time: `2026-03-11`, `2026-03-11T02:00` (UTC),
    /// `2026-03-11T02:00:00-07:00`, or `30d` for so long ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only events before this time, spelled alike
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Ask the lake as it was: the number of a round, or a time
    #[arg(long, value_name = "VERSION|TIME")]
    at: Option<String>,
    /// A CSV, TSV, NDJSON or Parquet file to join as table NAME
    #[arg(long, value_name = "NAME=FILE", value_parser = parse_lookup)]
    lookup: Vec<(String, String)>,
    /// Ask these logs without a lake: bring them into a temporary one, ask, forget
    #[arg(long, value_name = "SOURCE", num_args = 1, conflicts_with = "at")]
    from: Vec<String>,
}

#[derive(Debug, Args)]
struct Looks {
    /// table, vertical, markdown, json, ndjson, csv, tsv, arrow or parquet [default: table on a
    /// terminal, ndjson in a pipe]
    #[arg(long, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    format: Option<Format>,
    /// Write the answer to a file; its name tells the format
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file of `-o` when it exists
    #[arg(long, requires = "output")]
    force: bool,
    /// Leave out the names of the columns
    #[arg(long)]
    no_header: bool,
    /// The text for NULL in text formats
    #[arg(long, value_name = "TEXT", default_value = "")]
    null: String,
    /// Keep spreadsheets from taking a value for a formula
    #[arg(long)]
    csv_safe: bool,
    /// Say how long it took and what was read
    #[arg(long)]
    timing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Explain {
    /// How the query would run
    Plan,
    /// How it ran
    Analyze,
}

/// Asks one question and writes its answer.
pub async fn run(session: &Session, args: QueryArgs) -> anyhow::Result<Outcome> {
    let (mut sql, parameters) = question(session, &args.question)?;
    if let Some(explain) = args.explain {
        sql = match explain {
            Explain::Plan => format!("EXPLAIN {sql}"),
            Explain::Analyze => format!("EXPLAIN ANALYZE {sql}"),
        };
    }
    let limits = limits(session, &args)?;
    lakes::refuse_inside(session, args.looks.output.as_deref()).await?;
    let writing = Writing {
        format: args.looks.format,
        file: args.looks.output,
        force: args.looks.force,
        append: false,
        no_header: args.looks.no_header,
        null: args.looks.null,
        csv_safe: args.looks.csv_safe,
        timing: args.looks.timing,
        silent_of_empty: false,
    };
    if args.scope.from.is_empty() {
        let lake = lakes::open(session).await?;
        let store = session.settings.text("store");
        let engine = engines::engine(session, &lake, store, limits).await?;
        return answers::ask(session, &engine, &sql, &parameters, &writing).await;
    }
    ask_without_lake(session, args.scope.from, limits, &sql, &parameters, &writing).await
}

/// Brings `sources` into a temporary lake, asks, and forgets it.
async fn ask_without_lake(
    session: &Session,
    sources: Vec<String>,
    limits: Limits,
    sql: &str,
    parameters: &Parameters,
    writing: &Writing,
) -> anyhow::Result<Outcome> {
    let folder = tempfile::Builder::new().prefix("traillake-").tempdir().map_err(|error| {
        let folder = std::env::temp_dir();
        Problem::new(format!("could not use the temporary folder `{}`", folder.display()))
            .hint("point TMPDIR at a folder with room for what is brought in")
            .because(error)
    })?;
    let location = folder.path().join("lake").to_string_lossy().into_owned();
    let intake = Intake { sources, ..Intake::default() };
    intake.check(session, &location).await?;
    let lake = Lake::open_or_create(&location).await?;
    let store = session.settings.text("store");
    let taken = intake::bring_in(session, &lake, store, &intake, None).await?;
    if taken.report.cancelled {
        return Ok(Outcome::Interrupted);
    }
    let engine = engines::engine(session, &lake, store, limits).await?;
    let brought_in = match taken.report.is_clean() {
        true => Outcome::Done,
        false => Outcome::DoneWithFailures,
    };
    match answers::ask(session, &engine, sql, parameters, writing).await {
        Ok(Outcome::Done) => Ok(brought_in),
        Ok(outcome) => Ok(outcome),
        Err(error) => brought_in.after(Err(error)),
    }
}

/// Returns the statement and the values of its placeholders.
fn question(session: &Session, question: &Question) -> anyhow::Result<(String, Parameters)> {
    if let Some(name) = &question.sample {
        let sample = samples::find(name).ok_or_else(|| {
            let names: Vec<&str> = samples::all().iter().map(|sample| sample.name).collect();
            let problem = Problem::new(format!("there is no sample `{name}`"));
            match closest(name, names) {
                Some(known) => problem.hint(format!("did you mean `{known}`?")),
                None => problem.hint("`traillake samples` lists them"),
            }
        })?;
        let parameters = parameters::of_sample(&sample, &question.parameters, session.now)?;
        return Ok((sample.sql.to_owned(), parameters));
    }
    let sql = match (&question.sql, &question.file) {
        (Some(sql), _) if sql != "-" => sql.clone(),
        (_, Some(file)) => std::fs::read_to_string(file).map_err(|error| {
            Problem::new(format!("could not read `{}`", file.display())).because(error)
        })?,
        (None, None) if session.terminal.stdin => {
            return Err(Problem::new("there is no question")
                .hint("give a statement, `-f FILE` or `--sample NAME`; or run `traillake shell`")
                .into());
        }
        _ => {
            let mut sql = String::new();
            std::io::stdin().read_to_string(&mut sql)?;
            sql
        }
    };
    Ok((sql, parameters::of_query(&question.parameters)?))
}

fn limits(session: &Session, args: &QueryArgs) -> anyhow::Result<Limits> {
    let scope = &args.scope;
    let (since, until) = window(scope.since.as_deref(), scope.until.as_deref(), session.now)?;
    let lookups = scope.lookup.iter().map(|(name, file)| lookups::read(name, file.as_ref()));
    Ok(Limits {
        memory_bytes: args.memory,
        timeout: args.timeout,
        rows_max: args.rows_max,
        since,
        until,
        at: scope.at.as_deref().map(|text| parse_at(text, session.now)).transpose()?,
        lookups: lookups.collect::<anyhow::Result<_>>()?,
    })
}
