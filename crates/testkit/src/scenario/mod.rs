//! Scenarios: what a person does and sees, as text. `testdata/scenarios/*.txt` holds them.
//!
//! ```text
//! # A comment.
//! $ put logs/a.json.gz            a log file of the records below, gzipped by its name
//! event 1 GetObject               a small record: eventID ends in 1, the rest is filled in
//! event 2 PutObject {"readOnly":false}    … with further members
//! {"eventID":"…", …}              or a record's bytes as they are
//!
//! $ raw logs/b.json               a file of exactly the lines below
//! $ copy logs/a.json.gz logs/c.json.gz
//! $ cut logs/c.json.gz 20         takes the last 20 bytes away
//! $ join logs/c.json.gz logs/a.json.gz    appends the second file to the first
//! $ remove logs/c.json.gz
//!
//! $ ingest logs                   must exit 0
//! $ ingest logs exit=1            must exit 1
//! $ ingest logs crash=commit-events:after    dies at that step
//!
//! > SELECT count(*)               a query; further lines of it are indented
//!     FROM events
//! 2                               its rows as CSV, all of them and no other
//!
//! ! SELECT nope FROM events       a query that fails; each line must stand in what is said
//! nope
//!
//! ? SELECT 1 FROM events WHERE false    a query that works; each line must stand in what is said
//! 0 rows
//! ```
//!
//! Paths are below the scenario's own folder. The same texts drive a binary or a library: whatever
//! implements [`System`].

mod parse;
mod run;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use run::{Failure, run};

/// What a run of something said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Exit code; `None` when it was killed.
    pub code: Option<i32>,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub talk: String,
}

/// What a scenario drives.
pub trait System {
    /// Brings `paths` into the lake, to the end, or to `crash`, a named step, at which it must die.
    fn ingest(&mut self, paths: &[PathBuf], crash: Option<&str>) -> Said;

    /// Answers `sql` as CSV without a header.
    fn query(&mut self, sql: &str) -> Said;
}

/// Ingests paths into the lake at the first path, and dies at the named step.
pub type Crash<'a> = &'a dyn Fn(&Path, &[PathBuf], &str) -> Said;

/// The binary at a path, with a lake of its own. It has no way to die at a step: `crash` is for
/// those who have one.
pub struct Binary<'a> {
    program: PathBuf,
    lake: PathBuf,
    crash: Option<Crash<'a>>,
}

impl<'a> Binary<'a> {
    /// Returns the program with the lake at `lake`.
    pub fn new(program: &Path, lake: &Path) -> Self {
        Self { program: program.to_owned(), lake: lake.to_owned(), crash: None }
    }

    /// Ingests by `crash` whenever it has to die at a step.
    pub fn with_crash(self, crash: Crash<'a>) -> Self {
        Self { crash: Some(crash), ..self }
    }

    fn run(&self, command: &mut Command) -> Said {
        match command.stdin(Stdio::null()).output() {
            Ok(output) => Said {
                code: output.status.code(),
                output: String::from_utf8_lossy(&output.stdout).into_owned(),
                talk: String::from_utf8_lossy(&output.stderr).into_owned(),
            },
            Err(error) => Said { talk: error.to_string(), ..Said::default() },
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--lake").arg(&self.lake).arg("--no-progress");
        command
    }
}

impl System for Binary<'_> {
    fn ingest(&mut self, paths: &[PathBuf], crash: Option<&str>) -> Said {
        match (crash, self.crash) {
            (None, _) => self.run(self.command().arg("ingest").args(paths)),
            (Some(step), Some(crash)) => crash(&self.lake, paths, step),
            (Some(step), None) => {
                let talk = format!("nothing here can crash at `{step}`");
                Said { code: Some(-1), talk, ..Said::default() }
            }
        }
    }

    fn query(&mut self, sql: &str) -> Said {
        self.run(self.command().args(["query", "--format", "csv", "--no-header", sql]))
    }
}
