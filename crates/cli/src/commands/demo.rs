//! `traillake demo`

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use flate2::read::GzDecoder;
use serde::Deserialize;
use traillake_store::Lake;
use traillake_trino::Parameters;

use crate::answers::{self, Writing};
use crate::engines::{self, Limits};
use crate::failure::{Outcome, Problem};
use crate::intake::{self, Intake};
use crate::output::{Format, print};
use crate::session::Session;

/// A small trail of an attack, made by ourselves: log files as CloudTrail delivers them.
const TRAIL: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/demo/trail.tar.gz"));
/// Five questions about it, with their answers.
const QUESTIONS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/demo/questions.toml"));

/// What can be typed after `traillake demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake demo
  traillake demo ./try-it
  traillake --quiet demo ./try-it")]
pub struct DemoArgs {
    /// Where to put the trail and its lake: a folder that is empty or not there yet
    #[arg(default_value = "traillake-demo")]
    folder: PathBuf,
}

/// The questions as they stand in their file.
#[derive(Debug, Deserialize)]
struct Questions {
    question: Vec<Question>,
}

#[derive(Debug, Deserialize)]
struct Question {
    /// In words.
    ask: String,
    /// In SQL.
    sql: String,
    /// What the rows mean.
    answer: String,
}

/// Unpacks the trail, brings it into a lake, asks five questions, says what to try next.
pub async fn run(session: &Session, args: DemoArgs) -> anyhow::Result<Outcome> {
    let (trail, lake) = (args.folder.join("trail"), args.folder.join("lake"));
    let questions: Questions = toml::from_str(QUESTIONS)?;
    unpack(&args.folder, &trail)?;
    let location = lake.to_string_lossy().into_owned();
    let sources = vec![trail.to_string_lossy().into_owned()];
    print(&format!("$ traillake --lake {location} ingest {}\n", trail.display()))?;
    let intake = Intake { sources, ..Intake::default() };
    intake.check(session, &location).await?;
    let lake = Lake::open_or_create(&location).await?;
    let store = session.settings.text("store");
    let taken = intake::bring_in(session, &lake, store, &intake, None).await?;
    print(&intake::account(&taken).text)?;
    if taken.report.cancelled {
        return Ok(Outcome::Interrupted);
    }
    let engine = engines::engine(session, &lake, store, Limits::default()).await?;
    // A terminal may be too narrow for a table; then each answer finds its own way.
    let format = Some(Format::Table).filter(|_| !session.terminal.stdout);
    let writing = Writing { format, ..Writing::default() };
    for (number, question) in questions.question.iter().enumerate() {
        print(&format!("\n{}. {}\n\n{}\n", number + 1, question.ask, indented(&question.sql)))?;
        let sql = &question.sql;
        let asked = answers::ask(session, &engine, sql, &Parameters::default(), &writing).await?;
        if asked == Outcome::Interrupted {
            return Ok(asked);
        }
        print(&format!("\n{}\n", question.answer))?;
    }
    print(&try_next(&location))?;
    Ok(Outcome::Done)
}

fn indented(sql: &str) -> String {
    sql.trim().lines().map(|line| format!("    {line}\n")).collect()
}

/// Returns what to type next.
fn try_next(lake: &str) -> String {
    format!(
        "\n\
Try next:
  traillake --lake {lake} query --sample bucket-access -p bucket=example-payroll-exports
  traillake --lake {lake} query --sample access-key -p key=AKIADEMOBACKUPADM001
  traillake --lake {lake} shell
  traillake samples
  traillake ingest FOLDER    (your own logs, into ./lake)
"
    )
}

/// Unpacks the trail into `trail`. What is there already stays as it is: written anew, a file
/// would have changed for the lake.
fn unpack(folder: &Path, trail: &Path) -> anyhow::Result<()> {
    let is_ours = trail.join("AWSLogs").is_dir();
    let is_empty = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => {
            let message = format!("could not look into `{}`", folder.display());
            return Err(Problem::new(message).because(error));
        }
    };
    if !is_ours && !is_empty {
        return Err(Problem::new(format!("`{}` is not empty", folder.display()))
            .hint("name a folder that is empty or not there yet: `traillake demo FOLDER`")
            .into());
    }
    let mut archive = tar::Archive::new(GzDecoder::new(TRAIL));
    for member in archive.entries()? {
        let mut member = member?;
        let path = trail.join(member.path()?);
        if !member.header().entry_type().is_file() || path.exists() {
            continue;
        }
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes)?;
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(path.parent().unwrap_or(trail))?;
            std::fs::write(&path, &bytes)
        };
        write().map_err(|error| {
            Problem::new(format!("could not write `{}`", path.display())).because(error)
        })?;
    }
    Ok(())
}
