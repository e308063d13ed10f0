//! `traillake shell`

use clap::Args;

use crate::failure::Outcome;
use crate::lakes;
use crate::session::Session;
use crate::shell::Shell;

/// What can be typed after `traillake shell`.
#[derive(Debug, Default, Args)]
#[command(after_help = "\
Examples:
  traillake shell
  traillake --store default shell
  echo 'SELECT count(*) AS n FROM events;' | traillake shell")]
pub struct ShellArgs {}

/// Asks again and again, from a terminal or a pipe.
pub async fn run(session: &Session, _args: ShellArgs) -> anyhow::Result<Outcome> {
    let lake = lakes::open(session).await?;
    Shell::new(session, lake, session.settings.text("store")).await?.run().await
}
