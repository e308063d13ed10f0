//! `traillake source`

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use traillake_cloudtrail::Kind;
use traillake_store::Lake;

use super::ingest::parse_kind;
use crate::buckets::{self, BucketArgs};
use crate::failure::{Outcome, Problem};
use crate::intake::stored::{self, Note, StoredSource};
use crate::lakes;
use crate::output::{Report, ReportArgs};
use crate::queues;
use crate::session::Session;
use crate::times::{show_second, window};

/// What can be typed after `traillake source`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake source add trail s3://my-trail-bucket --profile audit
  traillake source list
  traillake source add trail ./logs && traillake ingest trail")]
pub struct SourceArgs {
    #[command(subcommand)]
    action: SourceAction,
}

#[derive(Debug, Subcommand)]
enum SourceAction {
    /// Keep a place in the lake, so that `ingest` finds it by name
    #[command(after_help = "\
Examples:
  traillake source add trail s3://my-trail-bucket/prefix
  traillake source add org s3://org-trail --role-arn arn:aws:iam::111122223333:role/audit
  traillake source add live s3://org-trail --sqs https://sqs.eu-west-1.amazonaws.com/1/trail")]
    Add(Box<AddArgs>),
    /// List the sources of the lake
    #[command(after_help = "\
Examples:
  traillake source list
  traillake source list --format json
  traillake --lake ./lake source list")]
    List(ReportArgs),
    /// Show one source, and how the last look at it went
    #[command(after_help = "\
Examples:
  traillake source add trail ./logs && traillake source show trail
  traillake source add trail ./logs && traillake source show trail --format json
  traillake source add a ./logs && traillake --lake ./lake source show a")]
    Show(NamedArgs),
    /// Forget a source; what came from it stays
    #[command(after_help = "\
Examples:
  traillake source add trail ./logs && traillake source remove trail
  traillake source add trail ./logs && traillake source remove trail --format json
  traillake source add a ./logs && traillake --lake ./lake source remove a")]
    Remove(NamedArgs),
}

#[derive(Debug, Args)]
#[command(mut_arg("role_arn", |arg| arg.value_parser(parse_role)))]
struct AddArgs {
    /// Its name: lower-case letters, digits, `-` and `_`
    name: String,
    /// `s3://bucket/prefix`, or a folder
    url: String,
    /// Only these accounts, by the account in the key
    #[arg(long, value_name = "ID", num_args = 1..)]
    account: Vec<String>,
    /// Only these regions, by the region in the key
    #[arg(long, value_name = "REGION", num_args = 1..)]
    region: Vec<String>,
    /// Only this kind of log: events, insights, aggregated or digests
    #[arg(long, value_name = "KIND", num_args = 1.., value_parser = parse_kind)]
    kind: Vec<Kind>,
    /// Only events from this time on (`2026-03-11`, `2026-03-11T02:00` in UTC, or `30d` for so long
    /// ago), by the date in the key
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only events before this time: what was delivered until three days later is looked at
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The queue of SQS that tells of new objects, for `ingest --follow`
    #[arg(long, value_name = "URL")]
    sqs: Option<String>,
    #[command(flatten)]
    report: ReportArgs,
    /// How the bucket is reached.
    #[command(flatten)]
    buckets: BucketArgs,
}

#[derive(Debug, Args)]
struct NamedArgs {
    /// Its name
    name: String,
    #[command(flatten)]
    report: ReportArgs,
}

/// Returns what can be the ARN of a role: a follower would ask for anything else in vain, for ever.
fn parse_role(text: &str) -> Result<String, String> {
    match text.starts_with("arn:") && text.contains(":role/") {
        true => Ok(text.to_owned()),
        false => Err("write the ARN of a role: `arn:aws:iam::111122223333:role/NAME`".to_owned()),
    }
}

/// Keeps, lists, shows or forgets sources.
pub async fn run(session: &Session, args: SourceArgs) -> anyhow::Result<Outcome> {
    let (report, format) = match args.action {
        SourceAction::Add(args) => {
            let format = args.report.format;
            (add(session, *args).await?, format)
        }
        SourceAction::List(args) => (list(&lakes::open(session).await?).await?, args.format),
        SourceAction::Show(args) => {
            let lake = lakes::open(session).await?;
            let source = named(&lake, &args.name).await?;
            let note = stored::note_of(&lake, &args.name).await?;
            (described(&args.name, &source, &note), args.report.format)
        }
        SourceAction::Remove(args) => {
            let lake = lakes::open(session).await?;
            if !lake.remove_source(&args.name).await? {
                return Err(unknown(&args.name));
            }
            let text = format!("forgot the source {}; what came from it stays\n", args.name);
            (Report { text, json: json!({"removed": args.name}) }, args.report.format)
        }
    };
    report.print(format, session.terminal.stdout)?;
    Ok(Outcome::Done)
}

