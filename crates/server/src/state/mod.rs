//! What survives a restart: credentials, and every query that was asked. SQLite, in one file.
//!
//! The folder is the server's own (0700): `state.db`, `server.key` and `results/`. What is written
//! here is written before the client is told.

mod access;
mod credentials;
mod history;
mod kept;
mod kept_objects;
mod lake;
mod logins;
mod outbox;
mod private;
mod queries;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::Notify;

pub use credentials::{Credential, CredentialKind, NewCredential};
pub(crate) use history::Listing;
pub(crate) use kept_objects::KeptObjects;
pub(crate) use lake::Started;
pub(crate) use logins::{Login, LoginRecord};
pub(crate) use queries::{Outcome, QueryRecord, QueryStatus, Submitted};

use self::access::Access;
use self::private::Owner;
use crate::error::{Error, Result};

/// What each version of the tables added to the one before.
const ADDED: &[&str] =
    &[TABLES, logins::TABLE, history::INDEX, lake::INDEX, outbox::TABLE, kept::TABLE];
/// The version of the tables, kept in the file.
const VERSION: i64 = ADDED.len() as i64;
/// How long another process may keep the database.
const BUSY_FOR: Duration = Duration::from_secs(10);
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
    writing: Access,
    /// Reads what may be long: no query's end waits for it.
    reading: Access,
    /// Reads credentials, and nothing else: nobody who logs in waits for what others ask.
    knowing: Access,
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
    /// When the folder cannot be used, was written by a newer version, or is not this user's alone.
    pub fn open(folder: &Path) -> Result<State> {
        let failed =
            |error: std::io::Error| Error::state(format!("`{}`: {error}", folder.display()));
        private::create_folder(folder).map_err(failed)?;
        let owner = Owner::of_folder(folder).map_err(failed)?;
        private::create_folder(&folder.join("results")).map_err(failed)?;
        let key = server_key(&folder.join("server.key"), owner).map_err(failed)?;
        let path = folder.join("state.db");
        private::create_file(&path).map_err(failed)?;
        let found = path.metadata().map_err(failed)?;
        owner.check(&path, &found, private::WRITE).map_err(failed)?;
        let writing = Connection::open(&path)?;
        writing.busy_timeout(BUSY_FOR)?;
        writing.pragma_update(None, "journal_mode", "WAL")?;
        // In WAL mode a process that is killed loses nothing with NORMAL, and a power loss no more
        // than the last moments, never the file.
        writing.pragma_update(None, "synchronous", "NORMAL")?;
        migrate(&writing)?;
        Ok(State {
            folder: folder.to_path_buf(),
            writing: Access::new(writing),
            reading: Access::new(reader(&path)?),
            knowing: Access::new(reader(&path)?),
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
        private::create_file(&path)?;
        let file = std::fs::OpenOptions::new().append(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(Error::state(format!("a server uses `{}` already", self.folder.display())))
            }
            Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Writes a file of this folder that only its owner can read, in the place of an older one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_private(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        private::replace(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Returns a file that was written so, and what is in it; none where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read_private(&self, name: &str) -> Result<Option<(PathBuf, String)>> {
        let path = self.folder.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some((path, text))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::state(format!("`{}`: {error}", path.display()))),
        }
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

    /// Does `work` on the database, off the threads that serve; also when whoever asked for it goes
    /// away.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let writing = self.writing.clone();
        let done = tokio::spawn(async move { writing.work(work).await });
        done.await.map_err(Error::state)?
    }

    /// Reads what may be long; writes do not wait for it.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.reading.work(work).await
    }

    /// Reads a credential; it waits for other credentials alone.
    async fn know<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.knowing.work(work).await
    }

    /// Does `work` on the database at once: for commands, which serve nobody.
    fn now<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.writing.now(work)
    }
}

/// Returns a connection that writes nothing.
fn reader(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_FOR)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn migrate(connection: &Connection) -> Result<()> {
    let version = || connection.pragma_query_value(None, "user_version", |row| row.get(0));
    let found: i64 = version()?;
    let missing = match usize::try_from(found).ok().and_then(|found| ADDED.get(found..)) {
        Some([]) => return Ok(()),
        Some(missing) => missing.concat(),
        None => {
            return Err(Error::state(format!(
                "it has version {found}, this program knows version {VERSION}"
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
fn server_key(path: &Path, owner: Owner) -> std::io::Result<[u8; 32]> {
    if !path.exists() {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(std::io::Error::other)?;
        let partial = private::write_beside(path, &key)?;
        // The first of several processes wins; all read its key below.
        let linked = std::fs::hard_link(&partial, path);
        std::fs::remove_file(&partial)?;
        if let Err(error) = linked
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            return Err(error);
        }
    }
    let key = owner.read(path)?;
    key.try_into().map_err(|_| std::io::Error::other("the server's key is damaged"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of three threads two do what takes long. Whoever waits for these holds none, so that the third
    /// is there for who logs in.
    #[test]
    fn logins_wait_for_nothing_that_others_ask() {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).max_blocking_threads(3).enable_all();
        runtime.build().unwrap().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let state = State::open(&folder.path().join("state")).unwrap();
            let (release_read, read) = std::sync::mpsc::channel::<()>();
            let (release_write, written) = std::sync::mpsc::channel::<()>();
            let mut others = tokio::task::JoinSet::new();
            for held in [Some((read, written)), None, None, None] {
                let (read, written) = held.unzip();
                let long = state.clone();
                others.spawn(async move {
                    long.read(move |_| Ok(read.is_none_or(|held| held.recv().is_err()))).await
                });
                let long = state.clone();
                others.spawn(async move {
                    long.work(move |_| Ok(written.is_none_or(|held| held.recv().is_err()))).await
                });
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let known = tokio::time::timeout(Duration::from_secs(10), state.credential("nobody"));
            let known = known.await;
            drop((release_read, release_write));
            assert!(known.expect("an answer while others wait").unwrap().is_none());
            let done = others.join_all().await;
            assert!(done.len() == 8 && done.into_iter().all(|done| done.unwrap()));
        });
    }
}
