//! `traillake coverage`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use traillake_trino::Parameters;

use crate::answers::{self, Writing};
use crate::engines::{self, Limits};
use crate::failure::Outcome;
use crate::lakes;
use crate::output::Format;
use crate::session::Session;
use crate::times::window;

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
    /// Only events at or after this time: `2026-03-11`, `2026-03-11T02:00` (UTC),
    /// `2026-03-11T02:00:00-07:00`, or `30d` for so long ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only events before this time, spelled alike
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

/// Shows what was collected: events and objects by account, region, span of time and category; and
/// the days without an event, `empty` where what was delivered was listed, `not collected` where
/// nobody looked; and `missing` the days of which digests name log files that never came.
/// `system.coverage` has it by type of resource too, `system.listed` as spans of days,
/// `system.missing` file by file.
pub async fn run(session: &Session, args: CoverageArgs) -> anyhow::Result<Outcome> {
    let (since, until) = window(args.since.as_deref(), args.until.as_deref(), session.now)?;
    let limits = Limits { since, until, ..Limits::default() };
    lakes::refuse_inside(session, args.output.as_deref()).await?;
    let lake = lakes::open(session).await?;
    let store = session.settings.text("store");
    let engine = engines::engine(session, &lake, store, limits).await?;
    let writing =
        Writing { format: args.format, file: args.output, force: args.force, ..Writing::default() };
    answers::ask(session, &engine, &sql(args.by), &Parameters::default(), &writing).await
}

fn sql(by: Span) -> String {
    match by {
        Span::Hour => by_hour(),
        Span::Day => by_day(),
        Span::Month => by_days("substr(CAST(day AS varchar), 1, 7) AS month, ", "1, 2, 3, 4, 5"),
        Span::All => by_days("", "1, 2, 3, 4"),
    }
}

/// Which hours were listed is not known.
fn by_hour() -> String {
    "SELECT substr(CAST(date_trunc('hour', eventTime) AS varchar), 1, 16) AS hour, \
            recipientAccountId AS account, awsRegion AS region, eventCategory AS category, \
            count(*) AS events, count(DISTINCT _object) AS objects \
     FROM events GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
        .to_owned()
}

/// Days with events, of which it is told too whether all that was delivered was listed.
fn by_day() -> String {
    format!(
        "SELECT substr(CAST(found.day AS varchar), 1, 10) AS day, found.account, found.region, \
                category, 'collected' AS state, coalesce(listed, false) AS listed, events, objects \
         FROM (SELECT day, account, region, category, count(*) AS events, \
                      count(DISTINCT _object) AS objects \
               FROM ({EVENTS}) GROUP BY 1, 2, 3, 4) found \
         LEFT JOIN system.listed ON listed.account = found.account \
              AND listed.region = found.region AND found.day BETWEEN first_day AND last_day \
         UNION ALL \
         SELECT substr(CAST(day AS varchar), 1, 10), account, region, NULL, state, listed, \
                events, objects \
         FROM system.coverage WHERE state <> 'collected' ORDER BY 1, 2, 3, 4"
    )
}

/// Longer spans, with the number of days that are meant.
fn by_days(span: &str, order: &str) -> String {
    format!(
        "SELECT {span}account, region, category, 'collected' AS state, \
                count(DISTINCT day) AS days, min(eventTime) AS first_event_at, \
                max(eventTime) AS last_event_at, count(*) AS events, \
                count(DISTINCT _object) AS objects \
         FROM ({EVENTS}) GROUP BY {order} \
         UNION ALL \
         SELECT {span}account, region, NULL AS category, state, count(DISTINCT day), \
                min(first_event_at), max(last_event_at), sum(events), sum(objects) \
         FROM system.coverage WHERE state <> 'collected' GROUP BY {order} ORDER BY {order}"
    )
}

const EVENTS: &str = "SELECT CAST(eventTime AS date) AS day, recipientAccountId AS account, \
                      awsRegion AS region, eventCategory AS category, eventTime, _object \
                      FROM events";
