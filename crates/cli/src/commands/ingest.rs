//! `traillake ingest`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;
use clap::Args;
use traillake_cloudtrail::Kind;
use traillake_ingest::{CancelFlag, LATE_DAYS, Selection, Selectors};
use traillake_store::{Lake, StoreSnapshot};

use crate::buckets::BucketArgs;
use crate::closest::closest;
use crate::failure::{Outcome, Problem};
use crate::intake::{self, Following, Hearing, Intake, stored};
use crate::lakes;
use crate::output::{ReportArgs, ReportFormat};
use crate::quantities::{count_of, parse_duration, parse_ingest_memory};
use crate::session::Session;
use crate::times::{show_second, window};

/// What can be typed after `traillake ingest`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake ingest ./logs
  traillake ingest s3://my-trail-bucket --since 2021-01-01 --region us-east-1 --dry-run
  tar -c logs | traillake ingest - --report intake.jsonl")]
pub struct IngestArgs {
    /// Folders, files, archives (zip, tar, tar.gz, tar.zst), `s3://bucket/prefix` and names of
    /// sources that the lake keeps; `-` is standard input [default: all that the lake keeps]
    #[arg(value_name = "SOURCE")]
    sources: Vec<String>,
    /// Show what would be read: known, new and changed objects; do nothing
    #[arg(long)]
    dry_run: bool,
    /// Go on: look for what is new again and again, until interrupted
    #[arg(long, conflicts_with = "dry_run")]
    follow: bool,
    /// How often to look [default: 60s]
    #[arg(long, value_name = "DURATION", requires = "follow", value_parser = parse_duration)]
    every: Option<Duration>,
    /// Take messages about new objects of a bucket from this queue of SQS, beside looking
    #[arg(long, value_name = "URL", requires = "follow")]
    sqs: Option<String>,
    /// Only the objects in this file: a key or an `s3://` URL a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["follow", "inventory"])]
    keys: Option<PathBuf>,
    /// Only the objects in an S3 Inventory (CSV or Parquet), by its manifest: a path or an `s3://`
    /// URL
    #[arg(long, value_name = "MANIFEST", conflicts_with = "follow")]
    inventory: Option<String>,
    /// Only events from this time on (`2026-03-11`, `2026-03-11T02:00` in UTC, or `30d` for so long
    /// ago): looks at what was delivered since, by the date in its key
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only events before this time: looks at what was delivered until three days later, by the
    /// date in its key, for events are delivered late
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
    /// Only the events that these advanced event selectors take, from a file of AWS's JSON
    #[arg(long, value_name = "FILE")]
    select: Option<PathBuf>,
    /// Bring in a bucket's oldest logs first, not its newest
    #[arg(long)]
    oldest_first: bool,
    /// Read known objects again, and tell those whose bytes changed
    #[arg(long)]
    rehash: bool,
    /// Objects decoded at once [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Memory to stay under [default: 512MB]
    #[arg(long, value_name = "SIZE", value_parser = parse_ingest_memory)]
    memory: Option<u64>,
    /// Write an intake record: every object, its hashes, times and counts
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "follow"])]
    report: Option<PathBuf>,
    #[command(flatten)]
    printed: ReportArgs,
    /// How buckets are reached.
    #[command(flatten)]
    buckets: BucketArgs,
}

/// After so many records it is looked whether upkeep is due.
const MANY_RECORDS: u64 = 100_000;
/// From so many files on it is worth saying.
const MANY_FILES: u64 = 32;

/// The store that is made where it is missing; every other one is made by `store create`.
const MADE_BY_ITSELF: &str = "default";

