//! `traillake check`

use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};
use traillake_ingest::{LogProof, store_spec};
use traillake_store::{Audit, AuditOptions, Error, Finding, Grade, Lake, Proof};

use crate::failure::Outcome;
use crate::interrupt::Interrupt;
use crate::lakes;
use crate::output::{Report, ReportArgs};
use crate::quantities::{count_of, show_count, show_size};
use crate::session::Session;

/// What can be typed after `traillake check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake check
  traillake check --read-data
  traillake --lake ./lake check --read-data --format json")]
pub struct CheckArgs {
    /// Read every row too: checksums, order, identities, and each record rebuilt byte for byte
    #[arg(long)]
    read_data: bool,
    #[command(flatten)]
    report: ReportArgs,
}

/// Holds the lake against itself. The exit code is 1 when anything is damaged.
pub async fn run(session: &Session, args: CheckArgs) -> anyhow::Result<Outcome> {
    let location = session.settings.lake();
    let options = lakes::options(session, &location).await?;
    let proof: Option<Arc<dyn Proof>> = args.read_data.then(|| Arc::new(LogProof) as _);
    // A reader that panics over a damaged file is one of the findings.
    std::panic::set_hook(Box::new(|panic| tracing::info!(%panic, "a reader stumbled")));
    let interrupt = Interrupt::listen(|| {});
    let (spec, audit) = (store_spec(), AuditOptions { proof });
    let audited = interrupt.unless(Lake::audit(&location, options, &spec, &audit)).await;
    let Some(audited) = audited else {
        session.talk.warn("interrupted");
        return Ok(Outcome::Interrupted);
    };
    let audit = audited.map_err(|error| match error {
        // It says what could not be read.
        Error::Storage { .. } => error.into(),
        error => lakes::no_lake(&location, error),
    })?;
    let (text, json) = (text(&location, &audit, args.read_data), to_json(&location, &audit));
    let printed = Report { text, json }.print(args.report.format, session.terminal.stdout);
    let outcome = if audit.is_sound() { Outcome::Done } else { Outcome::DoneWithFailures };
    outcome.after(printed)
}

fn text(location: &str, audit: &Audit, read_data: bool) -> String {
    let line = |finding: &Finding| match finding.grade {
        Grade::Damage => format!("DAMAGED {finding}\n"),
        Grade::Note => format!("note: {finding}\n"),
    };
    let mut text: String = audit.findings.iter().map(line).collect();
    if audit.more > 0 {
        text += &format!("DAMAGED {} more\n", show_count(audit.more));
    }
    let read = match read_data {
        true => "every row read",
        false => "rows not read; `--read-data` does",
    };
    text += &format!(
        "lake {location}: {}, {}, {}, {}, {} ({read})\n",
        count_of(audit.stores, "store"),
        count_of(audit.tables, "table"),
        count_of(audit.files, "file"),
        count_of(audit.rows, "row"),
        show_size(audit.bytes),
    );
    text += &match damages(audit) {
        0 => "sound\n".to_owned(),
        damages => format!("{} found\n", count_of(damages, "damage")),
    };
    text
}

fn damages(audit: &Audit) -> u64 {
    audit.damages().count() as u64 + audit.more
}

fn to_json(location: &str, audit: &Audit) -> Value {
    let finding = |finding: &Finding| {
        let grade = match finding.grade {
            Grade::Damage => "damage",
            Grade::Note => "note",
        };
        json!({
            "grade": grade, "store": finding.store, "table": finding.table, "file": finding.path,
            "place": finding.place, "what": finding.what,
        })
    };
    let findings: Vec<Value> = audit.findings.iter().map(finding).collect();
    json!({
        "lake": location, "sound": audit.is_sound(), "damages": damages(audit),
        "stores": audit.stores, "tables": audit.tables, "files": audit.files,
        "rows": audit.rows, "bytes": audit.bytes, "findings": findings, "more": audit.more,
    })
}
