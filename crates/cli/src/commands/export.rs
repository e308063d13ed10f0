//! `traillake export`

use std::path::PathBuf;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, ValueEnum};
use futures::StreamExt as _;
use serde_json::{Value, json};
use traillake_query::{Answer, Engine};
use traillake_trino::Parameters;

use crate::engines::{self, Limits, parse_at};
use crate::exports::{ExportedFile, Folder, Place, Sheets, Trail};
use crate::failure::{Outcome, Problem};
use crate::interrupt::Interrupt;
use crate::lakes;
use crate::output::Format;
use crate::quantities::{count_of, show_size};
use crate::session::Session;
use crate::times::{Window, window};

/// What can be typed after `traillake export`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake export --where \"awsRegion = 'eu-west-1' AND errorCode IS NOT NULL\" -o denied
  traillake export --since 2026-03-11 --until 2026-03-12 --format ndjson -o one-day
  traillake export --sql \"SELECT eventTime, eventName FROM events\" --format parquet -o calls")]
pub struct ExportArgs {
    /// Which events: a condition as it stands behind WHERE [default: all]
    #[arg(long = "where", value_name = "CONDITION", conflicts_with = "sql")]
    condition: Option<String>,
    /// A whole statement instead; as a trail, it must select `eventJson`
    #[arg(long, value_name = "SQL")]
    sql: Option<String>,
    /// The table that the condition is about: events, insights or aggregated
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "TABLE",
        hide_possible_values = true,
        conflicts_with = "sql"
    )]
    table: Table,
    /// Only events at or after this time: `2026-03-11`, `2026-03-11T02:00` (UTC),
    /// `2026-03-11T02:00:00-07:00`, or `30d` for so long ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only events before this time, spelled alike
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Export from the lake as it was: the number of a round, or a time
    #[arg(long, value_name = "VERSION|TIME")]
    at: Option<String>,
    /// trail (as CloudTrail delivers: original bytes), ndjson (original bytes, one event a line),
    /// parquet or csv (rows of the table)
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    format: ExportFormat,
    /// Events in a file, at most [default: 100000 in a trail, 1000000 else]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    file_events: Option<u64>,
    /// The folder to write to: empty, or one that does not exist
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

/// What events are exported as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// `.json.gz` as CloudTrail delivers
    #[default]
    Trail,
    /// Parquet
    Parquet,
    /// Comma-separated values
    Csv,
    /// One JSON object a line
    Ndjson,
}

/// Tables of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Table {
    /// Management, data and network activity events
    #[default]
    Events,
    /// Insights events
    Insights,
    /// Aggregated events
    Aggregated,
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Table::Events => "events",
            Table::Insights => "insights",
            Table::Aggregated => "aggregated",
        }
    }

    /// What a trail calls the service in keys.
    fn service(self) -> &'static str {
        match self {
            Table::Events => "CloudTrail",
            Table::Insights => "CloudTrail-Insight",
            Table::Aggregated => "CloudTrail-Aggregated",
        }
    }
}

/// Events in a file of a trail, at most, when nothing else is said.
const TRAIL_FILE_EVENTS: u64 = 100_000;
/// Rows in any other file.
const FILE_EVENTS: u64 = 1_000_000;

/// The columns a trail is made from, as the statement of a condition selects them.
const RECORD: &str = "eventJson";
const ACCOUNT: &str = "recipientAccountId";
const REGION: &str = "awsRegion";
const TIME: &str = "eventTime";

/// Writes a selection of events into a folder. Memory does not grow with the selection: answers are
/// streamed, and sorted by the engine, which spills.
pub async fn run(session: &Session, args: ExportArgs) -> anyhow::Result<Outcome> {
    let (since, until) = window(args.since.as_deref(), args.until.as_deref(), session.now)?;
    let at = args.at.as_deref().map(|at| parse_at(at, session.now)).transpose()?;
    let limits = Limits { since, until, at, ..Limits::default() };
    lakes::refuse_inside(session, Some(&args.output)).await?;
    let lake = lakes::open(session).await?;
    let engine = engines::engine(session, &lake, session.settings.text("store"), limits).await?;
    let interrupt = Interrupt::listen(|| {});
    let exported = interrupt.unless(write(session, &engine, &args)).await;
    let shown = args.output.display();
    let Some(exported) = exported else {
        session.talk.warn(&format!("interrupted; `{shown}` has no manifest.json: it is not whole"));
        return Ok(Outcome::Interrupted);
    };
    let Exported { folder, files, snapshots, relaid } = exported?;
    let (events, bytes): (u64, u64) =
        (files.iter().map(|f| f.events).sum(), files.iter().map(|f| f.bytes).sum());
    let closed = folder.close(&manifest(&args, (since, until), &files, snapshots, relaid));
    closed.inspect_err(|_| tell_half(session, &args))?;
    session.talk.say(&format!(
        "{} in {} written to `{shown}`, {}",
        count_of(events, "event"),
        count_of(files.len() as u64, "file"),
        show_size(bytes),
    ));
    if relaid > 0 {
        session.talk.note(&format!(
            "{} had line breaks between their parts, which are spaces now",
            count_of(relaid, "event")
        ));
    }
    Ok(Outcome::Done)
}

