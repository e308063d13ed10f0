//! What the program says on standard error: notes, warnings, errors. Standard output is data.

use std::io::Write as _;

use indicatif::MultiProgress;
use serde_json::json;

use crate::failure::Rendered;
use traillake_server::formats::escape::visible_lines;

/// A voice on standard error.
#[derive(Clone)]
pub struct Talk {
    quiet: bool,
    json: bool,
    color: bool,
    bars: MultiProgress,
}

impl Talk {
    /// Returns a voice: `quiet` drops everything but warnings and errors, `json` speaks in JSON
    /// lines, `color` marks the labels.
    pub fn new(quiet: bool, json: bool, color: bool) -> Talk {
        Talk { quiet, json, color, bars: MultiProgress::new() }
    }

    /// Returns where progress bars are drawn, so that messages do not tear them.
    pub fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Returns true when only warnings and errors are said.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Says a plain line.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.emit("info", None, text);
        }
    }

    /// Says something the reader should know to understand an answer.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.emit("note", Some("36"), text);
        }
    }

    /// Says that something is wrong that did not stop the command.
    pub fn warn(&self, text: &str) {
        self.emit("warning", Some("1;33"), text);
    }

    /// Says why the command could not run.
    pub fn error(&self, error: &anyhow::Error) {
        let rendered = Rendered::of(error);
        match self.json {
            false => self.print(&rendered.text(self.color)),
            true => self.print(&format!(
                "{}\n",
                json!({"level": "error", "message": rendered.message, "causes": rendered.causes,
                       "hint": rendered.hint})
            )),
        }
    }

    fn emit(&self, level: &str, label_color: Option<&str>, text: &str) {
        let text = visible_lines(text);
        self.print(&match (self.json, label_color, self.color) {
            (true, ..) => format!("{}\n", json!({"level": level, "message": text})),
            (false, None, _) => format!("{text}\n"),
            (false, Some(_), false) => format!("{level}: {text}\n"),
            (false, Some(code), true) => format!("\u{1b}[{code}m{level}:\u{1b}[0m {text}\n"),
        });
    }

    /// Prints `text`; a standard error that is gone is no reason to stop.
    fn print(&self, text: &str) {
        self.bars.suspend(|| {
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        });
    }
}
