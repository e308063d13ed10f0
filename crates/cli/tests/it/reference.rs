//! docs/cli.md is what the program says of itself.

use std::fmt::Write as _;

use crate::folder::Folder;
use crate::help::commands;

/// With this variable set, the test writes the file instead of comparing it.
const UPDATE: &str = "UPDATE_REFERENCE";

#[test]
fn the_reference_is_what_the_program_says() {
    let here = Folder::new();
    let mut text = String::from(
        "# The command line\n\nWritten by a test from `--help`; do not edit. Standard output is \
         data, standard error is talk.\nExit codes: 0 done, 1 done but something was rejected, \
         failed or not found, 2 could not run, 130 interrupted.\n\n",
    );
    for command in commands(&here) {
        let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
        args.push("--help");
        let help = here.run(&args).done().stdout;
        let (name, help) = (command.join(" "), trimmed(&help));
        let _ = write!(text, "## traillake {name}\n\n```text\n{help}```\n\n");
    }
    let config = here.run(&["config", "--format", "json"]).done().stdout;
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    text += "## Settings\n\nA flag beats the environment, that beats `traillake.toml` in the \
             current folder, that beats the one in\n`~/.config/traillake/`, that beats the \
             default.\n\n| key | environment | flag | default | what it is |\n|---|---|---|---|---|\n";
    for setting in config["settings"].as_array().unwrap() {
        let cells = ["key", "environment", "flag", "default"]
            .map(|name| setting[name].as_str().map_or("none".into(), |text| format!("`{text}`")));
        let about = setting["about"].as_str().unwrap();
        let _ = writeln!(text, "| {} | {about} |", cells.join(" | "));
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(file, &text).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert!(written == text, "docs/cli.md is not current: run this test with {UPDATE}=1");
}

/// Drops the flags of every command, which the first section has, but keeps the examples.
fn trimmed(help: &str) -> String {
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let mut kept = String::new();
    let mut skipping = false;
    for line in lines {
        skipping = match line {
            "Everywhere:" => !help.starts_with("A self-hosted"),
            "Examples:" => false,
            _ => skipping,
        };
        if !skipping {
            let _ = writeln!(kept, "{line}");
        }
    }
    kept
}
