//! What CloudTrail Lake's operations want to know of the queries that they started: `details` says
//! the operation, the alias and the stores that a query reads.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension as _, params};
use uuid::Uuid;

use super::State;
use super::queries::{COLUMNS, QueryRecord, QueryStatus, read};
use crate::error::Result;

/// An index of its own since version 4.
pub(super) const INDEX: &str = "CREATE INDEX queries_by_alias \
    ON queries (user, details ->> 'alias', submitted_at DESC, id) WHERE protocol = 'lake';";

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
                 AND details ->> 'refused' IS NULL \
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
            let mut statement = connection.prepare_cached(&last_of_alias())?;
            Ok(statement.query_row(params![user, alias], read).optional()?)
        })
        .await
    }
}

/// The statement that finds the last query of a user and an alias: one look into its index.
fn last_of_alias() -> String {
    format!(
        "SELECT {COLUMNS} FROM queries \
         WHERE user = ?1 AND protocol = 'lake' AND details ->> 'alias' = ?2 \
         AND details ->> 'refused' IS NULL \
         ORDER BY submitted_at DESC, id LIMIT 1"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_query_of_an_alias_is_one_look_away_in_an_older_state_too() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("state");
        drop(State::open(&folder).unwrap());
        let database = rusqlite::Connection::open(folder.join("state.db")).unwrap();
        let older = "DROP INDEX queries_by_alias; PRAGMA user_version = 3;";
        database.execute_batch(older).unwrap();
        for (number, (user, protocol, details)) in [
            ("alice", "lake", r#"{"alias":"a"}"#),
            ("alice", "lake", r#"{"alias":"a"}"#),
            ("alice", "lake", r#"{"alias":null}"#),
            ("alice", "lake", r#"{"alias":"b"}"#),
            ("bob", "lake", r#"{"alias":"a"}"#),
            ("alice", "http", r#"{"alias":"a"}"#),
            ("alice", "http", "null"),
        ]
        .into_iter()
        .enumerate()
        {
            let sql = "INSERT INTO queries (id, user, protocol, store, sql, details, status, \
                       submitted_at) VALUES (?, ?, ?, 'default', 'SELECT 1', ?, 'FINISHED', ?)";
            let id = Uuid::from_u128(number as u128).to_string();
            database.execute(sql, params![id, user, protocol, details, number as i64]).unwrap();
        }
        drop(database);
        let state = State::open(&folder).unwrap();
        for (user, alias, expected) in
            [("alice", "a", Some(1)), ("alice", "b", Some(3)), ("bob", "b", None)]
        {
            let found = state.last_of_alias(user, alias).await.unwrap();
            let found = found.map(|record| record.id.as_u128());
            assert_eq!(found, expected, "{user} {alias}");
        }
        let plan: Vec<String> = state
            .now(|connection| {
                let sql = format!("EXPLAIN QUERY PLAN {}", last_of_alias());
                let mut statement = connection.prepare(&sql)?;
                let steps = statement.query_map(["alice", "a"], |row| row.get(3))?;
                Ok(steps.collect::<Result<_, _>>()?)
            })
            .unwrap();
        assert!(plan.len() == 1 && plan[0].contains("queries_by_alias"), "{plan:?}");
    }
}
