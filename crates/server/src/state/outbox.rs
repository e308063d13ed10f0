//! What became of answers that are wanted in a bucket. Where one is wanted stands among the details
//! of its query from the start; here stands how that went, once it did.

use rusqlite::{OptionalExtension as _, params};
use uuid::Uuid;

use super::State;
use super::queries::uuid;
use crate::error::Result;

/// A table of its own since version 5.
pub(super) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS outbox (query_id TEXT PRIMARY KEY, status TEXT NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS outbox_forgotten AFTER DELETE ON queries
    BEGIN DELETE FROM outbox WHERE query_id = OLD.id; END;
";

impl State {
    /// Remembers CloudTrail Lake's word for how it went to put the answer of a query.
    ///
    /// # Errors
    /// When the state cannot be used.
    pub(crate) async fn delivered(&self, id: Uuid, word: &'static str) -> Result<()> {
        self.work(move |connection| {
            // Of a query that is forgotten meanwhile nothing stays.
            let mut statement = connection.prepare_cached(
                "INSERT OR REPLACE INTO outbox SELECT id, ?2 FROM queries WHERE id = ?1",
            )?;
            statement.execute(params![id.to_string(), word])?;
            Ok(())
        })
        .await
    }

    /// Returns that word; none while the answer is not put.
    ///
    /// # Errors
    /// When the state cannot be used.
    pub(crate) async fn delivery(&self, id: Uuid) -> Result<Option<String>> {
        self.read(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT status FROM outbox WHERE query_id = ?")?;
            Ok(statement.query_row([id.to_string()], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Returns the queries whose kept answers are wanted in a bucket and were not put, each by its
    /// user and its id, those that ended first before the others.
    ///
    /// # Errors
    /// When the state cannot be used.
    pub(crate) async fn undelivered(&self) -> Result<Vec<(String, Uuid)>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT user, id FROM queries INDEXED BY queries_kept \
                 WHERE result_bytes > 0 AND protocol = 'lake' \
                 AND details ->> '$.delivery.uri' IS NOT NULL \
                 AND id NOT IN (SELECT query_id FROM outbox) ORDER BY ended_at, id",
            )?;
            let found = statement.query_map([], |row| Ok((row.get(0)?, uuid(row, 1)?)))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }
}
