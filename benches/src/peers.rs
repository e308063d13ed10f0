//! The other engines, which answer inside one Python process that stays: `peers.py`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::audit::Engine;

/// An answer: how long it took inside the engine, and its rows, a cell as text or NULL.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// From the statement to the last row.
    pub elapsed: Duration,
    /// The rows.
    pub rows: Vec<Vec<Option<String>>>,
}

/// DuckDB and ClickHouse, holding a trail.
#[derive(Debug)]
pub struct Peers {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// The version of each.
    pub versions: BTreeMap<String, String>,
    /// The events that each holds.
    pub counts: BTreeMap<String, u64>,
}

impl Peers {
    /// Starts both on the trail in `trail`; what they keep goes to `work`.
    ///
    /// # Errors
    /// When Python or one of the packages is missing, or the trail cannot be read.
    pub fn start(python: &Path, trail: &Path, work: &Path, cores: usize) -> Result<Peers> {
        let mut child = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peers.py"))
            .args([Path::new("--trail"), trail, Path::new("--work"), work])
            .args(["--cores", &cores.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run `{}`", python.display()))?;
        let input = child.stdin.take().context("no standard input")?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        let (versions, counts) = Default::default();
        let mut peers = Peers { child, input, output, versions, counts };
        let ready = peers.read().context("the peers did not start; they need duckdb and chdb")?;
        peers.versions = serde_json::from_value(ready["versions"].clone())?;
        peers.counts = serde_json::from_value(ready["counts"].clone())?;
        Ok(peers)
    }

    /// Returns the answer of one of them.
    ///
    /// # Errors
    /// When it refuses the statement.
    pub fn ask(&mut self, engine: Engine, sql: &str) -> Result<Answer> {
        writeln!(self.input, "{}", json!({ "peer": engine.name(), "sql": sql }))?;
        let answer = self.read()?;
        if let Some(error) = answer["error"].as_str() {
            bail!("{} says of `{sql}`: {error}", engine.name());
        }
        let seconds = answer["seconds"].as_f64().context("no time")?;
        let rows = serde_json::from_value(answer["rows"].clone())?;
        Ok(Answer { elapsed: Duration::from_secs_f64(seconds), rows })
    }

    fn read(&mut self) -> Result<Value> {
        // The engines may print on their own: only lines of JSON count.
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                bail!("the peers ended");
            }
            if line.starts_with('{') {
                return Ok(serde_json::from_str(&line)?);
            }
        }
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // Ours alone; whether it has ended already does not matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
