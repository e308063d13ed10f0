//! A connection to the database, which one has at a time. Who waits for it holds no thread: threads
//! that may block are few, and whoever logs in needs one too.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::error::{Error, Result};

/// A connection, and the line before it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Access {
    connection: Arc<Mutex<Connection>>,
    turn: Arc<Semaphore>,
}

impl Access {
    /// Returns the access to a connection.
    pub(super) fn new(connection: Connection) -> Access {
        let connection = Arc::new(Mutex::new(connection));
        Access { connection, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Does `work` when its turn has come, off the threads that serve. Dropping the wait leaves the
    /// line.
    ///
    /// # Errors
    /// Those of `work`.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(Error::state)?;
        let connection = Arc::clone(&self.connection);
        let done = tokio::task::spawn_blocking(move || {
            let done = work(&connection.lock().unwrap_or_else(PoisonError::into_inner));
            drop(turn);
            done
        });
        done.await.map_err(Error::state)?
    }

    /// Does `work` at once, on this thread: for commands, which serve nobody.
    ///
    /// # Errors
    /// Those of `work`.
    pub(super) fn now<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        work(&self.connection.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
