//! `traillake coverage`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use traillake_trino::{Parameters, Value};

use crate::answers::{self, Writing};
use crate::engines::{self, Limits};
use crate::failure::{Outcome, Problem};
use crate::lakes;
use crate::output::Format;
use crate::session::Session;
use crate::times::parse_time;

/// What can be typed after `traillake coverage`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake coverage
  traillake coverage --by month --format markdown
  traillake coverage --since 2021-07-30 -o coverage.csv")]
pub struct CoverageArgs {
    /// A line a day, a month, or one for all time
    #[arg(long, value_enum, default_value = "day", value_name = "SPAN")]
    by: Span,
    /// Only days at or after this time
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only days before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// How it is written [default: table on a terminal, ndjson in a pipe]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Write it to a file; its name tells the format
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file of `-o` when it exists
    #[arg(long, requires = "output")]
    force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Span {
    /// One line a day
    Day,
    /// One line a month
    Month,
    /// One line for all time
    All,
}

/// Shows what was collected: by account, region, day, category and type of resource. An
/// event on resources of several types counts for each of them.
pub async fn run(session: &Session, args: CoverageArgs) -> anyhow::Result<Outcome> {
    let lake = lakes::open(session).await?;
    let store = session.settings.text("store");
    let engine = engines::engine(session, &lake, store, Limits::default()).await?;
    let day = |text: &Option<String>, otherwise: &str| -> anyhow::Result<Value> {
        let time = text.as_deref().map(|text| parse_time(text, session.now)).transpose();
        let time = time.map_err(Problem::new)?;
        Ok(Value::Text(
            time.map_or(otherwise.to_owned(), |time| time.format("%Y-%m-%d").to_string()),
        ))
    };
    let parameters = Parameters::from_names([
        ("since", day(&args.since, "0000-01-01")?),
        ("until", day(&args.until, "9999-12-31")?),
    ]);
    let writing =
        Writing { format: args.format, file: args.output, force: args.force, ..Writing::default() };
    answers::ask(session, &engine, &sql(args.by), &parameters, &writing).await
}

/// Objects are counted by day: over a longer span one could count several times.
fn sql(by: Span) -> String {
    let (span, objects, group) = match by {
        Span::Day => {
            ("CAST(day AS varchar) AS day, ", "sum(objects) AS objects, ", "1, 2, 3, 4, 5")
        }
        Span::Month => ("substr(CAST(day AS varchar), 1, 7) AS month, ", "", "1, 2, 3, 4, 5"),
        Span::All => ("", "", "1, 2, 3, 4"),
    };
    format!(
        "SELECT {span}account, region, eventCategory, resource_type, \
                sum(events) AS events, {objects}\
                min(first_event_at) AS first_event_at, max(last_event_at) AS last_event_at \
         FROM system.coverage \
         WHERE CAST(day AS varchar) >= :since AND CAST(day AS varchar) < :until \
         GROUP BY {group} ORDER BY {group}"
    )
}
