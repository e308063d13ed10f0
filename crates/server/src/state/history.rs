//! The history of queries, page by page; and what of it is forgotten (`forgotten`), or at least
//! shortened (`texts`).

mod forgotten;
mod texts;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::State;
use super::queries::{COLUMNS, QueryRecord, read};
use crate::error::Result;

/// Bytes after which a page has no further query.
const PAGE_BYTES: i64 = 4 << 20;
/// Queries that are shortened or removed at once: nobody waits for longer than that.
const AT_ONCE: usize = 500;

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
        "SELECT {COLUMNS}, {BYTES} AS bytes FROM queries \
         WHERE {whose} AND (?2 IS NULL OR protocol = ?2) \
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
        bytes += row.get::<_, i64>("bytes")?;
        listed.queries.push(read(row)?);
    }
    Ok(listed)
}
