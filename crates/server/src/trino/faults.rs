//! Errors in Trino's words: each has a name, a number and a type that clients act on.
//!
//! <https://trino.io/docs/current/develop/client-protocol.html>; the numbers are those of Trino's
//! standard error codes.

use serde_json::{Value, json};
use traillake_query::Error as QueryError;

use super::words::place;
use crate::error::{Error, hint_to_clients};

const USER: &str = "USER_ERROR";
const INTERNAL: &str = "INTERNAL_ERROR";
const RESOURCES: &str = "INSUFFICIENT_RESOURCES";

/// The names that are used here, with their numbers and types.
const CODES: [(&str, u32, &str); 27] = [
    ("GENERIC_USER_ERROR", 0, USER),
    ("SYNTAX_ERROR", 1, USER),
    ("ABANDONED_QUERY", 2, USER),
    ("USER_CANCELED", 3, USER),
    ("PERMISSION_DENIED", 4, USER),
    ("NOT_FOUND", 5, USER),
    ("FUNCTION_NOT_FOUND", 6, USER),
    ("DIVISION_BY_ZERO", 8, USER),
    ("INVALID_CAST_ARGUMENT", 9, USER),
    ("NOT_SUPPORTED", 13, USER),
    ("INVALID_SESSION_PROPERTY", 14, USER),
    ("NOT_IN_TRANSACTION", 21, USER),
    ("SUBQUERY_MULTIPLE_ROWS", 28, USER),
    ("INVALID_PROCEDURE_ARGUMENT", 30, USER),
    ("CATALOG_NOT_FOUND", 44, USER),
    ("SCHEMA_NOT_FOUND", 45, USER),
    ("TABLE_NOT_FOUND", 46, USER),
    ("COLUMN_NOT_FOUND", 47, USER),
    ("TYPE_MISMATCH", 58, USER),
    ("AMBIGUOUS_NAME", 62, USER),
    ("EXPRESSION_NOT_AGGREGATE", 73, USER),
    ("INVALID_PARAMETER_USAGE", 80, USER),
    ("GENERIC_INTERNAL_ERROR", 65536, INTERNAL),
    ("SERVER_SHUTTING_DOWN", 65545, INTERNAL),
    ("GENERIC_INSUFFICIENT_RESOURCES", 131_072, RESOURCES),
    ("QUERY_QUEUE_FULL", 131_074, RESOURCES),
    ("EXCEEDED_TIME_LIMIT", 131_075, RESOURCES),
];
/// Further ones, of memory and disk.
const MEMORY: (&str, u32, &str) = ("EXCEEDED_LOCAL_MEMORY_LIMIT", 131_079, RESOURCES);
const SPILL: (&str, u32, &str) = ("EXCEEDED_SPILL_LIMIT", 131_078, RESOURCES);

/// What a client hears where the fault is the server's own.
pub(super) const HIDDEN: &str = "the lake could not be read; the server's log says why";

/// Why a statement has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) message: String,
    /// From 1; 0 when the place is not known.
    pub(super) line: usize,
    /// As `line`.
    pub(super) column: usize,
}

impl Fault {
    pub(super) fn new(name: &'static str, message: impl Into<String>) -> Fault {
        Fault { name, message: message.into(), line: 0, column: 0 }
    }

    /// A fault of the text, at a line and column.
    pub(super) fn syntax(message: impl Into<String>, (line, column): (usize, usize)) -> Fault {
        Fault { name: "SYNTAX_ERROR", message: message.into(), line, column }
    }

