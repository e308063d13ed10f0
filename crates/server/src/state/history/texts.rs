//! The texts of the history, which are shortened before a query is forgotten for its size: that
//! somebody asked is known longer than what exactly.

use rusqlite::{Connection, params};
use serde_json::{Map, Value};

use super::AT_ONCE;
use crate::error::Result;
use crate::state::State;
use crate::state::queries::QueryStatus;

/// Characters that stay of a text that is shortened, before the mark of it.
const SHORT: usize = 1_000;
const MARK: char = '…';
/// Bytes up to which a text is not looked at: a shortened one has no more, unless its characters
/// have several.
const SHORT_BYTES: usize = SHORT + MARK.len_utf8();

impl State {
    /// Shortens texts while the queries of `users`, who have so many bytes each, take more than
    /// `bytes_max`: those of the first user first, and the oldest first. Returns how many bytes are
    /// still too many; 0 or less when none are.
    pub(super) async fn shorten(&self, users: Vec<(String, i64)>, bytes_max: i64) -> Result<i64> {
        let mut excess = users.iter().map(|(_, bytes)| bytes).sum::<i64>() - bytes_max;
        for (user, _) in users {
            let mut next = Some((i64::MIN, String::new()));
            while let Some(place) = next.filter(|_| excess > 0) {
                let user = user.clone();
                let long =
                    self.read(move |connection| shortened(connection, &user, &place, excess));
                let Long { queries, saved, next: behind } = long.await?;
                self.work(move |connection| rewrite(connection, &queries)).await?;
                excess -= saved;
                next = behind;
            }
        }
        Ok(excess)
    }
}

/// Queries with long texts, as they are to be.
#[derive(Default)]
struct Long {
    queries: Vec<Texts>,
    /// Bytes that they take less.
    saved: i64,
    /// The place of the last that was looked at: its time in microseconds, and its id. None behind
    /// all.
    next: Option<(i64, String)>,
}

/// What of a query can be long.
struct Texts {
    id: String,
    sql: String,
    error: Option<String>,
    details: String,
}

impl Texts {
    /// Returns the bytes that they take.
    fn bytes(&self) -> i64 {
        let error = self.error.as_ref().map_or(0, String::len);
        (self.sql.len() + error + self.details.len()) as i64
    }

    /// Returns them shortened. Where the details are `needed`, what finds an answer by them stays.
    fn short(self, needed: bool) -> Texts {
        let details = match self.details.len() > SHORT_BYTES {
            true => short_details(&self.details, needed),
            false => self.details,
        };
        Texts { id: self.id, sql: short(self.sql), error: self.error.map(short), details }
    }
}

/// Returns the first characters of a text, and that there were others. Not by SQL, whose texts end
/// at the first NUL.
fn short(text: String) -> String {
    let end = text.char_indices().nth(SHORT).map(|(end, _)| end);
    match end {
        Some(end) if text[end..].chars().nth(1).is_some() => format!("{}{MARK}", &text[..end]),
        _ => text,
    }
}

/// Returns details without the values that were bound; nothing at all where that is still long and
/// not needed.
fn short_details(details: &str, needed: bool) -> String {
    let mut members: Map<String, Value> = serde_json::from_str(details).unwrap_or_default();
    members.remove("parameters");
    let details = Value::Object(members).to_string();
    match needed || details.len() <= SHORT_BYTES {
        true => details,
        false => "{}".to_owned(),
    }
}

/// Returns some of the oldest queries of a user behind a place that have long texts, shortened: no
/// more than it takes to save `excess` bytes.
fn shortened(
    connection: &Connection,
    user: &str,
    (time, id): &(i64, String),
    excess: i64,
) -> Result<Long> {
    // Details of AWS's protocols say where an answer is looked for that is kept, or will be.
    let mut statement = connection.prepare_cached(
        "SELECT submitted_at, id, sql, error, details, \
         protocol IN ('athena', 'lake') AND (result_bytes > 0 OR status IN (?4, ?5)) \
         FROM queries WHERE user = ?1 AND (submitted_at, id) > (?2, ?3) \
         AND max(octet_length(sql), octet_length(details), coalesce(octet_length(error), 0)) > ?6 \
         ORDER BY submitted_at, id LIMIT ?7",
    )?;
    let mut rows = statement.query(params![
        user,
        time,
        id,
        QueryStatus::Queued.word(),
        QueryStatus::Running.word(),
        SHORT_BYTES as i64,
        AT_ONCE as i64
    ])?;
    let mut long = Long::default();
    while long.saved < excess
        && let Some(row) = rows.next()?
    {
        let (sql, error, details) = (row.get(2)?, row.get(3)?, row.get(4)?);
        let whole = Texts { id: row.get(1)?, sql, error, details };
        let (bytes, place) = (whole.bytes(), (row.get(0)?, whole.id.clone()));
        let texts = whole.short(row.get(5)?);
        if texts.bytes() < bytes {
            long.saved += bytes - texts.bytes();
            long.queries.push(texts);
        }
        long.next = Some(place);
    }
    Ok(long)
}

/// Writes queries' texts over their longer ones. A query that failed meanwhile keeps its error.
fn rewrite(connection: &Connection, queries: &[Texts]) -> Result<()> {
    let rewriting = connection.unchecked_transaction()?;
    let mut statement = rewriting.prepare_cached(
        "UPDATE queries SET sql = ?, error = coalesce(?, error), details = ? WHERE id = ?",
    )?;
    for Texts { id, sql, error, details } in queries {
        statement.execute(params![sql, error, details, id])?;
    }
    drop(statement);
    Ok(rewriting.commit()?)
}
