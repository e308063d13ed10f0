//! Every query that was asked: who, what, when, how it ended and what it cost. The audit log, and
//! what the protocols' history operations read.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;
use uuid::Uuid;

use super::State;
use crate::error::Result;

/// How far a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum QueryStatus {
    /// It waits for its turn.
    Queued,
    /// It runs.
    Running,
    /// All its rows were given, or are kept.
    Finished,
    /// It ended with an error.
    Failed,
    /// Somebody ended it, or went away.
    Cancelled,
    /// It took longer than allowed.
    TimedOut,
}

const STATUSES: [(QueryStatus, &str); 6] = [
    (QueryStatus::Queued, "QUEUED"),
    (QueryStatus::Running, "RUNNING"),
    (QueryStatus::Finished, "FINISHED"),
    (QueryStatus::Failed, "FAILED"),
    (QueryStatus::Cancelled, "CANCELLED"),
    (QueryStatus::TimedOut, "TIMED_OUT"),
];

impl QueryStatus {
    /// CloudTrail Lake's word for it.
    pub(crate) fn word(self) -> &'static str {
        STATUSES.iter().find(|(status, _)| *status == self).map_or("FAILED", |(_, word)| word)
    }

    pub(crate) fn of_word(word: &str) -> Option<QueryStatus> {
        STATUSES.iter().find(|(_, known)| *known == word).map(|(status, _)| *status)
    }

    /// Whether nothing of it changes any more.
    pub(crate) fn is_over(self) -> bool {
        !matches!(self, QueryStatus::Queued | QueryStatus::Running)
    }
}

/// What is known of a query when it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Submitted {
    pub(crate) id: Uuid,
    pub(crate) user: String,
    pub(crate) protocol: &'static str,
    pub(crate) store: String,
    pub(crate) sql: String,
    /// The client's own name for the request: asked twice, it is one query.
    pub(crate) client_token: Option<String>,
    /// What the protocol wants to know again.
    pub(crate) details: Value,
    pub(crate) submitted_at: DateTime<Utc>,
}

/// How a query ended.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) status: QueryStatus,
    pub(crate) ended_at: DateTime<Utc>,
    pub(crate) error: Option<String>,
    /// `statement`, `limit`, `lake` or `fault`.
    pub(crate) error_kind: Option<&'static str>,
    pub(crate) rows: u64,
    pub(crate) result_bytes: u64,
    pub(crate) statistics: traillake_query::Statistics,
    pub(crate) snapshots: Value,
    pub(crate) warnings: Vec<String>,
}

/// A query as it is remembered.
#[derive(Clone, Debug)]
pub(crate) struct QueryRecord {
    pub(crate) id: Uuid,
    pub(crate) user: String,
    pub(crate) protocol: String,
    pub(crate) store: String,
    pub(crate) sql: String,
    pub(crate) details: Value,
    pub(crate) status: QueryStatus,
    pub(crate) submitted_at: DateTime<Utc>,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
    pub(crate) error: Option<String>,
    pub(crate) error_kind: Option<String>,
    pub(crate) rows: u64,
    pub(crate) result_bytes: u64,
    pub(crate) rows_read: u64,
    pub(crate) bytes_read: u64,
    pub(crate) requests: u64,
    pub(crate) snapshots: Value,
    pub(crate) warnings: Vec<String>,
    pub(crate) rows_matched: u64,
}

pub(super) const COLUMNS: &str = "id, user, protocol, store, sql, details, status, submitted_at, started_at, \
     ended_at, error, error_kind, rows, result_bytes, rows_read, bytes_read, requests, snapshots, \
     warnings, rows_matched";

impl State {
    /// Remembers a query. When its client token is known already, the query of that token is
    /// returned and nothing is remembered.
    pub(crate) async fn submit(&self, new: Submitted) -> Result<Option<QueryRecord>> {
        let details = new.details.to_string();
        self.grew(new.sql.len() + details.len());
        self.work(move |connection| {
            if let Some(token) = &new.client_token {
                let known = by_client_token(connection, &new.user, new.protocol, token)?;
                if known.is_some() {
                    return Ok(known);
                }
            }
            let mut statement = connection.prepare_cached(
                "INSERT INTO queries (id, user, protocol, store, sql, client_token, details, status, \
                 submitted_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'QUEUED', ?)",
            )?;
            statement.execute(params![
                new.id.to_string(),
                new.user,
                new.protocol,
                new.store,
                new.sql,
                new.client_token,
                details,
                new.submitted_at.timestamp_micros(),
            ])?;
            Ok(None)
        })
        .await
    }