/// Says that an export that failed is half of one.
fn tell_half(session: &Session, args: &ExportArgs) {
    let shown = args.output.display();
    session.talk.warn(&format!("`{shown}` has no manifest.json: it is not whole"));
}

struct Exported {
    folder: Folder,
    files: Vec<ExportedFile>,
    snapshots: Vec<Value>,
    relaid: u64,
}

async fn write(session: &Session, engine: &Engine, args: &ExportArgs) -> anyhow::Result<Exported> {
    let mut answer = engine.query(&statement(args), &Parameters::default()).await?;
    if args.format == ExportFormat::Trail && column(&answer.schema, RECORD).is_none() {
        return Err(Problem::new("a trail is made of whole events")
            .hint("select `eventJson`, or give a condition with `--where`")
            .into());
    }
    // Not before: a statement that is refused leaves no folder behind.
    let folder = Folder::create(&args.output)?;
    let snapshots = answer.snapshots.iter().map(|snapshot| {
        let at = snapshot.committed_at;
        let at = at.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        json!({"store": snapshot.store, "round": snapshot.token, "committed_at": at})
    });
    let snapshots = snapshots.collect();
    let filled = fill(session, &mut answer, &folder, args).await;
    let (files, relaid) = filled.inspect_err(|_| tell_half(session, args))?;
    answer.notes().iter().for_each(|note| session.talk.note(&note.text));
    Ok(Exported { folder, files, snapshots, relaid })
}

/// Writes an answer into the folder; returns its files, and how many events were laid out anew.
async fn fill(
    session: &Session,
    answer: &mut Answer,
    folder: &Folder,
    args: &ExportArgs,
) -> anyhow::Result<(Vec<ExportedFile>, u64)> {
    Ok(match (args.format, &args.sql) {
        (ExportFormat::Trail, _) => {
            let (files, without) = trail(answer, folder, args).await?;
            if without > 0 {
                let rows = count_of(without, "row");
                session.talk.warn(&format!("{rows} left out: `{RECORD}` is NULL"));
            }
            (files, 0)
        }
        (ExportFormat::Ndjson, None) => lines(answer, folder, args).await?,
        (ExportFormat::Ndjson, Some(_)) => {
            (sheets(answer, folder, args, Format::Ndjson, "ndjson").await?, 0)
        }
        (ExportFormat::Parquet, _) => {
            (sheets(answer, folder, args, Format::Parquet, "parquet").await?, 0)
        }
        (ExportFormat::Csv, _) => (sheets(answer, folder, args, Format::Csv, "csv").await?, 0),
    })
}

/// The statement whose rows are exported. Its order is whole, so that the same selection is the same
/// files.
fn statement(args: &ExportArgs) -> String {
    if let Some(sql) = &args.sql {
        return sql.clone();
    }
    let columns = match args.format {
        ExportFormat::Trail => format!("{RECORD}, {ACCOUNT}, {REGION}, {TIME}"),
        ExportFormat::Ndjson => RECORD.to_owned(),
        ExportFormat::Parquet | ExportFormat::Csv => "*".to_owned(),
    };
    // A condition may end in a comment.
    let condition = args.condition.as_deref().map(|text| format!(" WHERE (\n{text}\n)"));
    let first = match args.format {
        ExportFormat::Trail => format!("{ACCOUNT}, {REGION}, "),
        _ => String::new(),
    };
    format!(
        "SELECT {columns} FROM {}{} ORDER BY {first}{TIME}, eventID, _object, _index",
        args.table.name(),
        condition.unwrap_or_default(),
    )
}

/// Writes a trail; returns its files, and how many rows are not in them because they hold no event.
async fn trail(
    answer: &mut Answer,
    folder: &Folder,
    args: &ExportArgs,
) -> anyhow::Result<(Vec<ExportedFile>, u64)> {
    let events_max = args.file_events.unwrap_or(TRAIL_FILE_EVENTS);
    let mut trail = Trail::new(folder, args.table.service(), events_max);
    let mut without = 0;
    while let Some(batch) = answer.batches.next().await {
        let batch = batch?;
        let text = |name| -> anyhow::Result<Option<ArrayRef>> {
            let found = column(&batch.schema(), name).map(|number| batch.column(number));
            Ok(found.map(|column| cast(column, &DataType::Utf8)).transpose()?)
        };
        let records = records(&batch)?;
        let (accounts, regions) = (text(ACCOUNT)?, text(REGION)?);
        let times = times(&batch)?;
        for row in 0..batch.num_rows() {
            let Some(record) = value(Some(&records), row) else {
                without += 1;
                continue;
            };
            // A column that is not selected is read from the event.
            let told = match (&accounts, &regions, &times) {
                (Some(_), Some(_), Some(_)) => Told::default(),
                _ => Told::of(&record),
            };
            let at = times.as_ref().and_then(|times| time_at(times, row));
            let place = Place {
                account: value(accounts.as_ref(), row).or(told.account),
                region: value(regions.as_ref(), row).or(told.region),
                at: at.or(told.at).unwrap_or(DateTime::UNIX_EPOCH),
            };
            trail.push(&place, record.as_bytes())?;
        }
    }
    Ok((trail.finish()?, without))
}

