//! How a command ends, and how an error reads: `error:`, its causes, a hint.

use std::fmt;
use std::process::ExitCode;

use traillake_trino::SqlError;

use traillake_server::formats::escape::visible_lines;

use crate::output::ReaderGone;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything asked for was done.
    Done,
    /// The command ran to its end, but something was rejected, failed or not found.
    DoneWithFailures,
    /// It was interrupted; the lake is consistent.
    Interrupted,
}

impl Outcome {
    /// Returns the exit code: 0, 1 or 130. An error, which is no outcome, exits with 2.
    pub fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Outcome::Done => 0,
            Outcome::DoneWithFailures => 1,
            Outcome::Interrupted => INTERRUPTED,
        })
    }

    /// Returns what the command came to, after its report was `printed`: that stands also where the
    /// report's reader went away before its end.
    ///
    /// # Errors
    /// When the report could not be printed for another reason.
    pub fn after(self, printed: anyhow::Result<()>) -> anyhow::Result<Outcome> {
        match printed {
            Err(error) if !is_reader_gone(&error) => Err(error),
            Ok(()) | Err(_) => Ok(self),
        }
    }
}

/// The exit code of a command that was interrupted.
pub const INTERRUPTED: u8 = 130;
/// The exit code of a command that could not run.
pub const COULD_NOT_RUN: u8 = 2;

