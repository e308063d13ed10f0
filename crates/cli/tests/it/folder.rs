//! A folder of a test's own, in which it runs the binary.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_traillake");

/// A folder of a test's own; it goes with the value.
pub struct Folder {
    folder: TempDir,
}

/// What one run of the binary gave.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Folder {
    pub fn new() -> Folder {
        Folder { folder: tempfile::tempdir().unwrap() }
    }

    /// A folder with the demo's trail in `logs`.
    pub fn with_logs() -> Folder {
        let here = Folder::new();
        let trail = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/demo/trail.tar.gz");
        std::fs::create_dir(here.path("logs")).unwrap();
        let unpacked = Command::new("tar")
            .args(["-xzf", trail, "-C"])
            .arg(here.path("logs"))
            .status()
            .unwrap();
        assert!(unpacked.success());
        here
    }

    /// A folder with the demo's trail in `logs` and in the lake.
    pub fn with_lake() -> Folder {
        let here = Folder::with_logs();
        here.run(&["--quiet", "ingest", "logs"]).done();
        here
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The names in the folder, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The binary, set to run in the folder and to know nothing of this machine.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            let ours = ["TRAILLAKE_", "XDG_", "AWS_"].iter().any(|prefix| name.starts_with(prefix));
            if ours || name == "NO_COLOR" {
                command.env_remove(name);
            }
        }
        command.env("HOME", self.folder.path().join("home"));
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command(BINARY).args(args).output().unwrap())
    }

    /// Runs a line of shell, in which `traillake` is the binary under test.
    pub fn sh(&self, line: &str) -> Ran {
        let folder = Path::new(BINARY).parent().unwrap();
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
        let mut command = self.command("bash");
        Ran::of(&command.args(["-c", line]).env("PATH", path).output().unwrap())
    }

    /// Runs the binary and presses Ctrl-C once it has logged `moment`. What it says from then on
    /// is the standard error of the run.
    pub fn interrupted(&self, moment: &str, args: &[&str]) -> Ran {
        let mut child = self
            .command(BINARY)
            .arg("-v")
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains(moment) {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "it never came to `{moment}`");
        }
        let pid = child.id().to_string();
        assert!(self.command("kill").args(["-INT", &pid]).status().unwrap().success());
        let mut stderr = Vec::new();
        said.read_to_end(&mut stderr).unwrap();
        Ran::of(&Output { stderr, ..child.wait_with_output().unwrap() })
    }

    /// The answer as CSV without a header.
    pub fn csv(&self, sql: &str) -> String {
        self.run(&["query", "--format", "csv", "--no-header", sql]).done().stdout
    }
}

impl Ran {
    pub fn of(output: &Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The run, which must have exited with `code`.
    #[track_caller]
    pub fn exited(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        self
    }

    /// The run, which must have done everything.
    #[track_caller]
    pub fn done(self) -> Ran {
        self.exited(0)
    }

    /// The run as a transcript with times and rates masked.
    pub fn transcript(&self) -> String {
        let mut text = String::new();
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !stream.is_empty() {
                let _ = writeln!(text, "--- {name}\n{}", masked(stream).trim_end());
            }
        }
        let _ = write!(text, "--- exit {}", self.code);
        text
    }
}

/// Masks `12 ms`, `1.2 s`, `1,234 records/s` and `3.4 MB/s`.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let mut out: Vec<String> = Vec::new();
        for (i, word) in words.iter().enumerate() {
            let next = words.get(i + 1).map_or("", |next| next.trim_end_matches([':', ',']));
            let is_number = word.starts_with(|c: char| c.is_ascii_digit());
            let is_rate = next.ends_with("/s") || matches!(next, "ms" | "s");
            out.push(if is_number && is_rate { "N".to_owned() } else { (*word).to_owned() });
        }
        masked += &out
            .join(" ")
            .replace(" ms:", " s:")
            .replace("kB/s", "MB/s")
            .replace("N B/s", "N MB/s");
        masked.push('\n');
    }
    masked
}

/// One log file with events of these JSON texts.
pub fn log(events: &[String]) -> String {
    format!("{{\"Records\":[{}]}}", events.join(","))
}

/// The text of one event; `more` is further members, each with a comma before it.
pub fn event(id: u32, name: &str, more: &str) -> String {
    format!(
        "{{\"eventVersion\":\"1.08\",\"userIdentity\":{{\"type\":\"Root\"}},\
         \"eventTime\":\"2024-01-01T00:00:{:02}Z\",\"eventSource\":\"s3.amazonaws.com\",\
         \"eventName\":\"{name}\",\"eventID\":\"00000000-0000-0000-0000-{id:012}\",\
         \"recipientAccountId\":\"000000000001\"{more}}}",
        id % 60
    )
}
