//! The history of queries, page by page; and what of it is forgotten.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::State;
use super::queries::{COLUMNS, QueryRecord, QueryStatus, read, time, uuid};
use crate::error::Result;

/// Bytes of text after which a page has no further query.
const PAGE_BYTES: usize = 4 << 20;
/// Queries that are removed at once: nobody waits for longer than that.
const REMOVED_AT_ONCE: usize = 500;

/// An index of its own since version 3.
pub(super) const INDEX: &str = "CREATE INDEX queries_by_time ON queries (submitted_at);";

/// The bytes that a query takes, about.
const BYTES: &str = "octet_length(sql) + octet_length(details) + octet_length(snapshots) \
     + octet_length(warnings) + coalesce(octet_length(error), 0) + 300";

/// Which queries to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    /// Whose; none: everybody's.
    pub(crate) user: Option<String>,
    /// None: of all.
    pub(crate) protocol: Option<String>,
    /// Submitted at that time or later.
    pub(crate) from: Option<DateTime<Utc>>,
    /// Submitted before.
    pub(crate) until: Option<DateTime<Utc>>,
    /// Behind the query of that time, in microseconds, and id.
    pub(crate) after: Option<(i64, Uuid)>,
    /// Behind so many others.
    pub(crate) offset: u64,
    /// At most so many.
    pub(crate) limit: u64,
}

/// A page of the history, newest first.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) queries: Vec<QueryRecord>,
    /// Whether there are others behind them.
    pub(crate) more: bool,
}

impl Listed {
    /// The place behind the last query; none where there is nothing behind it.
    pub(crate) fn next(&self) -> Option<(i64, Uuid)> {
        let last = self.queries.last().filter(|_| self.more)?;
        Some((last.submitted_at.timestamp_micros(), last.id))
    }
}

impl State {
    /// Returns the queries that were asked for, or as many of the first as a page holds.
    pub(crate) async fn listed(&self, wanted: Listing) -> Result<Listed> {
        self.read(move |connection| list(connection, &wanted)).await
    }

    /// Forgets queries that are over: those submitted before `before`, and the oldest while all
    /// together take more than `bytes_max`. Returns those of them whose answers were kept.
    pub(crate) async fn forget_queries(
        &self,
        before: DateTime<Utc>,
        bytes_max: u64,
    ) -> Result<Vec<Uuid>> {
        let too_many = self.read(move |connection| first_too_many(connection, bytes_max)).await?;
        let too_many = too_many.map(|at| at + TimeDelta::microseconds(1));
        let before = too_many.map_or(before, |at| at.max(before));
        let mut kept = Vec::new();
        loop {
            let removed = self.work(move |connection| remove_oldest(connection, before)).await?;
            let last = removed.len() < REMOVED_AT_ONCE;
            kept.extend(removed.into_iter().filter(|(_, bytes)| *bytes > 0).map(|(id, _)| id));
            if last {
                return Ok(kept);
            }
        }
    }
}

fn list(connection: &Connection, wanted: &Listing) -> Result<Listed> {
    let micros = |at: DateTime<Utc>| at.timestamp_micros();
    let from = wanted.from.map_or(i64::MIN, micros);
    let until = wanted.until.map_or(i64::MAX, |at| micros(at) - 1);
    // A query behind another has its time and a later id, or an earlier time.
    let (time, id) =
        wanted.after.map_or((i64::MAX, String::new()), |(at, id)| (at, id.to_string()));
    let whose = if wanted.user.is_some() { "user = ?1" } else { "?1 IS NULL" };
    let sql = format!(
        "SELECT {COLUMNS} FROM queries WHERE {whose} AND (?2 IS NULL OR protocol = ?2) \
         AND submitted_at BETWEEN ?3 AND ?4 AND (submitted_at < ?5 OR id > ?6) \
         ORDER BY submitted_at DESC, id LIMIT ?7 OFFSET ?8"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![
        wanted.user,
        wanted.protocol,
        from,
        until.min(time),
        time,
        id,
        wanted.limit.saturating_add(1) as i64,
        wanted.offset as i64,
    ])?;
    let (mut listed, mut bytes) = (Listed::default(), 0);
    while let Some(row) = rows.next()? {
        if listed.queries.len() as u64 == wanted.limit || bytes > PAGE_BYTES {
            listed.more = true;
            break;
        }
        let query = read(row)?;
        bytes += query.sql.len() + query.error.as_ref().map_or(0, String::len);
        listed.queries.push(query);
    }
    Ok(listed)
}

/// Returns when the newest query was submitted that does not fit into `bytes_max` with those after
/// it.
fn first_too_many(connection: &Connection, bytes_max: u64) -> Result<Option<DateTime<Utc>>> {
    let bytes_max = i64::try_from(bytes_max).unwrap_or(i64::MAX);
    // Whatever fits into the whole file needs no adding up.
    let used: i64 = connection.query_row(
        "SELECT (page_count - freelist_count) * page_size \
         FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
        [],
        |row| row.get(0),
    )?;
    if used <= bytes_max {
        return Ok(None);
    }
    let sql = format!(
        "SELECT max(submitted_at) FROM (SELECT submitted_at, sum({BYTES}) OVER \
         (ORDER BY submitted_at DESC ROWS UNBOUNDED PRECEDING) AS bytes FROM queries) \
         WHERE bytes > ?"
    );
    let found: Option<i64> = connection.query_row(&sql, [bytes_max], |row| row.get(0))?;
    Ok(found.map(time))
}

/// Removes some of the queries that were submitted before `before` and are over; returns them, with
/// the bytes of their kept answers.
fn remove_oldest(connection: &Connection, before: DateTime<Utc>) -> Result<Vec<(Uuid, i64)>> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM queries WHERE id IN (SELECT id FROM queries WHERE submitted_at < ?1 \
         AND status NOT IN (?2, ?3) ORDER BY submitted_at LIMIT ?4) RETURNING id, result_bytes",
    )?;
    let removed = statement.query_map(
        params![
            before.timestamp_micros(),
            QueryStatus::Queued.word(),
            QueryStatus::Running.word(),
            REMOVED_AT_ONCE as i64
        ],
        |row| Ok((uuid(row, 0)?, row.get(1)?)),
    )?;
    Ok(removed.collect::<Result<_, _>>()?)
}
