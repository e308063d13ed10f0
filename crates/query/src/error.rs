//! What can go wrong with a query, by what the asker can do about it.

use std::time::Duration;

use datafusion::error::DataFusionError;
use traillake_trino::{Kind, Names, SqlError, shortened};

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the asker can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The statement is wrong, or asks for what does not exist.
    Statement,
    /// A limit of the session was hit; raise it or ask for less.
    Limit,
    /// The lake or its storage failed.
    Lake,
    /// A fault of this program.
    Fault,
}

/// What went wrong with a query.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The statement, with its place where that is known.
    #[error("{error}")]
    Sql {
        /// What is wrong, and where.
        error: SqlError,
        /// The statement as typed.
        sql: String,
    },
    /// The rows of the answer exceed what was allowed.
    #[error("the answer has more than {limit} rows")]
    Rows {
        /// Rows allowed.
        limit: u64,
    },
    /// The query took longer than allowed.
    #[error("the query took longer than {} s", limit.as_secs_f64())]
    Time {
        /// The time allowed.
        limit: Duration,
    },
    /// The query needs more memory than allowed, spilling included.
    #[error("the query needs more than {limit_bytes} bytes of memory")]
    Memory {
        /// Bytes allowed.
        limit_bytes: u64,
        /// What asked for more.
        detail: String,
    },
    /// What the query spills does not fit into the folder for temporary files.
    #[error("the query spills more than the folder for temporary files may hold")]
    Spill {
        /// What asked for more.
        detail: String,
    },
    /// A table handed in cannot be used.
    #[error("the table `{name}` cannot be used: {reason}")]
    Lookup {
        /// Its name.
        name: String,
        /// Why not.
        reason: String,
    },
    /// The lake.
    #[error(transparent)]
    Lake(#[from] traillake_store::Error),
    /// Data could not be read.
    #[error("could not read the lake's data")]
    Read {
        /// The failure.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A fault of this program.
    #[error("the query failed inside the engine: {detail}")]
    Fault {
        /// What happened, for a report.
        detail: String,
    },
}

impl Error {
    /// Whether the statement names what this engine knows nothing of.
    pub(crate) fn is_unknown_name(&self) -> bool {
        matches!(self, Error::Sql { error, .. } if error.kind == Kind::UnknownName)
    }

    /// What the asker can do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Sql { .. } | Error::Lookup { .. } => ErrorKind::Statement,
            Error::Rows { .. }
            | Error::Time { .. }
            | Error::Memory { .. }
            | Error::Spill { .. } => ErrorKind::Limit,
            Error::Lake(_) | Error::Read { .. } => ErrorKind::Lake,
            Error::Fault { .. } => ErrorKind::Fault,
        }
    }

    /// The message for people: with the faulty line of the statement and its causes, without the hint.
    pub fn shown(&self) -> String {
        match self {
            Error::Sql { error, sql } => SqlError { hint: None, ..error.clone() }.render(sql),
            error => {
                let mut text = error.to_string();
                let mut source = std::error::Error::source(error);
                while let Some(cause) = source {
                    let cause_text = cause.to_string();
                    if !text.contains(&cause_text) {
                        text += &format!(": {cause_text}");
                    }
                    source = cause.source();
                }
                shortened(&text)
            }
        }
    }

    /// What to try next, where that can be said.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Error::Sql { error, .. } => return error.hint.clone(),
            Error::Rows { .. } => "raise it with `--rows-max`, or add a LIMIT".to_string(),
            Error::Time { .. } => {
                "raise it with `--timeout`, or ask about a shorter time".to_string()
            }
            Error::Memory { .. } => {
                "raise it with `--memory`, or ask about a shorter time or fewer columns".to_string()
            }
            Error::Spill { .. } => {
                "free space in the folder for temporary files, or raise `--memory`".to_string()
            }
            Error::Lake(error) => return error.hint().map(str::to_string),
            Error::Fault { .. } => "please report this statement as a bug".to_string(),
            // What the disk or the network says is enough.
            Error::Read { source } if !is_of_storage(source.as_ref()) => {
                "`traillake check` names what is damaged; docs/deploy.md says how to mend it"
                    .to_string()
            }
            Error::Lookup { .. } | Error::Read { .. } => return None,
        })
    }

    /// The message for people: with the place in the statement, a caret under it, and the hint.
    pub fn render(&self) -> String {
        match (self, self.hint()) {
            (Error::Sql { error, sql }, _) => error.render(sql),
            (error, Some(hint)) => format!("{}\nhint: {hint}", shortened(&error.to_string())),
            (error, None) => shortened(&error.to_string()),
        }
    }

    pub(crate) fn sql(error: SqlError, sql: &str) -> Error {
        Error::Sql { error, sql: sql.to_string() }
    }
}

/// What errors of the engine mean for one statement.
#[derive(Debug, Clone)]
pub(crate) struct InOurWords {
    pub(crate) sql: String,
    pub(crate) names: std::sync::Arc<Names>,
    pub(crate) memory_bytes: u64,
}

