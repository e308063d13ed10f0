//! The shell: statements and commands, one after another, from a person or a pipe.

mod complete;
mod history;
mod input;
mod meta;
mod statements;

use std::path::PathBuf;
use std::str::FromStr as _;

use clap::ValueEnum as _;
use traillake_query::Engine;
use traillake_store::Lake;
use traillake_trino::Parameters;

use crate::answers::{self, Writing};
use crate::commands::samples::{in_full, list};
use crate::engines::{self, Limits};
use crate::failure::{Outcome, Problem};
use crate::lakes;
use crate::output::{Format, print};
use crate::samples;
use crate::session::Session;
use traillake_server::formats::escape::visible_lines;

use complete::Words;
use input::{Input, Line};
use meta::Meta;
use statements::{command_behind, next_statement};

/// A shell at work.
pub struct Shell<'a> {
    session: &'a Session,
    lake: Lake,
    store: String,
    engine: Engine,
    /// The format of answers, where `\format` or `\x` says so.
    format: Option<Format>,
    /// The file that answers go to, where `\o` says so.
    file: Option<PathBuf>,
    /// It has an answer already.
    file_begun: bool,
    timing: bool,
    last_statement: String,
    /// A person types: Ctrl-C ends a query, not the shell.
    interactive: bool,
    outcome: Outcome,
}

/// Whether to go on after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    Leave,
}

