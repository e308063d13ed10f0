//! Bare `traillake`: the shell where there is a lake, else how to begin.

use super::shell::{self, ShellArgs};
use crate::failure::Outcome;
use crate::lakes;
use crate::output::{Report, ReportFormat};
use crate::session::Session;

const HELP: &str = "\
traillake demo              try it: a small trail of an attack, and five questions about it
traillake ingest FOLDER     bring in CloudTrail logs
traillake query \"SELECT …\"  ask in SQL
traillake samples           questions that others ask

traillake --help            everything else
";

/// Opens the shell when somebody can type and there is a lake; else prints a short help.
pub async fn run(session: &Session) -> anyhow::Result<Outcome> {
    let somebody_types = session.terminal.stdin && session.terminal.stdout;
    if somebody_types && lakes::exists(session).await.unwrap_or(false) {
        return shell::run(session, ShellArgs::default()).await;
    }
    Report { text: HELP.to_owned(), json: serde_json::Value::Null }
        .print(ReportFormat::Text, session.terminal.stdout)?;
    Ok(Outcome::Done)
}
