//! `traillake ingest`

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use traillake_cloudtrail::Kind;
use traillake_ingest::{CancelFlag, Selection};

use crate::buckets::BucketArgs;
use crate::failure::{Outcome, Problem};
use crate::intake::{self, Intake};
use crate::lakes;
use crate::output::ReportFormat;
use crate::quantities::{parse_duration, parse_size};
use crate::session::Session;
use crate::times::parse_time;

/// The time between two looks of `--follow`.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What can be typed after `traillake ingest`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake ingest ./logs
  traillake ingest s3://my-trail-bucket --since 2021-01-01 --region us-east-1 --dry-run
  tar -c logs | traillake ingest - --report intake.jsonl")]
pub struct IngestArgs {
    /// Folders, files, archives (zip, tar, tar.gz, tar.zst) and `s3://bucket/prefix`; `-` is
    /// standard input
    #[arg(value_name = "SOURCE", required = true)]
    sources: Vec<String>,
    /// Show what would be read: known, new and changed objects; read nothing
    #[arg(long)]
    dry_run: bool,
    /// Go on: look for what is new again and again, until interrupted
    #[arg(long, conflicts_with = "dry_run")]
    follow: bool,
    /// How often to look [default: 60s]
    #[arg(long, value_name = "DURATION", requires = "follow", value_parser = parse_duration)]
    every: Option<Duration>,
    /// Only objects delivered at or after this time, by the date in their key
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only objects delivered before this time, by the date in their key
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only these accounts, by the account in the key
    #[arg(long, value_name = "ID", num_args = 1..)]
    account: Vec<String>,
    /// Only these regions, by the region in the key
    #[arg(long, value_name = "REGION", num_args = 1..)]
    region: Vec<String>,
    /// Only this kind of log: events, insights, aggregated or digests
    #[arg(long, value_name = "KIND", num_args = 1.., value_parser = parse_kind)]
    kind: Vec<Kind>,
    /// Bring in a bucket's oldest month first, not its newest
    #[arg(long)]
    oldest_first: bool,
    /// Read known objects again, and tell those whose bytes changed
    #[arg(long)]
    rehash: bool,
    /// Objects decoded at once [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Memory to stay under [default: 512MB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    memory: Option<u64>,
    /// Write an intake record: every object, its hashes, times and counts
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "follow"])]
    report: Option<PathBuf>,
    /// Report as text or JSON
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "text|json",
        hide_possible_values = true
    )]
    format: ReportFormat,
    /// How buckets are reached.
    #[command(flatten)]
    buckets: BucketArgs,
}

/// Brings in what is new, and reports what became of everything.
pub async fn run(session: &Session, args: IngestArgs) -> anyhow::Result<Outcome> {
    if args.follow && args.sources.iter().any(|source| source == "-") {
        return Err(Problem::new("standard input cannot be followed: it comes once").into());
    }
    let location = session.settings.lake();
    let intake = Intake {
        sources: args.sources.clone(),
        selection: selection(&args, session.now)?,
        buckets: args.buckets.clone(),
        oldest_first: args.oldest_first,
        rehash: args.rehash,
        jobs: args.jobs.map(usize::from),
        memory_bytes: args.memory,
    };
    intake.check(session, &location).await?;
    if args.dry_run {
        return dry_run(session, &location, &intake, args.format).await;
    }
    let lake = lakes::open_or_create(session).await?;
    let store = session.settings.text("store");
    if args.follow {
        let every = args.every.unwrap_or(LOOK_EVERY);
        return intake::follow(session, &lake, store, &intake, every, args.format).await;
    }
    let taken = intake::bring_in(session, &lake, store, &intake, args.report.as_deref()).await?;
    intake::account(&taken).print(args.format, session.terminal.stdout)?;
    Ok(match taken.report {
        report if report.cancelled => Outcome::Interrupted,
        report if !report.is_clean() => Outcome::DoneWithFailures,
        _ => Outcome::Done,
    })
}

/// Shows what a run would read. Creates neither lake nor store.
async fn dry_run(
    session: &Session,
    location: &str,
    intake: &Intake,
    format: ReportFormat,
) -> anyhow::Result<Outcome> {
    let store = session.settings.text("store");
    let writer = match lakes::exists(session).await? {
        false => None,
        true => {
            let lake = lakes::open(session).await?;
            let exists = lake.stores().await?.iter().any(|info| info.name == store);
            match exists {
                false => None,
                true => {
                    Some(lake.writer(store, &traillake_ingest::store_spec(), session.now).await?)
                }
            }
        }
    };
    let cancel = CancelFlag::default();
    let _interrupt = intake::stop_on_interrupt(session, &cancel);
    let options = intake.options(session, location);
    let plan =
        traillake_ingest::plan(writer.as_ref(), intake.sources().await?, &options, &cancel).await?;
    if cancel.is_cancelled() {
        return Ok(Outcome::Interrupted);
    }
    for fault in &plan.faults {
        session.talk.warn(&format!("{} `{}`: {}", fault.kind, fault.object, fault.reason));
    }
    intake::plan_account(&plan)?.print(format, session.terminal.stdout)?;
    Ok(if plan.faults.is_empty() { Outcome::Done } else { Outcome::DoneWithFailures })
}

fn selection(args: &IngestArgs, now: DateTime<Utc>) -> anyhow::Result<Selection> {
    let time = |text: &Option<String>| {
        text.as_deref().map(|text| parse_time(text, now).map_err(Problem::new)).transpose()
    };
    Ok(Selection {
        since: time(&args.since)?,
        until: time(&args.until)?,
        accounts: args.account.iter().cloned().collect(),
        regions: args.region.iter().cloned().collect(),
        kinds: args.kind.iter().copied().collect(),
    })
}

fn parse_kind(text: &str) -> Result<Kind, String> {
    let kinds = [Kind::Events, Kind::Insights, Kind::Aggregated, Kind::Digest];
    let found = kinds.into_iter().find(|kind| kind.table() == text);
    found.ok_or_else(|| "the kinds are events, insights, aggregated and digests".to_owned())
}
