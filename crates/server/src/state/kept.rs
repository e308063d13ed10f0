//! Kept answers: how many bytes they have together, and which are kept no longer.
//!
//! The sum stands in a table of its own that triggers keep right, whatever becomes of a query: nobody
//! reads all kept answers to see whether one more is too many.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::State;
use super::queries::uuid;
use crate::error::Result;

/// A table of its own since version 6.
pub(super) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS kept_bytes (bytes INTEGER NOT NULL) STRICT;
DELETE FROM kept_bytes;
INSERT INTO kept_bytes SELECT coalesce(sum(result_bytes), 0) FROM queries WHERE result_bytes > 0;
CREATE TRIGGER IF NOT EXISTS kept_from_the_start AFTER INSERT ON queries
    WHEN NEW.result_bytes > 0
    BEGIN UPDATE kept_bytes SET bytes = bytes + NEW.result_bytes; END;
CREATE TRIGGER IF NOT EXISTS kept_or_not AFTER UPDATE OF result_bytes ON queries
    WHEN NEW.result_bytes <> OLD.result_bytes
    BEGIN UPDATE kept_bytes SET bytes = bytes + NEW.result_bytes - OLD.result_bytes; END;
CREATE TRIGGER IF NOT EXISTS kept_and_forgotten AFTER DELETE ON queries
    WHEN OLD.result_bytes > 0
    BEGIN UPDATE kept_bytes SET bytes = bytes - OLD.result_bytes; END;
";

impl State {
    /// Returns the queries with kept answers.
    ///
    /// # Errors
    /// When the state cannot be used.
    pub(crate) async fn kept(&self) -> Result<Vec<Uuid>> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT id FROM queries WHERE result_bytes > 0")?;
            let found = statement.query_map([], |row| uuid(row, 0))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Returns the queries that ended before `before` and whose answers are kept still; then of the
    /// others the oldest, while all kept answers have more than `bytes_max`. It reads these and the
    /// one behind them, however many there are.
    ///
    /// # Errors
    /// When the state cannot be used.
    pub(crate) async fn kept_no_longer(
        &self,
        before: DateTime<Utc>,
        bytes_max: u64,
    ) -> Result<Vec<Uuid>> {
        let bytes_max = i64::try_from(bytes_max).unwrap_or(i64::MAX);
        self.read(move |connection| {
            // One statement: it sees the sum and the answers of one moment.
            let mut statement = connection.prepare_cached(
                "SELECT ended_at < ?1, result_bytes, (SELECT bytes FROM kept_bytes), id \
                 FROM queries WHERE result_bytes > 0 ORDER BY ended_at, id",
            )?;
            let mut rows = statement.query([before.timestamp_micros()])?;
            let (mut gone, mut gone_bytes) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let (is_old, bytes, all): (bool, i64, i64) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                if !is_old && all - gone_bytes <= bytes_max {
                    break;
                }
                gone_bytes += bytes;
                gone.push(uuid(row, 3)?);
            }
            Ok(gone)
        })
        .await
    }

    /// Forgets that answers are kept.
    ///
    /// # Errors
    /// When the state cannot be used.
    pub(crate) async fn not_kept(&self, ids: Vec<Uuid>) -> Result<()> {
        self.work(move |connection| {
            let forgetting = connection.unchecked_transaction()?;
            let mut statement =
                forgetting.prepare_cached("UPDATE queries SET result_bytes = 0 WHERE id = ?")?;
            for id in ids {
                statement.execute([id.to_string()])?;
            }
            drop(statement);
            Ok(forgetting.commit()?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, params};

    use super::*;

    /// Adds a query that ended at so many microseconds and whose answer has so many bytes.
    fn add(database: &Connection, id: &str, ended_at: i64, bytes: i64) {
        let sql = "INSERT INTO queries (id, user, protocol, store, sql, details, status, \
                   submitted_at, ended_at, result_bytes) VALUES (CAST(?1 AS TEXT), 'me', 'lake', \
                   'default', 'SELECT 1', 'null', 'FINISHED', ?2, ?2, ?3)";
        database.execute(sql, params![id.as_bytes(), ended_at, bytes]).unwrap();
    }

    fn sum(database: &Connection) -> i64 {
        database.query_row("SELECT bytes FROM kept_bytes", [], |row| row.get(0)).unwrap()
    }

    #[tokio::test]
    async fn what_is_kept_on_is_not_read() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("state");
        let state = State::open(&folder).unwrap();
        let database = Connection::open(folder.join("state.db")).unwrap();
        let ids: Vec<Uuid> = (0..4).map(Uuid::from_u128).collect();
        for (place, id) in ids.iter().enumerate() {
            add(&database, &id.to_string(), 10 * place as i64, 100);
        }
        // Whoever reads on comes to an id that cannot be read.
        let unreadable = "UPDATE queries SET id = CAST(x'ff' AS TEXT) WHERE ended_at = 30";
        assert_eq!(database.execute(unreadable, []).unwrap(), 1);
        assert!(state.kept().await.is_err());
        for (before, bytes_max, gone) in [
            (0, 400, 0),
            (1, 400, 1),
            (20, 400, 2),
            (0, 399, 1),
            (0, 200, 2),
            (1, 250, 2),
            (0, 100, 3),
        ] {
            let before = DateTime::from_timestamp_micros(before).unwrap();
            let found = state.kept_no_longer(before, bytes_max).await.unwrap();
            assert_eq!(found, ids[..gone], "{before} {bytes_max}");
        }
    }

    #[tokio::test]
    async fn the_sum_is_right_whatever_becomes_of_queries_and_in_an_older_state_too() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("state");
        let state = State::open(&folder).unwrap();
        let database = Connection::open(folder.join("state.db")).unwrap();
        let ids: Vec<Uuid> = (0..6).map(Uuid::from_u128).collect();
        for (place, id) in ids.iter().enumerate() {
            add(&database, &id.to_string(), 0, 1 << place);
        }
        assert_eq!(sum(&database), 63);
        state.not_kept(vec![ids[0], ids[2], ids[2]]).await.unwrap();
        assert_eq!(sum(&database), 58);
        let delete = "DELETE FROM queries WHERE id IN (?1, ?2)";
        database.execute(delete, params![ids[0].to_string(), ids[1].to_string()]).unwrap();
        assert_eq!(sum(&database), 56);
        drop(state);
        let older = "DROP TRIGGER kept_from_the_start; DROP TRIGGER kept_or_not; \
                     DROP TRIGGER kept_and_forgotten; DROP TABLE kept_bytes; \
                     PRAGMA user_version = 5;";
        database.execute_batch(older).unwrap();
        let state = State::open(&folder).unwrap();
        assert_eq!(sum(&database), 56);
        state.not_kept(vec![ids[3]]).await.unwrap();
        assert_eq!(sum(&database), 48);
    }
}
