//! The kept answers of one user, some at a time: what a listing of their files reads.

use rusqlite::params;

use super::State;
use super::queries::{COLUMNS, QueryRecord, read};
use crate::error::Result;

/// Queries that are read at once.
const READ_AT_ONCE: i64 = 1_000;
/// Bytes of statements after which no further query is read with them.
const READ_BYTES: usize = 4 << 20;

/// Which kept answers are read next.
#[derive(Clone, Debug)]
pub(crate) struct KeptObjects {
    /// Whose.
    pub(crate) user: String,
    pub(crate) protocol: &'static str,
    /// Behind the query that ended at that time, in microseconds, and has that id.
    pub(crate) after: (i64, String),
}

impl State {
    /// Returns queries whose answers are kept, those that ended first before the others, as many as
    /// are read at once; none when there are no others. Of what may be long they have only what
    /// tells where the file of an answer is: the place and the kind of the statement, or the
    /// statement itself where an earlier version did not write down its kind.
    ///
    /// # Errors
    /// When the state cannot be used.
    pub(crate) async fn kept_objects(&self, wanted: KeptObjects) -> Result<Vec<QueryRecord>> {
        let place = "json_object('output', details ->> 'output', 'kind', details ->> 'kind')";
        let columns = COLUMNS
            .replace("details", place)
            .replace("sql", "iif(details ->> 'kind' IS NULL, sql, '')")
            .replace("snapshots", "'[]'")
            .replace("warnings", "'[]'");
        // By the index of kept answers, however many queries a user asked that keep none.
        let sql = format!(
            "SELECT {columns} FROM queries INDEXED BY queries_kept \
             WHERE result_bytes > 0 AND (ended_at, id) > (?1, ?2) AND user = ?3 AND protocol = ?4 \
             ORDER BY ended_at, id LIMIT ?5"
        );
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let (at, id) = wanted.after;
            let mut rows =
                statement.query(params![at, id, wanted.user, wanted.protocol, READ_AT_ONCE])?;
            let (mut queries, mut bytes) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let query = read(row)?;
                bytes += query.sql.len();
                queries.push(query);
                if bytes > READ_BYTES {
                    break;
                }
            }
            Ok(queries)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn kept_answers_are_read_some_at_a_time_and_without_what_is_long() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let database = rusqlite::Connection::open(folder.path().join("state.db")).unwrap();
        let sql = format!("SELECT 1 -- {}", "x".repeat(300_000));
        let mut expected = Vec::new();
        for (user, protocol, bytes) in
            [("me", "athena", 1), ("you", "athena", 1), ("me", "lake", 1), ("me", "athena", 0)]
        {
            for number in 0..40_i64 {
                // Several end at one moment: their order is that of their ids.
                let (id, ended) = (uuid::Uuid::new_v4().to_string(), number / 3);
                let kind = (ended % 2 == 0).then_some("DML");
                let mut details = json!({ "output": "s3://bucket/", "parameters": ["x"] });
                details["kind"] = kind.into();
                let written = database.execute(
                    "INSERT INTO queries (id, user, protocol, store, sql, details, status, \
                     submitted_at, ended_at, result_bytes) \
                     VALUES (?1, ?2, ?3, 'default', ?4, ?5, 'FINISHED', 0, ?6, ?7)",
                    params![id, user, protocol, sql, details.to_string(), ended, bytes],
                );
                assert_eq!(written.unwrap(), 1);
                if (user, protocol, bytes) == ("me", "athena", 1) {
                    expected.push((ended, id));
                }
            }
        }
        expected.sort();
        let mut wanted =
            KeptObjects { user: "me".into(), protocol: "athena", after: (-1, String::new()) };
        let (mut found, mut times) = (Vec::new(), 0);
        loop {
            let queries = state.kept_objects(wanted.clone()).await.unwrap();
            let bytes: usize = queries.iter().map(|query| query.sql.len()).sum();
            assert!(bytes <= READ_BYTES + sql.len(), "{bytes} bytes are read at once");
            for query in &queries {
                let ended = query.ended_at.unwrap().timestamp_micros();
                let told = ended % 2 == 0;
                let kind = told.then_some("DML");
                assert_eq!(query.details, json!({ "output": "s3://bucket/", "kind": kind }));
                assert_eq!(query.sql, if told { "" } else { sql.as_str() });
                found.push((ended, query.id.to_string()));
            }
            let Some(last) = found.last().filter(|_| !queries.is_empty()) else { break };
            wanted.after = last.clone();
            times += 1;
        }
        assert_eq!((found, times), (expected, 2));
    }
}
