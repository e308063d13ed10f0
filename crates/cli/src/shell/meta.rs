//! Commands of the shell itself: a line that starts with a backslash.

use std::path::PathBuf;
use std::str::FromStr;

use crate::closest::closest;
use crate::failure::Problem;

/// What `\?` prints.
pub const HELP: &str = "\
\\d              list the tables
\\d TABLE        describe a table
\\x              one column a line, on or off
\\timing         say how long answers take, on or off
\\format FORMAT  table, vertical, markdown, json, ndjson, csv, tsv
\\o FILE         write answers to a file, until \\o alone; its name tells the format
\\i FILE         do what a file says
\\e              edit the last statement, then ask it
\\samples WORDS  list, search and show sample queries
\\store NAME     go to another store; without a name, list them
\\q              leave
";

/// A command of the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meta {
    /// `\?`
    Help,
    /// `\d`
    Tables,
    /// `\d TABLE`
    Describe(String),
    /// `\x`
    Vertical,
    /// `\timing`
    Timing,
    /// `\format FORMAT`
    Format(String),
    /// `\o FILE`; none: back to standard output
    Output(Option<PathBuf>),
    /// `\i FILE`
    Include(PathBuf),
    /// `\e`
    Edit,
    /// `\samples WORDS`
    Samples(Vec<String>),
    /// `\store NAME`
    Store(Option<String>),
    /// `\q`
    Quit,
}

/// The names of the commands.
pub const NAMES: [&str; 12] = [
    "\\?",
    "\\d",
    "\\x",
    "\\timing",
    "\\format",
    "\\o",
    "\\i",
    "\\e",
    "\\samples",
    "\\store",
    "\\q",
    "\\quit",
];

/// Returns the line as a command, where it is one: it starts with a backslash, or is one of the
/// words that other shells know.
pub fn spelled_out(line: &str) -> Option<&str> {
    let line = line.trim();
    match line.trim_end_matches(';').trim_end().to_ascii_lowercase().as_str() {
        "help" => Some("\\?"),
        "exit" | "quit" => Some("\\q"),
        _ => Some(line).filter(|line| line.starts_with('\\')),
    }
}

impl FromStr for Meta {
    type Err = Problem;

    fn from_str(line: &str) -> Result<Meta, Problem> {
        let line = line.trim().trim_end_matches(';').trim_end();
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let needed = |what: &str| match rest.is_empty() {
            true => {
                Err(Problem::new(format!("{name} needs {what}")).hint("\\? lists the commands"))
            }
            false => Ok(rest.to_owned()),
        };
        Ok(match name {
            "\\?" | "\\h" | "\\help" => Meta::Help,
            "\\d" if rest.is_empty() => Meta::Tables,
            "\\d" => Meta::Describe(rest.to_owned()),
            "\\x" => Meta::Vertical,
            "\\timing" => Meta::Timing,
            "\\format" => Meta::Format(needed("a format")?),
            "\\o" => Meta::Output(Some(rest.into()).filter(|_| !rest.is_empty())),
            "\\i" => Meta::Include(needed("a file")?.into()),
            "\\e" => Meta::Edit,
            "\\samples" => Meta::Samples(rest.split_whitespace().map(str::to_owned).collect()),
            "\\store" => Meta::Store(Some(rest.to_owned()).filter(|name| !name.is_empty())),
            "\\q" | "\\quit" => Meta::Quit,
            unknown => {
                let problem = Problem::new(format!("there is no command `{unknown}`"));
                return Err(match closest(unknown, NAMES) {
                    Some(known) => problem.hint(format!("did you mean `{known}`?")),
                    None => problem.hint("\\? lists the commands"),
                });
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_as_psql_reads_them() {
        for (line, expected) in [
            ("\\d", Meta::Tables),
            ("\\d events;", Meta::Describe("events".to_owned())),
            ("\\x", Meta::Vertical),
            ("\\o  some file.csv ", Meta::Output(Some("some file.csv".into()))),
            ("\\o", Meta::Output(None)),
            ("\\samples bucket access", Meta::Samples(vec!["bucket".into(), "access".into()])),
            ("\\store", Meta::Store(None)),
            ("\\q", Meta::Quit),
        ] {
            assert_eq!(Meta::from_str(line).ok(), Some(expected), "{line}");
        }
        for (line, expected) in [
            ("exit", Some("\\q")),
            (" QUIT ;\r", Some("\\q")),
            ("help", Some("\\?")),
            ("  \\d events", Some("\\d events")),
            ("exit 1", None),
            ("SELECT '\\q'", None),
            ("", None),
        ] {
            assert_eq!(spelled_out(line), expected, "{line}");
        }
        for (line, message) in
            [("\\format", "\\format needs a format"), ("\\tming", "there is no command `\\tming`")]
        {
            let error = Meta::from_str(line).map_err(|error| error.to_string());
            assert_eq!(error, Err(message.to_owned()));
        }
    }
}
