//! Limits on time and rows. A limit that is hit is an error, never a shorter answer.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Sleep;

use crate::error::{Error, Result};

/// What one query may still use.
pub(crate) struct Limits {
    rows: u64,
    rows_max: Option<u64>,
    timeout: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl Limits {
    /// Returns limits whose time runs from now on.
    pub(crate) fn start(rows_max: Option<u64>, timeout: Option<Duration>) -> Limits {
        let timeout = timeout.map(|limit| (limit, Box::pin(tokio::time::sleep(limit))));
        Limits { rows: 0, rows_max, timeout }
    }

    /// Does `work`, unless the time is over first; `work` is dropped then.
    ///
    /// # Errors
    /// [`Error::Time`].
    pub(crate) async fn within<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        let Some((limit, sleep)) = &mut self.timeout else { return Ok(work.await) };
        tokio::select! {
            biased;
            () = sleep.as_mut() => Err(Error::Time { limit: *limit }),
            done = work => Ok(done),
        }
    }

    /// Counts rows of the answer.
    ///
    /// # Errors
    /// [`Error::Rows`] when there are more than allowed.
    pub(crate) fn count(&mut self, rows: usize) -> Result<()> {
        self.rows += rows as u64;
        match self.rows_max {
            Some(limit) if self.rows > limit => Err(Error::Rows { limit }),
            _ => Ok(()),
        }
    }

    /// Rows of the answer so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }
}
