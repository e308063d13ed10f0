//! What can go wrong with a request, by what the asker is told. Each protocol has words of its own.

use traillake_query::shortened;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong with a request, or with the server itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The statement, a limit, or the lake.
    #[error(transparent)]
    Query(traillake_query::Error),
    /// The lake.
    #[error(transparent)]
    Lake(traillake_store::Error),
    /// The request is not what it should be.
    #[error("{reason}")]
    Request {
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody is known by what the request carries.
    #[error("{reason}")]
    Unknown {
        /// What is wrong with the credentials.
        reason: String,
    },
    /// Whoever asks may not.
    #[error("{reason}")]
    Forbidden {
        /// What is not allowed.
        reason: String,
    },
    /// There is no such thing, or it belongs to somebody else.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A store that is to be deleted: it answers nothing until it is restored.
    #[error(transparent)]
    Inactive(traillake_store::Error),
    /// Too many statements of this user wait.
    #[error("{waiting} statements of yours wait already; the limit is {limit}")]
    Busy {
        /// How many wait.
        waiting: usize,
        /// How many may.
        limit: usize,
    },
    /// As `Busy`, in other words.
    #[error("{reason}")]
    Full {
        /// What there is no place for.
        reason: String,
    },
    /// An answer is larger than all kept answers together may be.
    #[error("the answer takes more than {limit_bytes} bytes, the limit of kept answers")]
    TooLarge {
        /// Bytes of all kept answers, at most.
        limit_bytes: u64,
    },
    /// A client asked and then took nothing of the answer for too long.
    #[error("the client took nothing of the answer for {} s", limit.as_secs())]
    ClientGone {
        /// How long a client may take.
        limit: std::time::Duration,
    },
    /// The query was cancelled.
    #[error("the query was cancelled")]
    Cancelled,
    /// The server is being stopped.
    #[error("the server is stopping")]
    Stopping,
    /// The server's own state could not be read or written.
    #[error("could not use the server's state: {reason}")]
    State {
        /// What happened.
        reason: String,
    },
    /// An address cannot be listened on.
    #[error("could not listen on `{address}`")]
    Listen {
        /// The address.
        address: String,
        /// The failure.
        #[source]
        source: std::io::Error,
    },
    /// The certificate or its key.
    #[error("could not use the certificate: {reason}")]
    Certificate {
        /// What is wrong with it.
        reason: String,
    },
    /// An answer could not be written down.
    #[error(transparent)]
    Format(#[from] crate::formats::Error),
}

impl Error {
    pub(crate) fn request(reason: impl Into<String>) -> Error {
        Error::Request { reason: reason.into() }
    }

    pub(crate) fn full(reason: impl Into<String>) -> Error {
        Error::Full { reason: reason.into() }
    }

    pub(crate) fn unknown(reason: impl Into<String>) -> Error {
        Error::Unknown { reason: reason.into() }
    }

    pub(crate) fn forbidden(reason: impl Into<String>) -> Error {
        Error::Forbidden { reason: reason.into() }
    }

    pub(crate) fn not_found(what: &'static str, name: impl Into<String>) -> Error {
        Error::NotFound { what, name: name.into() }
    }

    pub(crate) fn state(reason: impl std::fmt::Display) -> Error {
        Error::State { reason: reason.to_string() }
    }

    /// What whoever runs the server can try next, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Query(error) => error.hint(),
            Error::Lake(error) | Error::Inactive(error) => error.hint().map(str::to_owned),
            _ => None,
        }
    }

    /// What a client can try next, where that can be said: nothing of the command line, which is not
    /// theirs.
    pub(crate) fn hint_to_clients(&self) -> Option<String> {
        match self {
            Error::Query(error) => hint_to_clients(error),
            error => error.hint().filter(|hint| !is_of_command_line(hint)),
        }
    }

    /// The whole message to a client, the place in the statement and the hint included: for protocols
    /// that have one field for it all.
    pub fn message(&self) -> String {
        match self.hint_to_clients() {
            Some(hint) => format!("{}\nhint: {hint}", self.message_alone()),
            None => self.message_alone(),
        }
    }

    /// The message with the place in the statement, of which it quotes what is around it; the hint
    /// stands apart.
    pub fn message_alone(&self) -> String {
        match self {
            Error::Query(error) => error.shown(),
            error => {
                let mut text = error.to_string();
                let mut source = std::error::Error::source(error);
                while let Some(cause) = source {
                    text += &format!(": {cause}");
                    source = cause.source();
                }
                shortened(&text)
            }
        }
    }
}

/// As [`Error::hint_to_clients`]. A limit is the server's, unless the request has set a lower one.
pub(crate) fn hint_to_clients(error: &traillake_query::Error) -> Option<String> {
    use traillake_query::Error as QueryError;
    let hint = match error {
        QueryError::Rows { .. } => "add a LIMIT, or raise the limit where you have set it",
        QueryError::Time { .. } => {
            "ask about a shorter time, or raise the limit where you have set it"
        }
        QueryError::Memory { .. } | QueryError::Spill { .. } => {
            "ask about a shorter time or fewer columns"
        }
        error => return error.hint().filter(|hint| !is_of_command_line(hint)),
    };
    Some(hint.to_owned())
}

/// Whether a hint names a flag or a command of the program, or its settings.
fn is_of_command_line(hint: &str) -> bool {
    let words = ["`--", "`-p ", "`traillake ", "traillake.toml", "flags of the command"];
    words.iter().any(|word| hint.contains(word))
}

impl From<traillake_query::Error> for Error {
    fn from(error: traillake_query::Error) -> Error {
        match error {
            traillake_query::Error::Lake(lake) if is_inactive(&lake) => lake.into(),
            error => Error::Query(error),
        }
    }
}

impl From<traillake_store::Error> for Error {
    fn from(error: traillake_store::Error) -> Error {
        match is_inactive(&error) {
            true => Error::Inactive(error),
            false => Error::Lake(error),
        }
    }
}

/// Whether it says that a store is to be deleted.
fn is_inactive(error: &traillake_store::Error) -> bool {
    use traillake_store::Error as LakeError;
    matches!(error, LakeError::PendingDeletion { .. } | LakeError::BeingRemoved { .. })
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        Error::state(error)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        Error::state(error)
    }
}
