//! What can be typed. Each command's own arguments stand beside the command.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::commands::{
    check, completions, config, coverage, credentials, demo, event, export, find, ingest, maintain,
    query, samples, serve, shell, source, status, store, version,
};

/// A self-hosted AWS CloudTrail Lake: brings CloudTrail logs into a lake and answers SQL over them
#[derive(Debug, Parser)]
#[command(
    name = "traillake",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  traillake demo
  traillake ingest ./logs
  traillake query \"SELECT eventName, count(*) AS n FROM events GROUP BY 1 ORDER BY 2 DESC LIMIT 5\""
)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do; nothing opens the shell.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct GlobalArgs {
    /// The lake: a path or URL [default: ./lake]
    #[arg(long, global = true, value_name = "PATH|URL")]
    pub lake: Option<String>,
    /// The event data store in the lake [default: default]
    #[arg(long, global = true, value_name = "NAME")]
    pub store: Option<String>,
    /// Read this configuration file instead of traillake.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Say only warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log what happens; twice for more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Messages on standard error as text or as JSON lines [default: text]
    #[arg(long, global = true, value_name = "text|json")]
    pub log_format: Option<String>,
    /// Use colour: auto, always or never [default: auto]
    #[arg(long, global = true, value_name = "WHEN")]
    pub color: Option<String>,
    /// Draw no progress bar
    #[arg(long, global = true)]
    pub no_progress: bool,
}

impl GlobalArgs {
    /// Returns the settings that these flags set.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let no_progress = self.no_progress.then(|| "false".to_owned());
        let flags = [
            ("lake", self.lake.clone()),
            ("store", self.store.clone()),
            ("log-format", self.log_format.clone()),
            ("color", self.color.clone()),
            ("progress", no_progress),
        ];
        flags.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}

/// The commands, in the order in which a lake is used.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try it: a small trail of an attack, and five questions about it
    Demo(demo::DemoArgs),
    /// Bring in CloudTrail logs, each once
    Ingest(Box<ingest::IngestArgs>),
    /// Keep, list or remove the places that logs come from
    Source(Box<source::SourceArgs>),
    /// Create, list or show event data stores
    Store(store::StoreArgs),
    /// Ask in SQL
    Query(Box<query::QueryArgs>),
    /// Ask again and again
    Shell(shell::ShellArgs),
    /// Find an ARN, key, address, id or name anywhere in an event
    Find(find::FindArgs),
    /// Show the original bytes of events
    Event(event::EventArgs),
    /// List, search and show sample queries
    Samples(samples::SamplesArgs),
    /// Show what the lake holds
    Status(status::StatusArgs),
    /// Show what was collected, by account, region, day and category
    Coverage(coverage::CoverageArgs),
    /// Keep the lake small and fast: fold files, shorten logs, remove what nothing needs
    Maintain(maintain::MaintainArgs),
    /// Hold the lake against itself, and name what is damaged
    Check(check::CheckArgs),
    /// Take events out: as CloudTrail delivers them, or as Parquet, CSV or NDJSON
    Export(Box<export::ExportArgs>),
    /// Answer over HTTP: notebooks, AWS's clients, Trino's clients
    Serve(Box<serve::ServeArgs>),
    /// Make, list or take away tokens for the server
    Token(credentials::TokenArgs),
    /// Make, list or take away AWS-style access keys for the server
    Key(credentials::KeyArgs),
    /// Show each setting and where it came from
    Config(config::ConfigArgs),
    /// Print completions for a command-line shell
    Completions(completions::CompletionsArgs),
    /// Print the version
    Version(version::VersionArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_help_ends_with_three_examples() {
        fn check(command: &clap::Command) {
            let subcommands: Vec<_> = command.get_subcommands().collect();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples = help.lines().filter(|line| line.starts_with("  ")).count();
            assert!(help.starts_with("Examples:\n"), "{}: {help:?}", command.get_name());
            assert_eq!(examples, 3, "{}", command.get_name());
            subcommands.into_iter().for_each(check);
        }
        check(&Cli::command());
    }
}