    /// Notes that a query began to run.
    pub(crate) async fn started(&self, id: Uuid, at: DateTime<Utc>) -> Result<()> {
        self.work(move |connection| {
            let mut statement = connection.prepare_cached(
                "UPDATE queries SET status = 'RUNNING', started_at = ? \
                 WHERE id = ? AND status = 'QUEUED'",
            )?;
            statement.execute(params![at.timestamp_micros(), id.to_string()])?;
            Ok(())
        })
        .await
    }

    /// Notes how a query ended. What has ended stays as it is.
    pub(crate) async fn ended(&self, id: Uuid, outcome: Outcome) -> Result<()> {
        self.work(move |connection| end(connection, id, &outcome)).await
    }

    /// Returns the query of that id, if it is that user's.
    pub(crate) async fn query(&self, user: &str, id: Uuid) -> Result<Option<QueryRecord>> {
        let user = user.to_owned();
        self.read(move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM queries WHERE id = ? AND user = ?");
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_row(params![id.to_string(), user], read).optional()?)
        })
        .await
    }

    /// Ends what a server that is gone has left running; returns how many there were.
    pub(crate) async fn end_what_was_left(&self, at: DateTime<Utc>) -> Result<usize> {
        self.work(move |connection| {
            Ok(connection.execute(
                "UPDATE queries SET status = 'FAILED', ended_at = ?, error_kind = 'fault', \
                 error = 'the server was stopped while the query ran' \
                 WHERE status IN ('QUEUED', 'RUNNING')",
                params![at.timestamp_micros()],
            )?)
        })
        .await
    }
}

fn end(connection: &Connection, id: Uuid, outcome: &Outcome) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE queries SET status = ?, ended_at = ?, error = ?, error_kind = ?, rows = ?, \
         result_bytes = ?, rows_read = ?, bytes_read = ?, requests = ?, snapshots = ?, \
         warnings = ?, rows_matched = ? WHERE id = ? AND status IN ('QUEUED', 'RUNNING')",
    )?;
    statement.execute(params![
        outcome.status.word(),
        outcome.ended_at.timestamp_micros(),
        outcome.error,
        outcome.error_kind,
        outcome.rows as i64,
        outcome.result_bytes as i64,
        outcome.statistics.rows_read as i64,
        outcome.statistics.bytes_read as i64,
        outcome.statistics.requests as i64,
        outcome.snapshots.to_string(),
        Value::from(outcome.warnings.clone()).to_string(),
        outcome.statistics.rows_matched as i64,
        id.to_string(),
    ])?;
    Ok(())
}

impl State {
    /// Returns whether a query of the client's own name `token` is remembered.
    pub(crate) async fn is_known(
        &self,
        user: &str,
        protocol: &'static str,
        token: &str,
    ) -> Result<bool> {
        let (user, token) = (user.to_owned(), token.to_owned());
        self.read(move |connection| {
            Ok(by_client_token(connection, &user, protocol, &token)?.is_some())
        })
        .await
    }
}

fn by_client_token(
    connection: &Connection,
    user: &str,
    protocol: &str,
    token: &str,
) -> Result<Option<QueryRecord>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM queries WHERE user = ? AND protocol = ? AND client_token = ?"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row(params![user, protocol, token], read).optional()?)
}

pub(super) fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

pub(super) fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    Ok(Uuid::parse_str(&row.get::<_, String>(column)?).unwrap_or_default())
}

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<QueryRecord> {
    let json = |text: String| serde_json::from_str(&text).unwrap_or_default();
    let count = |value: i64| value.unsigned_abs();
    Ok(QueryRecord {
        id: uuid(row, 0)?,
        user: row.get(1)?,
        protocol: row.get(2)?,
        store: row.get(3)?,
        sql: row.get(4)?,
        details: json(row.get(5)?),
        status: QueryStatus::of_word(&row.get::<_, String>(6)?).unwrap_or(QueryStatus::Failed),
        submitted_at: time(row.get(7)?),
        started_at: row.get::<_, Option<i64>>(8)?.map(time),
        ended_at: row.get::<_, Option<i64>>(9)?.map(time),
        error: row.get(10)?,
        error_kind: row.get(11)?,
        rows: count(row.get(12)?),
        result_bytes: count(row.get(13)?),
        rows_read: count(row.get(14)?),
        bytes_read: count(row.get(15)?),
        requests: count(row.get(16)?),
        snapshots: json(row.get(17)?),
        warnings: serde_json::from_str(&row.get::<_, String>(18)?).unwrap_or_default(),
        rows_matched: count(row.get(19)?),
    })
}