/// An error of the command line itself, with what to do about it.
#[derive(Debug)]
pub struct Problem {
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Problem {
    /// Returns a problem that says `message`: lower case, no full stop, literals in backticks.
    pub fn new(message: impl Into<String>) -> Problem {
        Problem { message: message.into(), hint: None, source: None }
    }

    /// Adds what the reader can do.
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the error underneath and returns the whole as an error.
    pub fn because(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> anyhow::Error {
        self.source = Some(source.into());
        self.into()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}

/// An error in the parts that a reader sees.
#[derive(Debug, PartialEq, Eq)]
pub struct Rendered {
    /// What could not be done.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do, when anybody on the way knew.
    pub hint: Option<String>,
}

impl Rendered {
    /// Returns the parts of an error. A cause that its parent's message already holds is left out.
    pub fn of(error: &anyhow::Error) -> Rendered {
        let mut rendered =
            Rendered { message: message_of(error.as_ref()), causes: Vec::new(), hint: None };
        for link in error.chain() {
            let text = message_of(link);
            let known = std::iter::once(&rendered.message).chain(&rendered.causes);
            if !known.into_iter().any(|earlier| earlier.contains(&text)) {
                rendered.causes.push(text);
            }
            rendered.hint = rendered.hint.or_else(|| hint_of(link));
        }
        rendered
    }

    /// Returns the text for standard error, safe for a terminal, with a line end.
    pub fn text(&self, color: bool) -> String {
        let paint = |label: &str, code: &str| match color {
            true => format!("\u{1b}[{code}m{label}\u{1b}[0m"),
            false => label.to_owned(),
        };
        let mut text = format!("{} {}\n", paint("error:", "1;31"), visible_lines(&self.message));
        for cause in &self.causes {
            text += &format!("  {} {}\n", paint("cause:", "31"), visible_lines(cause));
        }
        if let Some(hint) = &self.hint {
            text += &format!("{} {}\n", paint("hint:", "36"), visible_lines(hint));
        }
        text
    }
}

/// Returns the error's own words; a faulty statement is shown with its place.
fn message_of(error: &(dyn std::error::Error + 'static)) -> String {
    // What lies under it says what went wrong with the disk, without the name of a crate's type.
    if let Some(object_store::Error::Generic { store: "LocalFileSystem" | "folder", source }) =
        error.downcast_ref()
    {
        return source.to_string();
    }
    match error.downcast_ref::<traillake_query::Error>() {
        Some(traillake_query::Error::Sql { error, sql }) => {
            SqlError { hint: None, ..error.clone() }.render(sql)
        }
        _ => match error.downcast_ref::<traillake_server::Error>() {
            Some(error) => error.message_alone(),
            None => error.to_string(),
        },
    }
}

/// Returns the hint that an error of ours carries.
fn hint_of(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(problem) = error.downcast_ref::<Problem>() {
        return problem.hint.clone();
    }
    if let Some(error) = error.downcast_ref::<traillake_query::Error>() {
        if matches!(error, traillake_query::Error::Spill { .. }) {
            let folder = std::env::temp_dir();
            return Some(format!(
                "free space in `{}`, point TMPDIR at a disk with more room, or raise `--memory`",
                folder.display()
            ));
        }
        return error.hint().or_else(|| match error {
            traillake_query::Error::Lake(error) => hint_of_state(error),
            _ => None,
        });
    }
    if let Some(error) = error.downcast_ref::<traillake_server::Error>() {
        return error.hint();
    }
    if let Some(error) = error.downcast_ref::<traillake_store::Error>() {
        return error.hint().map(str::to_owned).or_else(|| hint_of_state(error));
    }
    if let Some(error) = error.downcast_ref::<std::io::Error>() {
        return hint_of_disk(error.kind()).map(str::to_owned);
    }
    let ingest = error.downcast_ref::<traillake_ingest::Error>().and_then(|error| error.hint());
    ingest.map(str::to_owned)
}

/// Returns what to do about a disk that refuses.
fn hint_of_disk(refused: std::io::ErrorKind) -> Option<&'static str> {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, StorageFull};
    match refused {
        PermissionDenied => {
            Some("run it as the user whom the file belongs to; a lake is its owner's alone")
        }
        StorageFull | QuotaExceeded => Some("make space and run it again"),
        _ => None,
    }
}

/// Returns which states there are, where a store was asked for one that it never had.
fn hint_of_state(error: &traillake_store::Error) -> Option<String> {
    let states = "SELECT round, max(committed_at) FROM system.objects GROUP BY 1 ORDER BY 1";
    matches!(error, traillake_store::Error::TooOld { .. })
        .then(|| format!("`{states}` lists the rounds, without `--at`"))
}

/// Returns true when the error is a reader of standard output that went away, as `head` does:
/// nobody needs a message. A connection that broke is another thing, though its error is of the
/// same kind.
pub fn is_reader_gone(error: &anyhow::Error) -> bool {
    use arrow::error::ArrowError;
    error.chain().any(|link| {
        let io = match link.downcast_ref::<ArrowError>() {
            Some(ArrowError::IoError(_, io)) => Some(io),
            _ => link.downcast_ref::<std::io::Error>(),
        };
        io.and_then(|io| io.get_ref()).is_some_and(|inner| inner.is::<ReaderGone>())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_printed_once_with_its_hint() {
        let inner = std::io::Error::other("disk \u{1b}[31mfull");
        let error = Problem::new("could not write `a.csv`").hint("free some space").because(inner);
        assert_eq!(
            Rendered::of(&error).text(false),
            "error: could not write `a.csv`\n  cause: disk \\u001b[31mfull\nhint: free some space\n"
        );
    }

    #[test]
    fn a_lake_of_somebody_else_is_told_in_words_of_the_disk() {
        let inner = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let inner = object_store::Error::Generic { store: "LocalFileSystem", source: inner.into() };
        let error = traillake_store::Error::Storage {
            action: "list `stores`".to_owned(),
            source: inner.into(),
        };
        assert_eq!(
            Rendered::of(&error.into()).text(false),
            "error: could not list `stores`\n  cause: permission denied\n\
             hint: run it as the user whom the file belongs to; a lake is its owner's alone\n"
        );
    }

    /// As an ingest tells it: its own error is the store's, of which nobody else says what to do.
    #[test]
    fn a_full_disk_says_which_file_and_what_to_do() {
        let full = std::io::ErrorKind::StorageFull;
        let inner = std::io::Error::new(full, "`stores/a.parquet`: no space left on device");
        let inner = object_store::Error::Generic { store: "folder", source: inner.into() };
        let error = traillake_store::Error::Storage {
            action: "write `stores/a.parquet`".to_owned(),
            source: inner.into(),
        };
        assert_eq!(
            Rendered::of(&traillake_ingest::Error::from(error).into()).text(false),
            "error: could not write `stores/a.parquet`\n  \
             cause: `stores/a.parquet`: no space left on device\n\
             hint: make space and run it again: what was acknowledged is whole, the rest comes in \
             then\n"
        );
    }

    #[test]
    fn a_damaged_lake_says_who_names_all_the_damage() {
        let check = |error: traillake_store::Error, expected: bool| {
            let hint = Rendered::of(&error.into()).hint.unwrap_or_default();
            assert_eq!(hint.contains("`traillake check`"), expected, "{hint}");
        };
        let corrupt =
            traillake_store::Error::Corrupt { what: "`a`".into(), reason: "it is missing".into() };
        check(corrupt, true);
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
            let action = "read the log of table `events`".to_owned();
            traillake_store::Error::Storage { action, source }
        };
        check(failed("Invalid Parquet file. Corrupt footer".into()), true);
        check(failed(Box::new(std::io::Error::other("broken"))), false);
    }

    #[test]
    fn only_the_reader_of_standard_output_goes_away_unsaid() {
        use std::io::{Error, ErrorKind::BrokenPipe};
        let gone = Error::new(BrokenPipe, ReaderGone);
        let socket =
            object_store::Error::Generic { store: "S3", source: Error::from(BrokenPipe).into() };
        assert!(is_reader_gone(&gone.into()));
        assert!(!is_reader_gone(&socket.into()));
        assert!(!is_reader_gone(&Error::from(BrokenPipe).into()));
        let gone = Error::new(BrokenPipe, ReaderGone);
        let outcome = Outcome::DoneWithFailures;
        assert_eq!(outcome.after(Err(gone.into())).unwrap(), outcome);
        assert!(outcome.after(Err(Error::from(BrokenPipe).into())).is_err());
    }

    #[test]
    fn a_cause_that_its_parent_spells_out_is_not_repeated() {
        let error = anyhow::anyhow!("no such file").context("could not read: no such file");
        assert_eq!(Rendered::of(&error).causes, Vec::<String>::new());
    }
}