    /// Returns what an error is called in Trino; `shift` finds places in what the client sent.
    pub(super) fn of(error: &Error, shift: Shift) -> Fault {
        let fault = |name| Fault::new(name, error.message());
        match error {
            Error::Query(QueryError::Lake(lake)) | Error::Lake(lake) => match lake {
                traillake_store::Error::NoStore { .. } => fault("SCHEMA_NOT_FOUND"),
                _ => internal(&error.message()),
            },
            Error::Query(error) => of_query(error, shift),
            Error::Cancelled => Fault::new("USER_CANCELED", "the query was cancelled"),
            Error::NotFound { what: "event data store", .. } => fault("SCHEMA_NOT_FOUND"),
            Error::NotFound { .. } => fault("NOT_FOUND"),
            Error::Forbidden { .. } | Error::Unknown { .. } => fault("PERMISSION_DENIED"),
            Error::Busy { .. } | Error::Full { .. } => fault("QUERY_QUEUE_FULL"),
            Error::Stopping => fault("SERVER_SHUTTING_DOWN"),
            Error::Request { .. } | Error::Inactive(_) => fault("GENERIC_USER_ERROR"),
            _ => internal(&error.message()),
        }
    }

    /// The `error` of a page.
    pub(super) fn to_json(&self) -> Value {
        let known = CODES.iter().chain([&MEMORY, &SPILL]);
        let found = known.into_iter().find(|(name, ..)| *name == self.name);
        let (name, code, kind) = *found.unwrap_or(&CODES[0]);
        let place =
            (self.line > 0).then(|| json!({"lineNumber": self.line, "columnNumber": self.column}));
        let message = match self.line {
            0 => self.message.clone(),
            line => format!("line {line}:{}: {}", self.column, self.message),
        };
        let mut error = json!({
            "message": message,
            "errorCode": code,
            "errorName": name,
            "errorType": kind,
            "failureInfo": {
                "type": "traillake",
                "message": message,
                "suppressed": [],
                "stack": [],
            },
        });
        if let Some(place) = place {
            error["failureInfo"]["errorLocation"] = place.clone();
            error["errorLocation"] = place;
        }
        error
    }
}

fn of_query(error: &QueryError, shift: Shift) -> Fault {
    let hint = hint_to_clients(error);
    let fault = |name| Fault::new(name, with_hint(error.to_string(), hint.clone()));
    match error {
        QueryError::Sql { error, sql } => {
            // What is missing is missing at the end.
            let ends = error.line == 0 && error.message.contains("the statement ends");
            let (line, column) = match ends {
                true => place(sql, sql.trim_end().len()),
                false => (error.line, error.column),
            };
            let (line, column) = shift.apply(line, column);
            let message = with_hint(error.message.clone(), hint.clone());
            Fault { name: name_of(error), message, line, column }
        }
        QueryError::Rows { .. } => fault("GENERIC_INSUFFICIENT_RESOURCES"),
        QueryError::Time { .. } => fault("EXCEEDED_TIME_LIMIT"),
        QueryError::Memory { .. } => fault(MEMORY.0),
        QueryError::Spill { .. } => fault(SPILL.0),
        QueryError::Lookup { .. } => fault("GENERIC_USER_ERROR"),
        _ => internal(&error.shown()),
    }
}

/// What went wrong is the server's own affair: it is told to whoever runs it.
fn internal(detail: &str) -> Fault {
    tracing::error!("a request of a Trino client failed: {detail}");
    Fault::new("GENERIC_INTERNAL_ERROR", HIDDEN)
}

fn with_hint(message: String, hint: Option<String>) -> String {
    match hint {
        Some(hint) => format!("{message}\nhint: {hint}"),
        None => message,
    }
}

/// What a message of the dialect tells beside its kind, by a piece of it.
const UNKNOWN: [(&str, &str); 5] = [
    ("column `", "COLUMN_NOT_FOUND"),
    ("field `", "COLUMN_NOT_FOUND"),
    ("function `", "FUNCTION_NOT_FOUND"),
    ("schema `", "SCHEMA_NOT_FOUND"),
    ("", "TABLE_NOT_FOUND"),
];
const SEMANTIC: [(&str, &str); 11] = [
    ("division by zero", "DIVISION_BY_ZERO"),
    ("cannot cast", "INVALID_CAST_ARGUMENT"),
    ("cannot be cast", "INVALID_CAST_ARGUMENT"),
    ("must be in GROUP BY", "EXPRESSION_NOT_AGGREGATE"),
    ("is ambiguous", "AMBIGUOUS_NAME"),
    ("more than one row", "SUBQUERY_MULTIPLE_ROWS"),
    ("does not take values", "FUNCTION_NOT_FOUND"),
    ("arguments, not", "FUNCTION_NOT_FOUND"),
    ("no operator fits", "TYPE_MISMATCH"),
    ("cannot be compared", "TYPE_MISMATCH"),
    ("boolean", "TYPE_MISMATCH"),
];