/// Brings in what is new, and reports what became of everything.
pub async fn run(session: &Session, args: IngestArgs) -> anyhow::Result<Outcome> {
    if args.follow && args.sources.iter().any(|source| source == "-") {
        return Err(Problem::new("standard input cannot be followed: it comes once").into());
    }
    let location = session.settings.lake();
    let store = session.settings.text("store");
    refuse_unknown(session, store).await?;
    let mut intakes = intakes(session, &args).await?;
    tell_lateness(session, &intakes);
    let is_among_others = args.follow && intakes.len() > 1;
    // One of several that are followed holds up none of the others: its own looks check it.
    for intake in intakes.iter_mut().filter(|of| !is_among_others || of.name.is_none()) {
        intake.check(session, &location).await?;
        intake.is_checked = true;
    }
    if let [_, _, ..] = intakes.as_slice()
        && args.report.is_some()
    {
        return Err(Problem::new("an intake record is of one source; name it").into());
    }
    if args.dry_run {
        return dry_run(session, &location, &intakes, args.printed.format).await;
    }
    let lake = lakes::open_or_create(session).await?;
    if args.follow {
        // One listener for all looks: between two of them nobody else would hear. Each follower has
        // a flag of its own.
        let interrupt = intake::stop_on_interrupt(session, &CancelFlag::default());
        let every = args.every.unwrap_or(intake::LOOK_EVERY);
        let listener = Hearing::Command(args.printed.format);
        let following = Following::new(session, &lake, every, listener);
        let intakes = intakes.into_iter().map(|intake| (store.to_owned(), intake)).collect();
        intake::follow(following, intakes, &interrupt).await?;
        return Ok(Outcome::Interrupted);
    }
    let (mut printed, mut stored) = (Vec::new(), 0);
    let mut outcome = Outcome::Done;
    for intake in &intakes {
        let taken = intake::bring_in(session, &lake, store, intake, args.report.as_deref()).await?;
        if let Some(name) = &intake.name {
            // What was brought in is told whatever becomes of the note.
            let unnoted = match stored::note_of(&lake, name).await {
                Ok(mut note) => {
                    note.of_taken(&taken, Utc::now());
                    stored::keep_note(&lake, Some(name), &note).await
                }
                Err(error) => Some(error),
            };
            if let Some(error) = unnoted {
                session.talk.warn(&format!("how this went could not be noted: {error:#}"));
            }
        }
        printed.push((intake.name.clone(), intake::account(&taken)));
        stored += taken.report.records.stored;
        outcome = match taken.report {
            report if report.cancelled => Outcome::Interrupted,
            report if !report.is_clean() => Outcome::DoneWithFailures,
            _ => outcome,
        };
        if outcome == Outcome::Interrupted {
            break;
        }
    }
    let report = intake::together(printed);
    let outcome = outcome.after(report.print(args.printed.format, session.terminal.stdout))?;
    if stored >= MANY_RECORDS && outcome != Outcome::Interrupted {
        tell_folds(session, &lake, store).await;
    }
    Ok(outcome)
}

/// Says that upkeep makes questions faster, where many files came that it would fold.
async fn tell_folds(session: &Session, lake: &Lake, store: &str) {
    let due = async {
        let writer = lake.writer(store, &traillake_ingest::store_spec(), session.now).await?;
        writer.folds_due(Utc::now()).await
    };
    // What was brought in is told, whatever this comes to.
    if let Ok((files @ MANY_FILES.., folded)) = due.await {
        session.talk.note(&format!(
            "`traillake maintain` makes {} of {files} files: questions are faster then",
            count_of(folded, "file"),
        ));
    }
}

