//! What survives a restart: credentials, and every query that was asked. SQLite, in one file.
//!
//! The folder is the server's own (0700): `state.db`, `server.key` and `results/`. What is written
//! here is written before the client is told.

mod credentials;
mod history;
mod lake;
mod logins;
mod queries;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Notify;

pub use credentials::{Credential, CredentialKind, NewCredential};
pub(crate) use history::Listing;
pub(crate) use lake::Started;
pub(crate) use logins::{Login, LoginRecord};
pub(crate) use queries::{Outcome, QueryRecord, QueryStatus, Submitted};

use crate::error::{Error, Result};

/// The version of the tables below, kept in the file.
const VERSION: i64 = 3;
/// Bytes of statements after which it is time to look whether the history has become too large.
const GROWN: usize = 16 << 20;

const TABLES: &str = "
CREATE TABLE credentials (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    user TEXT NOT NULL,
    role TEXT NOT NULL,
    stores TEXT,
    secret_sha256 BLOB,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    used_at INTEGER
) STRICT;
CREATE TABLE queries (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    protocol TEXT NOT NULL,
    store TEXT NOT NULL,
    sql TEXT NOT NULL,
    client_token TEXT,
    details TEXT NOT NULL,
    status TEXT NOT NULL,
    submitted_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    error TEXT,
    error_kind TEXT,
    rows INTEGER NOT NULL DEFAULT 0,
    result_bytes INTEGER NOT NULL DEFAULT 0,
    rows_read INTEGER NOT NULL DEFAULT 0,
    bytes_read INTEGER NOT NULL DEFAULT 0,
    requests INTEGER NOT NULL DEFAULT 0,
    snapshots TEXT NOT NULL DEFAULT '[]',
    warnings TEXT NOT NULL DEFAULT '[]',
    rows_matched INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX queries_by_client_token ON queries (user, protocol, client_token)
    WHERE client_token IS NOT NULL;
CREATE INDEX queries_by_user ON queries (user, submitted_at);
CREATE INDEX queries_by_status ON queries (status);
CREATE INDEX queries_kept ON queries (ended_at, id) WHERE result_bytes > 0;
";

/// The server's state. Cheap to clone.
#[derive(Clone)]
pub struct State {
    folder: PathBuf,
    connection: Arc<Mutex<Connection>>,
    /// Reads what is long, so that nobody's credentials and no query's end wait for it.
    reading: Arc<Mutex<Connection>>,
    key: Arc<[u8; 32]>,
    growth: Arc<Growth>,
}

/// How much was written since somebody last asked.
#[derive(Default)]
struct Growth {
    bytes: AtomicUsize,
    much: Notify,
}

impl State {
    /// Opens the state in `folder`, and creates what is missing. Several processes may open it: the
    /// server, and the command that makes a token beside it.
    ///
    /// # Errors
    /// When the folder cannot be used, or was written by a newer version.
    pub fn open(folder: &Path) -> Result<State> {
        let failed =
            |error: std::io::Error| Error::state(format!("`{}`: {error}", folder.display()));
        create_folder(folder).map_err(failed)?;
        create_folder(&folder.join("results")).map_err(failed)?;
        let key = server_key(&folder.join("server.key")).map_err(failed)?;
        let path = folder.join("state.db");
        private_file(&path).map_err(failed)?;
        let connection = Connection::open(&path)?;
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // In WAL mode a process that is killed loses nothing with NORMAL, and a power loss no more
        // than the last moments, never the file.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        migrate(&connection)?;
        let reading = Connection::open(&path)?;
        reading.busy_timeout(std::time::Duration::from_secs(10))?;
        reading.pragma_update(None, "query_only", true)?;
        Ok(State {
            folder: folder.to_path_buf(),
            connection: Arc::new(Mutex::new(connection)),
            reading: Arc::new(Mutex::new(reading)),
            key: Arc::new(key),
            growth: Arc::default(),
        })
    }

    /// Makes this process the only server on this state; the lock ends with the value.
    ///
    /// # Errors
    /// When another server has it.
    pub(crate) fn lock(&self) -> Result<std::fs::File> {
        let path = self.folder.join("server.lock");
        private_file(&path)?;
        let file = std::fs::OpenOptions::new().append(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(Error::state(format!("a server uses `{}` already", self.folder.display())))
            }
            Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Writes a file of this folder that only its owner can read, over an older one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_private(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        private_file(&path)?;
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// The folder of kept answers.
    pub(crate) fn results(&self) -> PathBuf {
        self.folder.join("results")
    }

    /// The key that secrets of access keys are made from.
    pub(crate) fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// Waits until much was written.
    pub(crate) async fn has_grown(&self) {
        self.growth.much.notified().await;
    }

    fn grew(&self, bytes: usize) {
        let before = self.growth.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes >= GROWN {
            self.growth.bytes.store(0, Ordering::Relaxed);
            self.growth.much.notify_one();
        }
    }

    /// Does `work` on the database, off the threads that serve.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        off_thread(&self.connection, work).await
    }

    /// Reads what may be long; writes do not wait for it.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        off_thread(&self.reading, work).await
    }

    /// Does `work` on the database at once: for commands, which serve nobody.
    fn now<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        work(&self.connection.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn off_thread<T: Send + 'static>(
    connection: &Arc<Mutex<Connection>>,
    work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
) -> Result<T> {
    let connection = Arc::clone(connection);
    let done = tokio::task::spawn_blocking(move || {
        work(&connection.lock().unwrap_or_else(PoisonError::into_inner))
    });
    done.await.map_err(Error::state)?
}

fn migrate(connection: &Connection) -> Result<()> {
    let version = || connection.pragma_query_value(None, "user_version", |row| row.get(0));
    let found: i64 = version()?;
    let missing = match found {
        0 => [TABLES, logins::TABLE, history::INDEX].concat(),
        1 => [logins::TABLE, history::INDEX].concat(),
        2 => history::INDEX.to_owned(),
        VERSION => return Ok(()),
        newer => {
            return Err(Error::state(format!(
                "it has version {newer}, this program knows version {VERSION}"
            )));
        }
    };
    let create = format!("BEGIN IMMEDIATE; {missing} PRAGMA user_version = {VERSION}; COMMIT;");
    let created = connection.execute_batch(&create);
    if created.is_err() {
        // Another process was faster.
        let _ = connection.execute_batch("ROLLBACK");
        let now: i64 = version()?;
        if now != VERSION {
            created?;
        }
    }
    Ok(())
}

/// Returns the 32 bytes of the key file, which is made when there is none.
fn server_key(path: &Path) -> std::io::Result<[u8; 32]> {
    if !path.exists() {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(std::io::Error::other)?;
        let partial = path.with_extension(format!("{}.partial", std::process::id()));
        private_file(&partial)?;
        std::fs::write(&partial, key)?;
        std::fs::File::open(&partial)?.sync_all()?;
        // The first of several processes wins; all read its key below.
        match std::fs::hard_link(&partial, path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
            _ => std::fs::remove_file(&partial)?,
        }
    }
    let bytes = std::fs::read(path)?;
    bytes.try_into().map_err(|_| std::io::Error::other("the server's key is damaged"))
}

fn create_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Creates a file that only its owner can read, where there is none.
fn private_file(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