fn name_of(error: &traillake_query::SqlError) -> &'static str {
    use traillake_query::SqlErrorKind as Kind;
    let told = |table: &[(&str, &'static str)]| {
        table.iter().find(|(piece, _)| error.message.contains(piece)).map(|(_, name)| *name)
    };
    match error.kind {
        Kind::Syntax => "SYNTAX_ERROR",
        Kind::NotReadOnly | Kind::Unsupported => "NOT_SUPPORTED",
        Kind::UnknownName => told(&UNKNOWN).unwrap_or("NOT_FOUND"),
        Kind::Parameter => "INVALID_PARAMETER_USAGE",
        _ => told(&SEMANTIC).unwrap_or("TYPE_MISMATCH"),
    }
}

/// Where a statement that is run stands in what the client sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shift {
    /// Lines that were put before it.
    pub(super) lines_before: usize,
    /// Its first character's line and column in the text that holds it; zeros: its own.
    pub(super) starts_at: (usize, usize),
}

impl Shift {
    fn apply(self, line: usize, column: usize) -> (usize, usize) {
        if line <= self.lines_before {
            return (0, 0);
        }
        let line = line - self.lines_before;
        match (self.starts_at, line) {
            ((0, _), _) => (line, column),
            ((first, at), 1) => (first, at + column - 1),
            ((first, _), line) => (first + line - 1, column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_what_was_sent() {
        let shift = Shift { lines_before: 2, starts_at: (1, 20) };
        assert_eq!(shift.apply(3, 8), (1, 27));
        assert_eq!(shift.apply(4, 8), (2, 8));
        assert_eq!(shift.apply(1, 8), (0, 0));
        assert_eq!(Shift::default().apply(2, 5), (2, 5));
    }

    #[test]
    fn what_went_wrong_inside_is_not_told() {
        let lake = || traillake_store::Error::NotALake { location: "/var/lib/lake".to_owned() };
        for error in [
            Error::Lake(lake()),
            Error::Query(QueryError::Lake(lake())),
            Error::Query(QueryError::Read { source: "s3://logs/x: AccessDenied".into() }),
            Error::Query(QueryError::Fault { detail: "no such step".to_owned() }),
            Error::state("/var/lib/state.db is locked"),
        ] {
            let fault = Fault::of(&error, Shift::default());
            assert_eq!(
                (fault.name, &*fault.message),
                ("GENERIC_INTERNAL_ERROR", HIDDEN),
                "{error}"
            );
        }
    }

    #[test]
    fn a_hint_is_given_once() {
        let missing = || traillake_store::Error::NoStore { name: "web".to_owned() };
        for (error, name) in [
            (Error::Lake(missing()), "SCHEMA_NOT_FOUND"),
            (Error::Query(QueryError::Lake(missing())), "SCHEMA_NOT_FOUND"),
            (Error::Query(QueryError::Rows { limit: 2 }), "GENERIC_INSUFFICIENT_RESOURCES"),
        ] {
            let fault = Fault::of(&error, Shift::default());
            let hints = fault.message.matches("hint:").count();
            assert_eq!((fault.name, hints), (name, 1), "{}", fault.message);
        }
    }

    #[test]
    fn every_name_is_known_once() {
        let mut names: Vec<&str> = CODES.iter().map(|(name, ..)| *name).collect();
        names.extend(UNKNOWN.iter().chain(&SEMANTIC).map(|(_, name)| *name));
        for name in names {
            assert_eq!(CODES.iter().filter(|(known, ..)| *known == name).count(), 1, "{name}");
        }
    }
}