async fn lines(
    answer: &mut Answer,
    folder: &Folder,
    args: &ExportArgs,
) -> anyhow::Result<(Vec<ExportedFile>, u64)> {
    let rows_max = args.file_events.unwrap_or(FILE_EVENTS);
    let mut sheets = Sheets::new(folder, args.table.name(), "ndjson", rows_max);
    while let Some(batch) = answer.batches.next().await {
        let records = records(&batch?)?;
        for row in 0..records.len() {
            if let Some(record) = value(Some(&records), row) {
                sheets.line(record.as_bytes())?;
            }
        }
    }
    let relaid = sheets.relaid;
    Ok((sheets.finish()?, relaid))
}

async fn sheets(
    answer: &mut Answer,
    folder: &Folder,
    args: &ExportArgs,
    format: Format,
    ending: &'static str,
) -> anyhow::Result<Vec<ExportedFile>> {
    let name = if args.sql.is_some() { "rows" } else { args.table.name() };
    let rows_max = args.file_events.unwrap_or(FILE_EVENTS);
    let mut sheets = Sheets::new(folder, name, ending, rows_max);
    let schema = answer.schema.clone();
    sheets.rows(format, &schema, &RecordBatch::new_empty(schema.clone()))?;
    while let Some(batch) = answer.batches.next().await {
        sheets.rows(format, &schema, &batch?)?;
    }
    sheets.finish()
}

/// The number of a column, by its name in any case.
fn column(schema: &arrow::datatypes::Schema, name: &str) -> Option<usize> {
    schema.fields().iter().position(|field| field.name().eq_ignore_ascii_case(name))
}

fn records(batch: &RecordBatch) -> anyhow::Result<ArrayRef> {
    let number = column(&batch.schema(), RECORD)
        .ok_or_else(|| Problem::new("the answer has no column `eventJson`"))?;
    Ok(cast(batch.column(number), &DataType::Utf8)?)
}

fn value(texts: Option<&ArrayRef>, row: usize) -> Option<String> {
    let texts = texts?.as_string_opt::<i32>()?;
    texts.is_valid(row).then(|| texts.value(row).to_owned())
}

/// The times of a batch; none when it has none, or only their text.
fn times(batch: &RecordBatch) -> anyhow::Result<Option<ArrayRef>> {
    let found = column(&batch.schema(), TIME).map(|number| batch.column(number));
    let found = found.filter(|times| matches!(times.data_type(), DataType::Timestamp(..)));
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    Ok(found.map(|times| cast(times, &micros)).transpose()?)
}

fn time_at(times: &ArrayRef, row: usize) -> Option<DateTime<Utc>> {
    let times = times.as_primitive_opt::<TimestampMicrosecondType>()?;
    times.is_valid(row).then(|| DateTime::from_timestamp_micros(times.value(row))).flatten()
}

/// What an event says of its place, for statements that do not select it.
#[derive(Default)]
struct Told {
    account: Option<String>,
    region: Option<String>,
    at: Option<DateTime<Utc>>,
}

impl Told {
    fn of(record: &str) -> Told {
        let Ok(event) = serde_json::from_str::<Value>(record) else { return Told::default() };
        let text = |name: &str| event[name].as_str().map(str::to_owned);
        // An aggregated event has names of its own for both.
        let account = text(ACCOUNT).or_else(|| text("accountId"));
        let at = event[TIME].as_str().or_else(|| event["timeWindow"]["windowStart"].as_str());
        let at = at.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        Told { account, region: text(REGION), at: at.map(|at| at.to_utc()) }
    }
}

fn manifest(
    args: &ExportArgs,
    (since, until): Window,
    files: &[ExportedFile],
    snapshots: Vec<Value>,
    relaid: u64,
) -> Value {
    let time = |time: Option<DateTime<Utc>>| {
        time.map(|time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    };
    let format = args.format.to_possible_value().map(|value| value.get_name().to_owned());
    json!({
        "traillake": env!("CARGO_PKG_VERSION"),
        "format": format,
        "snapshot": snapshots,
        "selection": {
            "table": args.sql.is_none().then(|| args.table.name()), "where": args.condition,
            "sql": args.sql, "since": time(since), "until": time(until),
        },
        "events": files.iter().map(|file| file.events).sum::<u64>(),
        "bytes": files.iter().map(|file| file.bytes).sum::<u64>(),
        "relaid": relaid,
        "files": files,
    })
}
