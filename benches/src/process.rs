//! Runs a program and measures it.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

/// A program to measure, given by its path.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    environment: Vec<(String, String)>,
    /// The one core that it may use.
    core: Option<usize>,
}

/// What a run took and said.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Wall clock time from start to exit.
    pub elapsed: Duration,
    /// Peak resident memory in bytes (`VmHWM`, asked for every few milliseconds; 0 where there is
    /// no `/proc`).
    pub memory_bytes_max: u64,
    /// Standard output.
    pub output: String,
}

impl Program {
    /// Returns the program at `path`.
    ///
    /// # Errors
    /// When nothing is there.
    pub fn at(path: &Path) -> Result<Self> {
        let path = path.canonicalize().with_context(|| format!("no program at `{path:?}`"))?;
        Ok(Self { path, environment: Vec::new(), core: None })
    }

    /// Returns it with a variable set in its environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns it held to one core, by its number from 0, or where there are fewer to one of those
    /// there are. (By `taskset`: elsewhere than on Linux it may use all.)
    #[must_use]
    pub fn on_core(mut self, core: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.core = cfg!(target_os = "linux").then_some(core % cores);
        self
    }

    fn command(&self) -> Command {
        let mut command = match self.core {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["--cpu-list", &core.to_string()]).arg(&self.path);
                command
            }
            None => Command::new(&self.path),
        };
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    /// When it cannot be started or exits other than 0; the error has what it said.
    pub fn run(&self, arguments: &[&OsStr]) -> Result<Finished> {
        let begun = Instant::now();
        let mut child = self
            .command()
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // Read while it runs: a pipe holds 64 kB, and who writes more waits.
        let output = read_aside(child.stdout.take());
        let talk = read_aside(child.stderr.take());
        let memory_bytes_max = watch(&mut child)?;
        let elapsed = begun.elapsed();
        let status = child.wait()?;
        let (output, talk) = (said(output)?, said(talk)?);
        if !status.success() {
            bail!("`{}` {arguments:?} ended with {status}: {talk}", self.path.display());
        }
        Ok(Finished { elapsed, memory_bytes_max, output })
    }
}

fn read_aside(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<std::io::Result<Vec<u8>>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.map(|mut pipe| pipe.read_to_end(&mut bytes)).transpose()?;
        Ok(bytes)
    })
}

fn said(reader: JoinHandle<std::io::Result<Vec<u8>>>) -> Result<String> {
    let bytes = reader.join().map_err(|_| anyhow!("what it said was not read"))??;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Waits for the child and returns the highest `VmHWM` seen.
fn watch(child: &mut Child) -> Result<u64> {
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut highest = 0;
    while child.try_wait()?.is_none() {
        highest = highest.max(high_water_mark(&status).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(highest)
}

fn high_water_mark(status: &Path) -> Option<u64> {
    let status = std::fs::read_to_string(status).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Returns the bytes and the number of all files below `folder`.
///
/// # Errors
/// When a folder cannot be read.
pub fn size_of(folder: &Path) -> Result<(u64, u64)> {
    let (mut bytes, mut files) = (0, 0);
    let mut pending = vec![folder.to_path_buf()];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                pending.push(entry.path());
            } else {
                bytes += metadata.len();
                files += 1;
            }
        }
    }
    Ok((bytes, files))
}
