//! `traillake maintain`

use std::time::Duration;

use chrono::TimeDelta;
use clap::Args;
use serde_json::{Value, json};
use traillake_store::{TableUpkeep, UpkeepOptions};

use crate::failure::{Outcome, Problem};
use crate::interrupt::Interrupt;
use crate::lakes;
use crate::output::{Report, ReportArgs};
use crate::quantities::{count_of, parse_duration, show_duration, show_size};
use crate::retention::Leaving;
use crate::session::Session;
use crate::upkeep::{How, Tended, said, tend};

/// A file that nothing needs stays for at least so long: what is being written needs it unseen.
const GRACE_MIN: Duration = Duration::from_secs(3_600);

/// What can be typed after `traillake maintain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake maintain
  traillake maintain --dry-run
  traillake maintain --vacuum-grace 14d --format json")]
pub struct MaintainArgs {
    /// Show what would be done; only a round that was cut off is completed
    #[arg(long)]
    dry_run: bool,
    /// How long replaced files stay for queries that still read them: at least 1h [default: 7d]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    vacuum_grace: Option<Duration>,
    /// Take out what is past retention also where it is more than a month at once
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    report: ReportArgs,
}

/// Folds small files, shortens the logs and removes what nothing needs, store by store.
pub async fn run(session: &Session, args: MaintainArgs) -> anyhow::Result<Outcome> {
    let options = options(args.vacuum_grace)?;
    let lake = lakes::open(session).await?;
    let talk = session.talk.clone();
    let interrupt = Interrupt::listen(move || talk.warn("stopping; what is done stays done"));
    let mut stores = Vec::new();
    let how = match (args.dry_run, args.yes) {
        (true, _) => How::Show,
        (false, true) => How::Confirmed,
        (false, false) => How::Alone,
    };
    let mut failure = None;
    for info in lake.stores().await? {
        match interrupt.unless(tend(&lake, &info, &options, how)).await {
            Some(Ok(tended)) => stores.push(tended),
            // A store that is damaged keeps no other from being tended.
            Some(Err(error)) => {
                let (store, failed) = (info.name.clone(), Some(said(&error)));
                stores.push(Tended { store, failed, ..Tended::default() });
                failure.get_or_insert(error);
            }
            None => return Ok(Outcome::Interrupted),
        }
    }
    if let Some(failure) = failure
        && stores.iter().all(|store| store.failed.is_some())
    {
        return Err(failure);
    }
    let (swept, bytes) = match args.dry_run {
        true => (0, 0),
        false => lake.sweep(session.now - options.grace).await?,
    };
    let said = if args.dry_run { "would be maintained" } else { "maintained" };
    let tended = stores.iter().filter(|store| store.failed.is_none()).count();
    let count = count_of(tended as u64, "store");
    let text = format!("lake {}: {count} {said}\n", lake.location());
    let text = match swept {
        0 => text,
        _ => format!(
            "{text}{} left half written removed, {}\n",
            count_of(swept, "file"),
            show_size(bytes)
        ),
    };
    let text = stores.iter().fold(text, |text, store| text + &text_of(store, args.dry_run));
    let json = json!({
        "lake": lake.location(), "dry_run": args.dry_run, "half_written_removed": swept,
        "stores": stores.iter().map(json_of).collect::<Vec<_>>(),
    });
    let printed = Report { text, json }.print(args.report.format, session.terminal.stdout);
    for problem in stores.iter().flat_map(Tended::problems) {
        session.talk.warn(&problem);
    }
    let clean = stores.iter().all(|store| store.problems().next().is_none());
    let outcome = if clean { Outcome::Done } else { Outcome::DoneWithFailures };
    outcome.after(printed)
}

fn options(grace: Option<Duration>) -> anyhow::Result<UpkeepOptions> {
    let mut options = UpkeepOptions::default();
    if let Some(grace) = grace {
        if grace < GRACE_MIN {
            let hint = "it must be longer than the longest query and ingest; the default is 7d";
            return Err(Problem::new("`--vacuum-grace` must be at least 1h").hint(hint).into());
        }
        options.grace = TimeDelta::from_std(grace)?;
    }
    Ok(options)
}

/// Returns what was, or would be, done with a store.
fn text_of(tended: &Tended, dry_run: bool) -> String {
    if let Some(deletion) = &tended.deletion {
        return format!("\nstore {}, {deletion}\n", tended.store);
    }
    if tended.failed.is_some() {
        return format!("\nstore {}, which could not be tended\n", tended.store);
    }
    let mut text = format!("\nstore {}, {}\n", tended.store, show_duration(tended.elapsed));
    let mut idle = true;
    if let Some(expired) = tended.expired.as_ref().filter(|expired| expired.rows() > 0) {
        idle = false;
        text += &expired.text(if dry_run { "would leave" } else { "left" });
    }
    for table in &tended.report.tables {
        let did = done(table, dry_run);
        if did.is_empty() {
            continue;
        }
        idle = false;
        text += &format!("  {:<10} {}\n", table.table, did.join("; "));
    }
    if idle {
        text += "  nothing is due\n";
    }
    text
}

fn json_of(tended: &Tended) -> Value {
    let tables: Vec<Value> = tended.report.tables.iter().map(as_json).collect();
    json!({
        "store": tended.store, "seconds": tended.elapsed.as_secs_f64(), "tables": tables,
        "manifests_removed": tended.report.manifests_removed, "deletion": tended.deletion,
        "expired": tended.expired.as_ref().map(Leaving::json), "not_expired": tended.not_expired,
        "failed": tended.failed,
    })
}

/// Returns what was done with a table, each thing in a few words.
fn done(table: &TableUpkeep, dry_run: bool) -> Vec<String> {
    let mut did = Vec::new();
    if table.files_folded > 0 {
        let bytes = match dry_run {
            true => show_size(table.bytes_before),
            false => {
                format!("{} -> {}", show_size(table.bytes_before), show_size(table.bytes_after))
            }
        };
        did.push(format!(
            "{} -> {}, {bytes}, {} of {} rewritten",
            count_of(table.files_before, "file"),
            table.files_after,
            count_of(table.rows_rewritten, "row"),
            table.rows,
        ));
    }
    if let Some(version) = table.checkpoint {
        did.push(format!("checkpoint of version {version}"));
    }
    if table.log_files_removed > 0 {
        did.push(format!("{} of the log removed", count_of(table.log_files_removed, "file")));
    }
    if table.files_removed > 0 {
        let (files, bytes) =
            (count_of(table.files_removed, "file"), show_size(table.bytes_removed));
        did.push(format!("{files} that nothing needs removed, {bytes}"));
    }
    if !table.problems.is_empty() {
        did.push(format!("{} could not be done", count_of(table.problems.len() as u64, "thing")));
    }
    did
}

fn as_json(table: &TableUpkeep) -> Value {
    json!({
        "table": table.table, "rows": table.rows,
        "files_before": table.files_before, "files_after": table.files_after,
        "bytes_before": table.bytes_before, "bytes_after": table.bytes_after,
        "files_folded": table.files_folded, "files_written": table.files_written,
        "rows_rewritten": table.rows_rewritten, "checkpoint": table.checkpoint,
        "log_files_removed": table.log_files_removed, "files_removed": table.files_removed,
        "bytes_removed": table.bytes_removed, "problems": table.problems,
    })
}
