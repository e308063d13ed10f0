//! `traillake completions`

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use std::io::Write as _;

use crate::args::Cli;
use crate::failure::Outcome;
use crate::output::Stdout;

/// What can be typed after `traillake completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  traillake completions bash > traillake.bash
  traillake completions zsh > _traillake
  traillake completions fish > traillake.fish")]
pub struct CompletionsArgs {
    /// The shell to complete for
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script that completes command lines.
pub fn run(args: CompletionsArgs) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "traillake", &mut script);
    Stdout::new().write_all(&script)?;
    Ok(Outcome::Done)
}
