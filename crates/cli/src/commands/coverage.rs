//! `traillake coverage`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use traillake_trino::Parameters;

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
  traillake coverage --by hour --since 2026-03-11 -o coverage.csv")]
pub struct CoverageArgs {
    /// A line an hour, a day, a month, or one for all time
    #[arg(
        long,
        value_enum,
        default_value = "day",
        value_name = "hour|day|month|all",
        hide_possible_values = true
    )]
    by: Span,
    /// Only events at or after this time
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only events before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// table, vertical, markdown, json, ndjson, csv, tsv, arrow or parquet [default: table on a
    /// terminal, ndjson in a pipe]
    #[arg(long, value_enum, value_name = "FORMAT", hide_possible_values = true)]
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
    /// One line an hour
    Hour,
    /// One line a day
    Day,
    /// One line a month
    Month,
    /// One line for all time
    All,
}

/// Shows what was collected: events and objects by account, region, span of time and category.
/// `system.coverage` has it by type of resource too.
pub async fn run(session: &Session, args: CoverageArgs) -> anyhow::Result<Outcome> {
    let time = |text: &Option<String>| {
        text.as_deref().map(|text| parse_time(text, session.now).map_err(Problem::new)).transpose()
    };
    let limits =
        Limits { since: time(&args.since)?, until: time(&args.until)?, ..Limits::default() };
    let lake = lakes::open(session).await?;
    let store = session.settings.text("store");
    let engine = engines::engine(session, &lake, store, limits).await?;
    let writing =
        Writing { format: args.format, file: args.output, force: args.force, ..Writing::default() };
    answers::ask(session, &engine, &sql(args.by), &Parameters::default(), &writing).await
}

/// The shorter the span, the less its first and last event say.
fn sql(by: Span) -> String {
    let text = |unit: &str, length: u8| {
        format!("substr(CAST(date_trunc('{unit}', eventTime) AS varchar), 1, {length}) AS {unit}, ")
    };
    let range = "min(eventTime) AS first_event_at, max(eventTime) AS last_event_at, ";
    let (span, range, group) = match by {
        Span::Hour => (text("hour", 16), "", "1, 2, 3, 4"),
        Span::Day => (text("day", 10), "", "1, 2, 3, 4"),
        Span::Month => (text("month", 7), range, "1, 2, 3, 4"),
        Span::All => (String::new(), range, "1, 2, 3"),
    };
    format!(
        "SELECT {span}recipientAccountId AS account, awsRegion AS region, \
                eventCategory AS category, {range}\
                count(*) AS events, count(DISTINCT _object) AS objects \
         FROM events GROUP BY {group} ORDER BY {group}"
    )
}