impl InOurWords {
    /// Returns the error in our words; nothing of DataFusion's own wording passes unread.
    pub(crate) fn error(&self, error: DataFusionError) -> Error {
        match error {
            DataFusionError::External(source) => match source.downcast::<Error>() {
                Ok(ours) => *ours,
                Err(source) => match source.downcast::<traillake_store::Error>() {
                    Ok(lake) => Error::Lake(*lake),
                    Err(source) => Error::Read { source },
                },
            },
            DataFusionError::Context(_, inner) => self.error(*inner),
            DataFusionError::ResourcesExhausted(detail) => self.exhausted(detail),
            // A query writes nothing but what it spills.
            error if is_full(&error) => self.full(&error),
            DataFusionError::IoError(source) => Error::Read { source: source.into() },
            DataFusionError::ObjectStore(source) => Error::Read { source },
            DataFusionError::ParquetError(source) => Error::Read { source },
            DataFusionError::Shared(shared) => self.shared(&shared),
            DataFusionError::ArrowError(source, _) => match *source {
                arrow::error::ArrowError::ExternalError(inner) => {
                    match inner.downcast::<DataFusionError>() {
                        Ok(inner) => self.error(*inner),
                        Err(source) => Error::Read { source },
                    }
                }
                source => self.statement(&DataFusionError::ArrowError(Box::new(source), None)),
            },
            DataFusionError::ExecutionJoin(_)
            | DataFusionError::Internal(_)
            | DataFusionError::Substrait(_)
            | DataFusionError::Ffi(_)
            | DataFusionError::Configuration(_) => {
                Error::Fault { detail: first_line(&error.strip_backtrace()) }
            }
            error => self.statement(&error),
        }
    }

    /// An error that several partitions share cannot be taken apart, only looked at.
    fn shared(&self, shared: &DataFusionError) -> Error {
        match shared.find_root() {
            DataFusionError::ResourcesExhausted(detail) => self.exhausted(detail.clone()),
            _ if is_full(shared) => self.full(shared),
            DataFusionError::External(source) => match source.downcast_ref::<Error>() {
                Some(Error::Rows { limit }) => Error::Rows { limit: *limit },
                Some(Error::Time { limit }) => Error::Time { limit: *limit },
                _ => Error::Read { source: source.to_string().into() },
            },
            DataFusionError::ObjectStore(_)
            | DataFusionError::ParquetError(_)
            | DataFusionError::IoError(_) => {
                Error::Read { source: shared.strip_backtrace().into() }
            }
            DataFusionError::Internal(_) | DataFusionError::ExecutionJoin(_) => {
                Error::Fault { detail: first_line(&shared.strip_backtrace()) }
            }
            root => self.statement(root),
        }
    }

    fn exhausted(&self, detail: String) -> Error {
        let detail = first_line(&detail);
        tracing::info!(detail, "the query ran out of memory or disk");
        match detail.to_lowercase().contains("disk") {
            true => Error::Spill { detail },
            false => Error::Memory { limit_bytes: self.memory_bytes, detail },
        }
    }

    fn full(&self, error: &DataFusionError) -> Error {
        let detail = first_line(&error.strip_backtrace());
        tracing::info!(detail, "the disk for temporary files is full");
        Error::Spill { detail }
    }

    fn statement(&self, error: &DataFusionError) -> Error {
        Error::sql(traillake_trino::explain_error(error, &self.names, &self.sql), &self.sql)
    }
}

/// The data file that an error of the engine names: the engine tells what became of a footer only
/// as text.
pub(crate) fn file_named(error: &DataFusionError) -> Option<String> {
    let text = error.to_string();
    let end = text.find(".parquet")? + ".parquet".len();
    text[..end].rsplit(char::is_whitespace).next().map(str::to_string)
}

/// Whether an error, or one of its causes, is that of a disk that is full.
fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    matches!(kind, Some(StorageFull | QuotaExceeded)) || error.source().is_some_and(is_full)
}

/// Whether an error, or one of its causes, is that of a disk or of a bucket.
fn is_of_storage(error: &(dyn std::error::Error + 'static)) -> bool {
    let is_one = error.is::<std::io::Error>() || error.is::<object_store::Error>();
    is_one || error.source().is_some_and(is_of_storage)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use arrow::error::ArrowError;

    use super::*;

    #[test]
    fn a_full_disk_is_that_of_what_is_spilled() {
        let words = InOurWords { sql: "SELECT 1".into(), names: Arc::default(), memory_bytes: 1 };
        let full = || DataFusionError::IoError(io::ErrorKind::StorageFull.into());
        // As what writes it hands the failure on.
        let spilled = || DataFusionError::from(ArrowError::from(io::Error::from(full())));
        for error in [
            full(),
            spilled(),
            DataFusionError::Context("a sort".into(), Box::new(spilled())),
            DataFusionError::Shared(Arc::new(spilled())),
        ] {
            let shown = error.to_string();
            assert!(matches!(words.error(error), Error::Spill { .. }), "{shown}");
        }
        let broken = DataFusionError::IoError(io::ErrorKind::InvalidData.into());
        assert!(matches!(words.error(broken), Error::Read { .. }));
    }

    #[test]
    fn data_that_cannot_be_read_says_who_names_the_damage() {
        let hint = |source: Box<dyn std::error::Error + Send + Sync>| Error::Read { source }.hint();
        let damaged = hint("Parquet error: Invalid Parquet file. Corrupt footer".into());
        assert!(damaged.is_some_and(|hint| hint.contains("`traillake check`")));
        assert_eq!(hint(Box::new(io::Error::from(io::ErrorKind::PermissionDenied))), None);
    }
}
