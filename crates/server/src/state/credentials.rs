//! Tokens and access keys. Of a token only a hash is kept; the secret of an access key is made from
//! the server's key whenever it is needed, so that a copy of the database opens nothing.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::State;
use crate::auth::Role;
use crate::error::{Error, Result};

/// What kind of credential it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// Sent whole, as a bearer token or a password.
    Token,
    /// Signs requests as AWS's clients do.
    AccessKey,
}

impl CredentialKind {
    fn word(self) -> &'static str {
        match self {
            CredentialKind::Token => "token",
            CredentialKind::AccessKey => "key",
        }
    }
}

/// A credential, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// What it is known by.
    pub id: String,
    /// A token or an access key.
    pub kind: CredentialKind,
    /// Whom it stands for.
    pub user: String,
    /// What they may do.
    pub role: Role,
    /// The stores they may see; none: all.
    pub stores: Option<Vec<String>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub used_at: Option<DateTime<Utc>>,
}

/// What a credential is made from.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// A token or an access key.
    pub kind: CredentialKind,
    /// Whom it stands for.
    pub user: String,
    /// What they may do.
    pub role: Role,
    /// The stores they may see; none: all.
    pub stores: Option<Vec<String>>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
}

impl State {
    /// Keeps a credential of that id; `secret_sha256` is that of a token's secret.
    pub(crate) fn add_credential(
        &self,
        id: &str,
        new: &NewCredential,
        secret_sha256: Option<[u8; 32]>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        if new.user.is_empty() || new.user.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(Error::request("a user's name is not empty and has no white space"));
        }
        let stores = new.stores.as_ref().map(serde_json::to_string).transpose();
        let stores = stores.map_err(Error::state)?;
        self.now(|connection| {
            connection.execute(
                "INSERT INTO credentials (id, kind, user, role, stores, secret_sha256, created_at, \
                 expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    id,
                    new.kind.word(),
                    new.user,
                    new.role.word(),
                    stores,
                    secret_sha256.map(|hash| hash.to_vec()),
                    now.timestamp(),
                    new.expires_at.map(|at| at.timestamp()),
                ],
            )?;
            Ok(())
        })
    }

    /// Returns all credentials of a kind, oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn credentials(&self, kind: CredentialKind) -> Result<Vec<Credential>> {
        self.now(|connection| {
            let mut statement = connection.prepare(
                "SELECT id, kind, user, role, stores, created_at, expires_at, used_at, secret_sha256 \
                 FROM credentials WHERE kind = ? ORDER BY created_at, id",
            )?;
            let found = statement.query_map([kind.word()], read)?;
            Ok(found.map(|found| found.map(|(credential, _)| credential)).collect::<Result<_, _>>()?)
        })
    }

    /// Takes a credential away; whether there was one.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn remove_credential(&self, kind: CredentialKind, id: &str) -> Result<bool> {
        self.now(|connection| {
            let gone = connection.execute(
                "DELETE FROM credentials WHERE id = ? AND kind = ?",
                params![id, kind.word()],
            )?;
            Ok(gone > 0)
        })
    }

    /// Returns the credential of that id with the hash of its secret.
    pub(crate) async fn credential(&self, id: &str) -> Result<Option<Found>> {
        let id = id.to_owned();
        self.know(move |connection| find(connection, &id)).await
    }

    /// Notes that a credential was used, once a minute. That it cannot be noted, as on a full disk,
    /// locks nobody out.
    pub(crate) async fn credential_used(&self, credential: &Credential, now: DateTime<Utc>) {
        let minute = |at: DateTime<Utc>| at.timestamp() / 60;
        if credential.used_at.map(minute) == Some(minute(now)) {
            return;
        }
        let id = credential.id.clone();
        let noted = self.work(move |connection| {
            connection.execute(
                "UPDATE credentials SET used_at = ? WHERE id = ?",
                params![now.timestamp(), id],
            )?;
            Ok(())
        });
        if let Err(error) = noted.await {
            tracing::warn!("the use of a credential is not noted: {error}");
        }
    }
}

/// A credential and, of a token, the hash of its secret.
pub(crate) type Found = (Credential, Option<[u8; 32]>);

fn find(connection: &Connection, id: &str) -> Result<Option<Found>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, kind, user, role, stores, created_at, expires_at, used_at, secret_sha256 \
         FROM credentials WHERE id = ?",
    )?;
    Ok(statement.query_row([id], read).optional()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Found> {
    let time = |seconds: i64| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    let kind: String = row.get(1)?;
    let role: String = row.get(3)?;
    let stores: Option<String> = row.get(4)?;
    let hash: Option<Vec<u8>> = row.get(8)?;
    let credential = Credential {
        id: row.get(0)?,
        kind: match kind.as_str() {
            "key" => CredentialKind::AccessKey,
            _ => CredentialKind::Token,
        },
        user: row.get(2)?,
        role: Role::of_word(&role).unwrap_or(Role::Read),
        // A grant that cannot be read grants nothing.
        stores: stores.map(|stores| serde_json::from_str(&stores).unwrap_or_default()),
        created_at: time(row.get(5)?),
        expires_at: row.get::<_, Option<i64>>(6)?.map(time),
        used_at: row.get::<_, Option<i64>>(7)?.map(time),
    };
    Ok((credential, hash.and_then(|hash| hash.try_into().ok())))
}
