//! The transcript in README is run: every `$ ` line of its `console` blocks, in one empty folder,
//! and the whole output is compared. Only times and rates are masked.

use std::path::Path;
use std::process::Command;

/// One command of the transcript and what README shows below it.
struct Step {
    command: String,
    shown: String,
}

/// Returns the steps of all `console` blocks of `text`, in order. Lines that begin with `> ` go on
/// with the command above them, as a shell shows them.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            steps.push(Step { command: command.to_owned(), shown: String::new() });
        } else if let Some(step) = steps.last_mut().filter(|_| inside) {
            match line.strip_prefix("> ").filter(|_| step.shown.is_empty()) {
                Some(more) => {
                    step.command.push('\n');
                    step.command.push_str(more);
                }
                None => {
                    step.shown.push_str(line);
                    step.shown.push('\n');
                }
            }
        }
    }
    steps
}

/// Returns `text` with times and rates replaced, and white space at line ends removed.
fn masked(text: &str) -> String {
    let time = regex::Regex::new(r"\b\d[\d,]*(\.\d+)? ?(ms|s|min)\b").unwrap();
    let rate = regex::Regex::new(r"\b\d[\d,]*(\.\d+)?( [kMG]?B)?( \w+)?/s\b").unwrap();
    let text = rate.replace_all(text, "RATE");
    let text = time.replace_all(&text, "TIME");
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Runs `command` in `folder` with the built binary on PATH; returns both streams as one text.
fn run(command: &str, folder: &Path) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_traillake")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec 2>&1\n{command}")]).current_dir(folder);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TRAILLAKE_")) {
        shell.env_remove(name);
    }
    shell.env("PATH", path).env("HOME", folder).env("COLUMNS", "120");
    let output = shell.output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_transcript_in_readme_is_what_the_program_prints() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let steps = steps(&std::fs::read_to_string(readme).unwrap());
    assert!(steps.len() >= 5, "README shows {} commands", steps.len());
    let folder = tempfile::tempdir().unwrap();
    for step in steps {
        let printed = run(&step.command, folder.path());
        assert_eq!(masked(&printed), masked(&step.shown), "README, below `$ {}`", step.command);
    }
}
