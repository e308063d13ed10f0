//! Does what a scenario says.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::parse::{Action, Step, parse};
use super::{Said, System};
use crate::trail::gzip;

/// Where a scenario and the world disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Line of the scenario, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for Failure {}

/// Runs the scenario `text` with files in `folder` on `system`.
///
/// # Errors
/// At the first step that does not go as the text says; files and lake stay as they are then.
pub fn run(text: &str, folder: &Path, system: &mut dyn System) -> Result<(), Failure> {
    let steps = parse(text).map_err(|(line, reason)| Failure { line, reason })?;
    for step in steps {
        let done = step.run(folder, system);
        done.map_err(|reason| Failure { line: step.line, reason })?;
    }
    Ok(())
}

impl Step {
    fn run(&self, folder: &Path, system: &mut dyn System) -> Result<(), String> {
        let at = |path: &String| folder.join(path);
        let failed = |error: io::Error| error.to_string();
        match &self.action {
            Action::Put { path } => write(&at(path), &self.log()?).map_err(failed),
            Action::Raw { path } => write(&at(path), &self.body.join("\n")).map_err(failed),
            Action::Copy { from, to } => copy(&at(from), &at(to)).map_err(failed),
            Action::Cut { path, bytes } => cut(&at(path), *bytes).map_err(failed),
            Action::Join { path, other } => join(&at(path), &at(other)).map_err(failed),
            Action::Remove { path } => fs::remove_file(at(path)).map_err(failed),
            Action::Ingest { paths, exit, crash } => {
                let paths: Vec<PathBuf> = paths.iter().map(at).collect();
                let said = system.ingest(&paths, crash.as_deref());
                let expected = if crash.is_some() { None } else { Some(*exit) };
                said.ended(expected)
            }
            Action::Rows { sql } => self.check_rows(&system.query(sql)),
            Action::Fails { sql } => self.check_talk(&system.query(sql), Some(2)),
            Action::Says { sql } => self.check_talk(&system.query(sql), Some(0)),
        }
    }

    fn check_rows(&self, said: &Said) -> Result<(), String> {
        said.ended(Some(0))?;
        let found: Vec<&str> = said.output.lines().map(str::trim_end).collect();
        if found == self.body {
            return Ok(());
        }
        let (expected, found) = (self.body.join("\n  "), found.join("\n  "));
        Err(format!("expected\n  {expected}\nfound\n  {found}"))
    }

    fn check_talk(&self, said: &Said, code: Option<i32>) -> Result<(), String> {
        said.ended(code)?;
        match self.body.iter().find(|line| !said.talk.contains(line.as_str())) {
            None => Ok(()),
            Some(line) => Err(format!("`{line}` was not said, but\n{}", said.talk)),
        }
    }

    /// The log file of the lines below.
    fn log(&self) -> Result<String, String> {
        let records = self.body.iter().map(|line| match line.strip_prefix("event ") {
            Some(event) => record(event),
            None => Ok(line.clone()),
        });
        let records = records.collect::<Result<Vec<_>, _>>()?;
        Ok(format!(r#"{{"Records":[{}]}}"#, records.join(",")))
    }
}

impl Said {
    fn ended(&self, expected: Option<i32>) -> Result<(), String> {
        if self.code == expected {
            return Ok(());
        }
        let name =
            |code: Option<i32>| code.map_or("a crash".to_owned(), |code| format!("exit {code}"));
        let (expected, found) = (name(expected), name(self.code));
        Err(format!("expected {expected}, found {found}:\n{}{}", self.output, self.talk))
    }
}

/// A small record from `<number> <eventName> [further members]`. Its time is that many seconds into
/// 2024.
fn record(text: &str) -> Result<String, String> {
    let mut words = text.splitn(3, ' ');
    let wrong = || format!("`event {text}` is not `event NUMBER NAME [MEMBERS]`");
    let number: u32 = words.next().and_then(|word| word.parse().ok()).ok_or_else(wrong)?;
    let name = words.next().ok_or_else(wrong)?;
    let members = words.next().unwrap_or("{}").trim();
    let members = members.strip_prefix('{').and_then(|m| m.strip_suffix('}')).ok_or_else(wrong)?;
    let comma = if members.is_empty() { "" } else { "," };
    let (minute, second) = (number / 60 % 60, number % 60);
    Ok(format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"Root"}},"eventTime":"2024-01-01T00:{minute:02}:{second:02}Z","eventSource":"s3.amazonaws.com","eventName":"{name}","eventID":"00000000-0000-4000-8000-{number:012}","recipientAccountId":"000000000001"{comma}{members}}}"#
    ))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    let zipped = path.extension().is_some_and(|extension| extension == "gz");
    let bytes = if zipped { gzip(text.as_bytes())? } else { text.as_bytes().to_vec() };
    fs::write(path, bytes)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    fs::copy(from, to).map(|_| ())
}

fn cut(path: &Path, bytes: usize) -> io::Result<()> {
    let mut kept = fs::read(path)?;
    kept.truncate(kept.len().saturating_sub(bytes));
    fs::write(path, kept)
}

fn join(path: &Path, other: &Path) -> io::Result<()> {
    let mut both = fs::read(path)?;
    both.extend(fs::read(other)?);
    fs::write(path, both)
}
