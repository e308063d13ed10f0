//! `traillake config`

use clap::Args;
use serde_json::json;

use crate::failure::Outcome;
use crate::output::{Report, ReportArgs};
use crate::session::Session;

/// What can be typed after `traillake config`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake config
  traillake config --format json
  TRAILLAKE_LAKE=/srv/lake traillake config")]
pub struct ConfigArgs {
    #[command(flatten)]
    report: ReportArgs,
}

/// Prints every setting, its value and where it came from.
pub fn run(session: &Session, args: ConfigArgs) -> anyhow::Result<Outcome> {
    let keys = session.settings.iter().map(|(setting, _)| setting.key.len());
    let widest = keys.max().unwrap_or(0);
    let mut text = String::new();
    let mut settings = Vec::new();
    for (setting, value) in session.settings.iter() {
        let (key, origin) = (setting.key, value.origin.to_string());
        text += &format!("{key:<widest$} = {:<10} # {origin}\n", value.text);
        settings.push(json!({
            "key": key, "value": value.text, "origin": origin, "about": setting.about,
            "environment": setting.env, "default": setting.default,
            "flag": Some(setting.flag).filter(|flag| !flag.is_empty()),
        }));
    }
    let mut tables = Vec::new();
    for (name, value) in session.settings.tables() {
        let origin = value.origin.to_string();
        text += &format!("tables.\"{name}\" = {} # {origin}\n", value.text);
        tables.push(json!({"name": name, "table": value.text, "origin": origin}));
    }
    let report = Report { text, json: json!({"settings": settings, "tables": tables}) };
    report.print(args.report.format, session.terminal.stdout)?;
    Ok(Outcome::Done)
}
