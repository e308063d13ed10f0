//! What of the history is forgotten: what is old; and what is too much, of whoever asked too much.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{AT_ONCE, BYTES};
use crate::error::Result;
use crate::state::State;
use crate::state::queries::{QueryStatus, time, uuid};

impl State {
    /// Forgets queries that are over and were submitted before `before`. While all together take
    /// more than `bytes_max`, texts are shortened: first those of the user with the most bytes, the
    /// oldest first. Only where none is long any more do queries go, the oldest of whoever has more
    /// than the others leave. Returns the forgotten whose answers were kept.
    pub(crate) async fn forget_queries(
        &self,
        before: DateTime<Utc>,
        bytes_max: u64,
    ) -> Result<Vec<Uuid>> {
        let bytes_max = i64::try_from(bytes_max).unwrap_or(i64::MAX);
        let mut kept = self.remove(None, before).await?;
        let users = self.read(move |connection| bytes_of_users(connection, bytes_max)).await?;
        if self.shorten(users, bytes_max).await? > 0 {
            let found = self.read(move |connection| too_many(connection, bytes_max)).await?;
            for (user, last) in found {
                let before = last + TimeDelta::microseconds(1);
                kept.extend(self.remove(Some(user), before).await?);
            }
        }
        Ok(kept)
    }

    /// Removes the queries of a user (none: of everybody) that are over and were submitted before
    /// `before`; returns those whose answers were kept.
    async fn remove(&self, user: Option<String>, before: DateTime<Utc>) -> Result<Vec<Uuid>> {
        let mut kept = Vec::new();
        loop {
            let user = user.clone();
            let removed = self
                .work(move |connection| remove_oldest(connection, user.as_deref(), before))
                .await?;
            let last = removed.len() < AT_ONCE;
            kept.extend(removed.into_iter().filter(|(_, bytes)| *bytes > 0).map(|(id, _)| id));
            if last {
                return Ok(kept);
            }
        }
    }
}

/// Returns the users with the bytes of their queries, those with the most first; nobody when they
/// cannot be more than `bytes_max`.
fn bytes_of_users(connection: &Connection, bytes_max: i64) -> Result<Vec<(String, i64)>> {
    // Whatever fits into the whole file needs no adding up.
    let used: i64 = connection.query_row(
        "SELECT (page_count - freelist_count) * page_size \
         FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
        [],
        |row| row.get(0),
    )?;
    if used <= bytes_max {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT user, sum({BYTES}) FROM queries GROUP BY user ORDER BY 2 DESC, 1");
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Returns who has more queries than fit into their share of `bytes_max`, each with when the newest
/// was submitted that does not fit into it with those after it.
fn too_many(connection: &Connection, bytes_max: i64) -> Result<Vec<(String, DateTime<Utc>)>> {
    let users = bytes_of_users(connection, bytes_max)?;
    let share = share(&users, bytes_max);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT max(submitted_at) FROM (SELECT submitted_at, sum({BYTES}) OVER \
         (ORDER BY submitted_at DESC ROWS UNBOUNDED PRECEDING) AS bytes FROM queries \
         WHERE user = ?1) WHERE bytes > ?2"
    ))?;
    let mut found = Vec::new();
    for (user, _) in users.into_iter().filter(|(_, bytes)| *bytes > share) {
        let last: Option<i64> = statement.query_row(params![user, share], |row| row.get(0))?;
        found.extend(last.map(|last| (user, time(last))));
    }
    Ok(found)
}

/// Returns the bytes that nobody may have more of, so that all together have no more than
/// `bytes_max`. What somebody leaves is for those with more, who come first in `users`.
fn share(users: &[(String, i64)], bytes_max: i64) -> i64 {
    let mut left = bytes_max;
    for (others, (_, bytes)) in users.iter().enumerate().rev() {
        let even = left / (others as i64 + 1);
        if *bytes > even {
            return even;
        }
        left -= bytes;
    }
    i64::MAX
}

/// Removes some of the queries of a user (none: of everybody) that were submitted before `before`
/// and are over; returns them, with the bytes of their kept answers.
fn remove_oldest(
    connection: &Connection,
    user: Option<&str>,
    before: DateTime<Utc>,
) -> Result<Vec<(Uuid, i64)>> {
    let whose = if user.is_some() { "user = ?1" } else { "?1 IS NULL" };
    let mut statement = connection.prepare_cached(&format!(
        "DELETE FROM queries WHERE id IN (SELECT id FROM queries WHERE {whose} \
         AND submitted_at < ?2 AND status NOT IN (?3, ?4) ORDER BY submitted_at LIMIT ?5) \
         RETURNING id, result_bytes"
    ))?;
    let removed = statement.query_map(
        params![
            user,
            before.timestamp_micros(),
            QueryStatus::Queued.word(),
            QueryStatus::Running.word(),
            AT_ONCE as i64
        ],
        |row| Ok((uuid(row, 0)?, row.get(1)?)),
    )?;
    Ok(removed.collect::<Result<_, _>>()?)
}
