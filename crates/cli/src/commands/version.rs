//! `traillake version`

use clap::Args;
use serde_json::json;

use crate::failure::Outcome;
use crate::output::{Report, ReportArgs};
use crate::session::Session;

/// What can be typed after `traillake version`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake version
  traillake version --format json
  traillake --version")]
pub struct VersionArgs {
    #[command(flatten)]
    report: ReportArgs,
}

/// Prints the version of the program and of the lakes it writes.
pub fn run(session: &Session, args: VersionArgs) -> anyhow::Result<Outcome> {
    let version = env!("CARGO_PKG_VERSION");
    let lake = traillake_store::FORMAT;
    Report {
        text: format!("traillake {version} (lake format {lake})"),
        json: json!({"version": version, "lake_format": lake}),
    }
    .print(args.report.format, session.terminal.stdout)?;
    Ok(Outcome::Done)
}
