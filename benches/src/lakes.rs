//! Lakes that a program makes, fills and is asked about.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{Finished, Program};

/// A program, and the folder in which its lakes are made.
#[derive(Debug)]
pub struct Lakes {
    /// The program.
    pub traillake: Program,
    /// The folder.
    pub work: PathBuf,
}

impl Lakes {
    /// Runs the program on `lake`.
    ///
    /// # Errors
    /// When it cannot be started or exits other than 0.
    pub fn run(&self, lake: &Path, arguments: &[&str]) -> Result<Finished> {
        let mut all: Vec<&OsStr> = vec!["--lake".as_ref(), lake.as_ref(), "--no-progress".as_ref()];
        all.extend(arguments.iter().map(OsStr::new));
        self.traillake.run(&all)
    }

    /// Returns the number of events in `lake`.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn count(&self, lake: &Path) -> Result<u64> {
        let sql = "SELECT count(*) AS n FROM events";
        let output = self.run(lake, &["query", "--format", "ndjson", sql])?.output;
        let row: Value = serde_json::from_str(&output)?;
        row["n"].as_u64().with_context(|| format!("no number in `{output}`"))
    }

    /// Returns a copy of `lake` whose files are the same: nobody changes one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn copy(&self, lake: &Path, name: &str) -> Result<PathBuf> {
        let copy = fresh(self.work.join(name))?;
        let status = Command::new("cp").arg("-al").arg(lake).arg(&copy).status()?;
        ensure!(status.success(), "the lake could not be copied");
        Ok(copy)
    }
}

/// Removes what is at `folder`, and returns it.
///
/// # Errors
/// When it cannot be removed.
pub fn fresh(folder: PathBuf) -> Result<PathBuf> {
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(folder)
}
