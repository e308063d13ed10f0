//! The `traillake` command: here is a human.
//!
//! This crate alone reads arguments, environment, configuration and the clock, and prints. What it
//! prints on standard output is data; standard error is talk.

mod args;
mod commands;
mod config;
mod env_vars;
mod quantities;
mod times;

mod buckets;
mod lakes;
mod machine;
mod queues;
mod session;

mod intake;

mod answers;
mod engines;
mod exports;
mod iocs;
mod lookups;
mod parameters;
mod retention;
mod samples;
mod shell;
mod spills;
mod state;
mod threads;
mod upkeep;

mod closest;
mod failure;
mod interrupt;
mod output;
mod talk;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Cli, Command};
use crate::failure::{COULD_NOT_RUN, Outcome, is_reader_gone};
use crate::session::Session;
use crate::talk::Talk;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Only fails when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    let session = match Session::open(&cli.global, chrono::Utc::now()) {
        Ok(session) => session,
        Err(error) => {
            Talk::new(cli.global.quiet, false, false).error(&error);
            return ExitCode::from(COULD_NOT_RUN);
        }
    };
    if matches!(cli.command, Some(Command::Maintain(_))) {
        threads::give_way();
    }
    let runtime = match threads::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            session.talk.error(&error.into());
            return ExitCode::from(COULD_NOT_RUN);
        }
    };
    let result = runtime.block_on(run(cli.command, &session));
    // Work that an interrupt left behind must not hold the process. Shutting the runtime down would
    // take a half-read table log from under its reader, which panics; the process ends anyway.
    std::mem::forget(runtime);
    spills::remove();
    match result {
        Ok(outcome) => outcome.exit_code(),
        Err(error) if is_reader_gone(&error) => Outcome::Done.exit_code(),
        Err(error) => {
            session.talk.error(&error);
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

async fn run(command: Option<Command>, session: &Session) -> anyhow::Result<Outcome> {
    match command {
        None => commands::welcome::run(session).await,
        Some(Command::Demo(args)) => commands::demo::run(session, args).await,
        Some(Command::Ingest(args)) => commands::ingest::run(session, *args).await,
        Some(Command::Source(args)) => commands::source::run(session, *args).await,
        Some(Command::Store(args)) => commands::store::run(session, args).await,
        Some(Command::Query(args)) => commands::query::run(session, *args).await,
        Some(Command::Shell(args)) => commands::shell::run(session, args).await,
        Some(Command::Find(args)) => commands::find::run(session, args).await,
        Some(Command::Event(args)) => commands::event::run(session, args).await,
        Some(Command::Samples(args)) => commands::samples::run(session, args),
        Some(Command::Status(args)) => commands::status::run(session, args).await,
        Some(Command::Coverage(args)) => commands::coverage::run(session, args).await,
        Some(Command::Maintain(args)) => commands::maintain::run(session, args).await,
        Some(Command::Check(args)) => commands::check::run(session, args).await,
        Some(Command::Export(args)) => commands::export::run(session, *args).await,
        Some(Command::Serve(args)) => commands::serve::run(session, *args).await,
        Some(Command::Token(args)) => commands::credentials::tokens(session, args),
        Some(Command::Key(args)) => commands::credentials::keys(session, args),
        Some(Command::Config(args)) => commands::config::run(session, args),
        Some(Command::Completions(args)) => commands::completions::run(args),
        Some(Command::Version(args)) => commands::version::run(session, args),
    }
}