/// Refuses a store that is not there: a name that is mistyped must not become one.
async fn refuse_unknown(session: &Session, store: &str) -> anyhow::Result<()> {
    if store == MADE_BY_ITSELF {
        return Ok(());
    }
    if lakes::exists(session).await? {
        match lakes::open(session).await?.store_info(store).await {
            Ok(_) => return Ok(()),
            Err(traillake_store::Error::NoStore { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let hint =
        format!("`traillake store create {store}` makes it, `traillake store list` shows all");
    Err(Problem::new(format!("there is no store `{store}`")).hint(hint).into())
}

/// Returns what is to be brought in: the sources typed, as one, and each one that the lake keeps.
async fn intakes(session: &Session, args: &IngestArgs) -> anyhow::Result<Vec<Intake>> {
    let typed = Intake {
        keys: args.keys.clone(),
        inventory: args.inventory.clone(),
        sqs: args.sqs.clone(),
        selection: selection(args, session)?,
        buckets: args.buckets.clone(),
        selectors: args.select.as_deref().map(selectors).transpose()?,
        oldest_first: args.oldest_first,
        rehash: args.rehash,
        follows: args.follow,
        jobs: args.jobs.map(usize::from),
        memory_bytes: args.memory,
        ..Intake::default()
    };
    if args.keys.is_some() || args.inventory.is_some() {
        return Ok(vec![Intake { sources: args.sources.clone(), ..typed }]);
    }
    let is_name = |text: &String| stored::is_name(text) && !Path::new(text).exists();
    let (names, places): (Vec<String>, Vec<String>) =
        args.sources.iter().cloned().partition(is_name);
    let mut kept = Vec::new();
    if (!names.is_empty() || places.is_empty()) && lakes::exists(session).await? {
        kept = stored::stored(&lakes::open(session).await?).await?;
    }
    let mut intakes = Vec::new();
    let mut unknown = Vec::new();
    for name in names {
        match kept.iter().find(|(found, _)| *found == name) {
            Some((name, source)) => intakes.push(source.intake(name, &typed).ok_or_else(|| {
                Problem::new(format!("the source `{name}` has nothing of what is selected"))
                    .hint(format!("`traillake source show {name}` tells what it is narrowed to"))
            })?),
            None => match closest(&name, kept.iter().map(|(known, _)| known.as_str())) {
                Some(known) => {
                    return Err(Problem::new(format!("there is no source or file `{name}`"))
                        .hint(format!("did you mean `{known}`?"))
                        .into());
                }
                None => unknown.push(name),
            },
        }
    }
    if args.sources.is_empty() {
        let store = session.settings.text("store");
        let ours = kept.iter().filter(|(_, source)| source.store == store);
        intakes.extend(ours.filter_map(|(name, source)| source.intake(name, &typed)));
        if intakes.is_empty() {
            return Err(Problem::new(
                "there is nothing to bring in: no source was named, and the lake keeps none",
            )
            .hint("`traillake ingest FOLDER`, or `traillake source add NAME URL`")
            .into());
        }
    }
    // What is no name of a source is a path, and not there.
    let sources: Vec<String> = places.into_iter().chain(unknown).collect();
    if !sources.is_empty() {
        intakes.insert(0, Intake { sources, ..typed });
    }
    Ok(intakes)
}

/// Shows what a run would read. Creates neither lake nor store, and changes neither.
async fn dry_run(
    session: &Session,
    location: &str,
    intakes: &[Intake],
    format: ReportFormat,
) -> anyhow::Result<Outcome> {
    let known = match lakes::exists(session).await? {
        false => None,
        true => state_of(&lakes::open(session).await?, session.settings.text("store")).await?,
    };
    let cancel = CancelFlag::default();
    let _interrupt = intake::stop_on_interrupt(session, &cancel);
    let (mut printed, mut outcome) = (Vec::new(), Outcome::Done);
    for intake in intakes {
        let options = intake.options(session, location);
        let sources = intake.sources().await?;
        let plan = traillake_ingest::plan(known.as_ref(), sources, &options, &cancel).await?;
        if cancel.is_cancelled() {
            return Ok(Outcome::Interrupted);
        }
        for fault in &plan.faults {
            session.talk.warn(&format!("{} `{}`: {}", fault.kind, fault.object, fault.reason));
        }
        let untold = plan.faults_total - plan.faults.len() as u64;
        if untold > 0 {
            session.talk.warn(&format!("{} more of this kind", count_of(untold, "fault")));
        }
        printed.push((intake.name.clone(), intake::plan_account(&plan, intake, format)?));
        if !plan.faults.is_empty() {
            outcome = Outcome::DoneWithFailures;
        }
    }
    outcome.after(intake::together(printed).print(format, session.terminal.stdout))
}

/// Returns the state of a store as its readers see it, none where there is no such store. (A writer
/// would complete a round that was cut off, and create what is missing.)
async fn state_of(lake: &Lake, store: &str) -> anyhow::Result<Option<StoreSnapshot>> {
    match lake.stores().await?.into_iter().find(|info| info.name == store) {
        Some(info) => Ok(Some(lake.store_of(info).snapshot(None).await?)),
        None => Ok(None),
    }
}

fn selection(args: &IngestArgs, session: &Session) -> anyhow::Result<Selection> {
    let (since, until) = window(args.since.as_deref(), args.until.as_deref(), session.now)?;
    Ok(Selection {
        since,
        until,
        accounts: args.account.iter().cloned().collect(),
        regions: args.region.iter().cloned().collect(),
        kinds: args.kind.iter().copied().collect(),
    })
}

/// Says how far past `--until` is looked.
fn tell_lateness(session: &Session, intakes: &[Intake]) {
    let ends = intakes.iter().map(|intake| &intake.selection);
    let ends: BTreeSet<_> = ends.filter_map(|of| of.until.zip(of.delivered_until())).collect();
    for (end, last) in ends {
        session.talk.note(&format!(
            "events until {} may be delivered up to {LATE_DAYS} days later: what was delivered \
             until {} is looked at",
            show_second(end),
            show_second(last),
        ));
    }
}

/// Returns the advanced event selectors in a file.
pub fn selectors(path: &Path) -> anyhow::Result<Selectors> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Problem::new(format!("could not read the selectors in `{}`", path.display())).because(error)
    })?;
    Selectors::parse(&text).map_err(|error| {
        Problem::new(format!("the selectors in `{}` cannot be used", path.display())).because(error)
    })
}

/// Returns the kind of log whose table has that name.
pub fn parse_kind(text: &str) -> Result<Kind, String> {
    let kinds = [Kind::Events, Kind::Insights, Kind::Aggregated, Kind::Digest];
    let found = kinds.into_iter().find(|kind| kind.table() == text);
    found.ok_or_else(|| "the kinds are events, insights, aggregated and digests".to_owned())
}