async fn add(session: &Session, args: AddArgs) -> anyhow::Result<Report> {
    let name = &args.name;
    if !stored::is_name(name) {
        return Err(Problem::new(format!("`{name}` cannot name a source"))
            .hint("use lower-case letters, digits, `-` and `_`")
            .into());
    }
    if args.sqs.is_some() && !buckets::is_bucket(&args.url) {
        return Err(Problem::new("a queue tells of objects in a bucket, not of files").into());
    }
    if let Some(url) = &args.sqs {
        queues::parse(url)?;
    }
    let store = session.settings.text("store");
    let mut source = StoredSource::new(&args.url, store, args.buckets, session.now)?;
    if buckets::is_bucket(&source.url) {
        buckets::bucket_of(&source.url)?;
    }
    source.accounts = args.account;
    source.regions = args.region;
    source.kinds = args.kind.iter().map(|kind| kind.table().to_owned()).collect();
    (source.since, source.until) =
        window(args.since.as_deref(), args.until.as_deref(), session.now)?;
    source.sqs = args.sqs;
    let lake = lakes::open_or_create(session).await?;
    if let Some(queue) = &source.sqs {
        refuse_shared(&lake, name, queue).await?;
    }
    if !lake.add_source(name, serde_json::to_string_pretty(&source)?).await? {
        return Err(Problem::new(format!("there is a source `{name}` already"))
            .hint(format!("`traillake source remove {name}` forgets it"))
            .into());
    }
    let text = format!("added the source {name}: {}\n", source.url);
    Ok(Report { text, json: json!({"name": name, "source": source}) })
}

/// Refuses a queue that another source has. Each refuses messages about places that are not its own, and
/// of two that take from one queue each would get those of the other.
async fn refuse_shared(lake: &Lake, name: &str, queue: &str) -> anyhow::Result<()> {
    for (other, source) in stored::each_stored(lake).await? {
        let has_it = source.is_ok_and(|source| source.sqs.as_deref() == Some(queue));
        if has_it && other != name {
            let message = format!("the queue `{queue}` tells the source `{other}` already");
            let hint = "a queue is for one source: give this one a queue of its own";
            return Err(Problem::new(message).hint(hint).into());
        }
    }
    Ok(())
}

async fn list(lake: &Lake) -> anyhow::Result<Report> {
    let sources = stored::stored(lake).await?;
    let mut text = String::new();
    for (name, source) in &sources {
        text += &format!("{name}  {}  into {}\n", source.url, source.store);
    }
    if sources.is_empty() {
        text = "no sources; `traillake source add NAME URL` adds one\n".to_owned();
    }
    let json: Vec<Value> =
        sources.iter().map(|(name, source)| json!({"name": name, "source": source})).collect();
    Ok(Report { text, json: json!({"sources": json}) })
}

async fn named(lake: &Lake, name: &str) -> anyhow::Result<StoredSource> {
    let found = stored::stored(lake).await?.into_iter().find(|(found, _)| found == name);
    found.map(|(_, source)| source).ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> anyhow::Error {
    Problem::new(format!("there is no source `{name}`"))
        .hint("`traillake source list` shows the sources there are")
        .into()
}

fn described(name: &str, source: &StoredSource, note: &Note) -> Report {
    let mut text = format!("source {name}: {}\n  into store {}\n", source.url, source.store);
    let lists =
        [("accounts", &source.accounts), ("regions", &source.regions), ("kinds", &source.kinds)];
    for (what, list) in lists.iter().filter(|(_, list)| !list.is_empty()) {
        text += &format!("  only {what} {}\n", list.join(", "));
    }
    for (what, at) in [("from", source.since), ("before", source.until)] {
        if let Some(at) = at {
            text += &format!("  only events {what} {}\n", show_second(at));
        }
    }
    if let Some(sqs) = &source.sqs {
        text += &format!("  told by {sqs}\n");
    }
    text += &format!("  {}\n", note.last_success());
    if let Some(failure) = &note.failure {
        text += &format!("  last look failed: {failure}\n");
    }
    if let Some(failure) = note.sweep.as_ref().and_then(|sweep| sweep.failure.as_ref()) {
        text += &format!("  last sweep failed: {failure}\n");
    }
    Report { text, json: json!({"name": name, "source": source, "last": note}) }
}
