//! Who was let in and who was refused: one row for each credential, address and reason of an hour.

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::State;
use crate::error::Result;

/// A table of its own since version 2.
pub(super) const TABLE: &str = "
CREATE TABLE logins (
    hour INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    user TEXT NOT NULL,
    credential TEXT NOT NULL,
    address TEXT NOT NULL,
    reason TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    PRIMARY KEY (hour, accepted, credential, address, reason)
) STRICT, WITHOUT ROWID;
CREATE INDEX logins_by_user ON logins (user, hour);
";

/// One request, let in or refused. What is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) accepted: bool,
    pub(crate) user: String,
    pub(crate) credential: String,
    pub(crate) address: String,
    /// Why it was refused.
    pub(crate) reason: String,
}

/// The logins of an hour that are alike.
#[derive(Clone, Debug)]
pub(crate) struct LoginRecord {
    pub(crate) login: Login,
    pub(crate) first_at: DateTime<Utc>,
    pub(crate) last_at: DateTime<Utc>,
    pub(crate) requests: u64,
}

impl State {
    /// Notes a login.
    pub(crate) async fn note_login(&self, login: Login, at: DateTime<Utc>) -> Result<()> {
        self.work(move |connection| {
            let mut statement = connection.prepare_cached(
                "INSERT INTO logins (hour, accepted, user, credential, address, reason, first_at, \
                 last_at, requests) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, 1) \
                 ON CONFLICT DO UPDATE SET last_at = ?7, requests = requests + 1",
            )?;
            statement.execute(params![
                at.timestamp() / 3600,
                login.accepted,
                login.user,
                login.credential,
                login.address,
                login.reason,
                at.timestamp_micros(),
            ])?;
            Ok(())
        })
        .await
    }

    /// Returns the newest `limit` logins of a user (none: of everybody), newest first.
    pub(crate) async fn logins(
        &self,
        user: Option<String>,
        limit: usize,
    ) -> Result<Vec<LoginRecord>> {
        self.read(move |connection| {
            let whose = if user.is_some() { "user = ?1" } else { "?1 IS NULL" };
            let mut statement = connection.prepare_cached(&format!(
                "SELECT accepted, user, credential, address, reason, first_at, last_at, requests \
                 FROM logins WHERE {whose} ORDER BY hour DESC, last_at DESC LIMIT ?2"
            ))?;
            let time = |micros| DateTime::from_timestamp_micros(micros).unwrap_or_default();
            let found = statement.query_map(params![user, limit as i64], |row| {
                Ok(LoginRecord {
                    login: Login {
                        accepted: row.get(0)?,
                        user: row.get(1)?,
                        credential: row.get(2)?,
                        address: row.get(3)?,
                        reason: row.get(4)?,
                    },
                    first_at: time(row.get(5)?),
                    last_at: time(row.get(6)?),
                    requests: row.get::<_, i64>(7)?.unsigned_abs(),
                })
            })?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Removes logins of before.
    pub(crate) async fn forget_logins(&self, before: DateTime<Utc>) -> Result<()> {
        self.work(move |connection| {
            connection.execute("DELETE FROM logins WHERE hour < ?", [before.timestamp() / 3600])?;
            Ok(())
        })
        .await
    }
}
