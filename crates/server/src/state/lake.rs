//! What CloudTrail Lake's operations want to know of the queries that they started: `details` says
//! the operation, the alias and the stores that a query reads.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension as _, params};
use uuid::Uuid;

use super::State;
use super::queries::{COLUMNS, QueryRecord, QueryStatus, read};
use crate::error::Result;

/// Which queries to list.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    /// Whose.
    pub(crate) user: String,
    /// A store that they read.
    pub(crate) store: String,
    pub(crate) status: Option<QueryStatus>,
    /// Submitted from the first to the second, both included.
    pub(crate) range: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    /// Behind the query of that time, in microseconds, and id.
    pub(crate) after: Option<(i64, Uuid)>,
    /// At most so many.
    pub(crate) limit: usize,
}

impl State {
    /// Returns queries that StartQuery began, newest first.
    pub(crate) async fn started_queries(&self, wanted: Started) -> Result<Vec<QueryRecord>> {
        let micros = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp_micros());
        let (from, until) = (micros(wanted.range.0), micros(wanted.range.1));
        let (time, id) = wanted.after.map(|(time, id)| (time, id.to_string())).unzip();
        self.read(move |connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM queries \
                 WHERE user = ?1 AND protocol = 'lake' AND details ->> 'operation' = 'StartQuery' \
                 AND EXISTS (SELECT 1 FROM json_each(details, '$.stores') WHERE value = ?2) \
                 AND (?3 IS NULL OR status = ?3) \
                 AND (?4 IS NULL OR submitted_at >= ?4) AND (?5 IS NULL OR submitted_at <= ?5) \
                 AND (?6 IS NULL OR submitted_at < ?6 OR submitted_at = ?6 AND id > ?7) \
                 ORDER BY submitted_at DESC, id LIMIT ?8"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let found = statement.query_map(
                params![
                    wanted.user,
                    wanted.store,
                    wanted.status.map(QueryStatus::word),
                    from,
                    until,
                    time,
                    id,
                    wanted.limit as i64,
                ],
                read,
            )?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Returns the last query that a user started under an alias.
    pub(crate) async fn last_of_alias(
        &self,
        user: &str,
        alias: &str,
    ) -> Result<Option<QueryRecord>> {
        let (user, alias) = (user.to_owned(), alias.to_owned());
        self.read(move |connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM queries \
                 WHERE user = ?1 AND protocol = 'lake' AND details ->> 'alias' = ?2 \
                 ORDER BY submitted_at DESC, id LIMIT 1"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_row(params![user, alias], read).optional()?)
        })
        .await
    }
}