impl<'a> Shell<'a> {
    /// Returns a shell on `store` of `lake`.
    pub async fn new(session: &'a Session, lake: Lake, store: &str) -> anyhow::Result<Shell<'a>> {
        Ok(Shell {
            session,
            engine: engines::engine(session, &lake, store, Limits::default()).await?,
            lake,
            store: store.to_owned(),
            format: None,
            file: None,
            file_begun: false,
            timing: false,
            last_statement: String::new(),
            interactive: false,
            outcome: Outcome::Done,
        })
    }

    /// Reads lines and does what they say, until `\q` or the end of the input.
    pub async fn run(mut self) -> anyhow::Result<Outcome> {
        let mut input = Input::open(self.session, self.words())?;
        self.interactive = input.is_interactive();
        if self.interactive {
            self.session
                .talk
                .say("type a statement that ends with `;`, \\? for help, \\q to leave");
        }
        let mut pending = String::new();
        loop {
            match input.read(&self.store, pending.is_empty())? {
                Line::Text(line) => pending.push_str(&line),
                Line::Cleared => pending.clear(),
                Line::End => break,
            }
            if self.take(&mut pending).await? == Next::Leave {
                return Ok(self.outcome);
            }
        }
        // What a pipe ends with needs no semicolon.
        if !pending.trim().is_empty() {
            self.statement(&pending).await?;
        }
        Ok(self.outcome)
    }

    /// Does everything in `pending` that is complete.
    async fn take(&mut self, pending: &mut String) -> anyhow::Result<Next> {
        loop {
            let rest = pending.trim_start();
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            if let Some(line) = meta::spelled_out(line) {
                let (line, after) = (line.to_owned(), after.to_owned());
                *pending = after;
                if self.meta(&line).await? == Next::Leave {
                    return Ok(Next::Leave);
                }
            } else if let Some((statement, after)) = next_statement(rest) {
                let (statement, after) = (statement.to_owned(), after.to_owned());
                *pending = after;
                if self.statement(&statement).await? == Next::Leave {
                    return Ok(Next::Leave);
                }
            } else if let Some((begun, line)) = command_behind(rest).filter(|_| self.interactive) {
                // What was typed so far stays; a script asks all of it, or fails.
                let (begun, line) = (begun.to_owned(), line.to_owned());
                *pending = begun;
                if self.meta(&line).await? == Next::Leave {
                    return Ok(Next::Leave);
                }
            } else {
                if rest.is_empty() {
                    pending.clear();
                }
                return Ok(Next::GoOn);
            }
        }
    }

    /// Asks a statement; what goes wrong is said, and the shell goes on.
    async fn statement(&mut self, sql: &str) -> anyhow::Result<Next> {
        let sql = sql.trim();
        if sql.is_empty() {
            return Ok(Next::GoOn);
        }
        sql.clone_into(&mut self.last_statement);
        let writing = Writing {
            format: self.format,
            file: self.file.clone(),
            append: self.file_begun,
            timing: self.timing,
            ..Writing::default()
        };
        let none = Parameters::default();
        match answers::ask(self.session, &self.engine, sql, &none, &writing).await {
            Ok(Outcome::Interrupted) if !self.interactive => {
                self.outcome = Outcome::Interrupted;
                return Ok(Next::Leave);
            }
            Ok(outcome) => self.file_begun |= self.file.is_some() && outcome == Outcome::Done,
            Err(error) => self.failed(error)?,
        }
        Ok(Next::GoOn)
    }

    /// Says what went wrong. Only a reader that went away ends the shell.
    fn failed(&mut self, error: anyhow::Error) -> anyhow::Result<()> {
        if crate::failure::is_reader_gone(&error) {
            return Err(error);
        }
        self.session.talk.error(&error);
        self.outcome = Outcome::DoneWithFailures;
        Ok(())
    }

    async fn meta(&mut self, line: &str) -> anyhow::Result<Next> {
        let done = match Meta::from_str(line) {
            Ok(Meta::Quit) => return Ok(Next::Leave),
            // A file may include files: the future must have a size.
            Ok(Meta::Include(path)) => Box::pin(self.include(path)).await,
            Ok(Meta::Edit) => self.edit().await,
            Ok(meta) => self.command(meta).await.map(|()| Next::GoOn),
            Err(problem) => Err(problem.into()),
        };
        done.or_else(|error| self.failed(error).map(|()| Next::GoOn))
    }

    async fn command(&mut self, meta: Meta) -> anyhow::Result<()> {
        match meta {
            Meta::Help => print(meta::HELP),
            Meta::Tables => self.tables(),
            Meta::Describe(table) => self.describe(&table),
            Meta::Vertical => {
                let vertical = self.format == Some(Format::Vertical);
                self.format = if vertical { None } else { Some(Format::Vertical) };
                self.say(if vertical { "answers as before" } else { "answers one column a line" })
            }
            Meta::Timing => {
                self.timing = !self.timing;
                self.say(if self.timing { "timing is on" } else { "timing is off" })
            }
            Meta::Format(name) => {
                self.format = Some(format_of(&name)?);
                self.say(&format!("answers as {name}"))
            }
            Meta::Output(file) => {
                lakes::refuse_inside(self.session, file.as_deref()).await?;
                self.file_begun = false;
                self.file = file;
                match &self.file {
                    Some(file) => self.say(&format!("answers go to `{}`", file.display())),
                    None => self.say("answers go to standard output"),
                }
            }
            Meta::Samples(words) => match samples::search(&words).as_slice() {
                [] => self.say(&format!("no sample speaks of `{}`", words.join(" "))),
                [only] => print(&in_full(only)),
                many => print(&list(many)),
            },
            Meta::Store(name) => self.enter(name).await,
            Meta::Quit | Meta::Include(_) | Meta::Edit => Ok(()),
        }
    }

    fn say(&self, text: &str) -> anyhow::Result<()> {
        self.session.talk.say(text);
        Ok(())
    }

    /// Opens the last statement in the user's editor and asks what comes back.
    async fn edit(&mut self) -> anyhow::Result<Next> {
        let edited = history::edit(&self.last_statement)?;
        let statement = edited.trim().trim_end_matches(';').to_owned();
        print(&format!("{};\n", visible_lines(&statement)))?;
        self.statement(&statement).await
    }

    /// Does what a file says, line by line.
    async fn include(&mut self, path: PathBuf) -> anyhow::Result<Next> {
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Problem::new(format!("could not read `{}`", path.display())).because(error)
        })?;
        let mut pending = text;
        match self.take(&mut pending).await? {
            Next::Leave => Ok(Next::Leave),
            Next::GoOn => self.statement(&pending).await,
        }
    }

    async fn enter(&mut self, name: Option<String>) -> anyhow::Result<()> {
        let Some(name) = name else {
            let stores = self.lake.stores().await?;
            let names: Vec<&str> = stores.iter().map(|store| store.name.as_str()).collect();
            return print(&format!("{}\n", names.join("\n")));
        };
        self.lake.store(&name).await?;
        self.engine = engines::engine(self.session, &self.lake, &name, Limits::default()).await?;
        self.store = name;
        Ok(())
    }

    fn tables(&self) -> anyhow::Result<()> {
        let lines: Vec<String> = self.engine.tables();
        print(&visible_lines(&format!("{}\n", lines.join("\n"))))
    }

    fn describe(&self, table: &str) -> anyhow::Result<()> {
        let columns = self.engine.describe(table)?;
        let widest = columns.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let lines = columns.iter().map(|(name, kind)| format!("{name:<widest$}  {kind}\n"));
        print(&visible_lines(&lines.collect::<String>()))
    }

    /// Returns the words that the tab key completes.
    fn words(&self) -> Words {
        let mut words = Words::default();
        for table in self.engine.tables() {
            let columns = self.engine.describe(&table).unwrap_or_default();
            words.extend(columns.into_iter().map(|(name, _)| name));
            words.extend([table]);
        }
        words.extend(traillake_trino::functions::names());
        words
    }
}

/// Returns the format of that name.
fn format_of(name: &str) -> Result<Format, Problem> {
    Format::from_str(name, true).map_err(|_| {
        let known = Format::value_variants().iter().filter_map(Format::to_possible_value);
        let known: Vec<String> = known.map(|known| known.get_name().to_owned()).collect();
        Problem::new(format!("there is no format `{name}`"))
            .hint(format!("there are {}", known.join(", ")))
    })
}
