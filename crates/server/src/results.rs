//! Where answers are kept that are fetched later: a file of Arrow IPC for each, in batches of at
//! most [`BATCH_ROWS`] rows and about 8 MiB. The file tells at its end how many rows each batch has,
//! so that a page is found without reading what stands before it.
//!
//! | module | the question it answers |
//! |---|---|
//! | `batches` | how are rows put into batches? |
//! | `writing` | how does a file come to be, whole or not at all? |
//! | `pages` | which batches is a page made from, and how many pages are read at once? |
//!
//! A file has its name only when it is whole and durable; the query's record says that it finished
//! only after that. So a page is the same before and after a restart, or there is none.

mod batches;
mod pages;
mod writing;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;
use uuid::Uuid;

pub(crate) use pages::Page;
use pages::{Plan, ReadError, Room};
use writing::{Kept, UnderWay, give, publish};

use crate::error::{Error, Result};
use crate::formats::{self, Encoder, Sink};
use crate::options::ServerOptions;
use crate::queries::Running;
use crate::state::{QueryRecord, State};

/// The most rows of a batch of a kept answer, and of a page of any protocol.
pub(crate) const BATCH_ROWS: usize = 1_000;

/// Batches that may wait to be written.
const BATCHES_AHEAD: usize = 2;

/// A second form of an answer, kept beside the first.
pub(crate) struct Beside {
    /// What its file's name ends in.
    pub(crate) ending: &'static str,
    /// Makes its encoder.
    pub(crate) encoder: fn(&SchemaRef, Sink) -> formats::Result<Box<dyn Encoder>>,
}

/// The kept answers of a server.
pub(crate) struct Results {
    folder: PathBuf,
    state: State,
    bytes_max: u64,
    kept_for: Duration,
    under_way: Arc<UnderWay>,
    room: Room,
}

impl Results {
    pub(crate) fn new(options: &ServerOptions, state: &State) -> Results {
        Results {
            folder: state.results(),
            state: state.clone(),
            bytes_max: options.results_bytes_max,
            kept_for: options.results_kept,
            under_way: Arc::default(),
            room: Room::new(),
        }
    }

    /// Writes the rows of a query into its file; returns the bytes it takes. The file is written off
    /// the threads that serve.
    ///
    /// # Errors
    /// The query's; when the file cannot be written.
    pub(crate) async fn write(&self, running: &mut Running, beside: Option<Beside>) -> Result<u64> {
        let id = running.id();
        let main = self.file(id, "arrow");
        let second = beside.map(|beside| (self.file(id, beside.ending), beside));
        let kept = Kept {
            schema: Arc::clone(&running.schema),
            bytes_max: self.bytes_max,
            under_way: Arc::clone(&self.under_way),
        };
        let (folder, (batches, arriving)) = (self.folder.clone(), mpsc::channel(BATCHES_AHEAD));
        let writing = tokio::task::spawn_blocking(move || {
            let files = kept.write(arriving, &main, second)?;
            Ok(publish(files, &folder)?)
        });
        let given = give(running, batches).await;
        let written = writing.await.map_err(Error::state)?;
        given.and(written)
    }

    /// Returns up to `limit` rows of a kept answer after the first `offset`: fewer at its end, and
    /// where rows have more bytes than a page holds. While there is no room the page waits.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not kept any more.
    pub(crate) async fn page(&self, id: Uuid, offset: u64, limit: usize) -> Result<Page> {
        let bytes = self.read(id, pages::list_bytes).await?;
        let room = self.room.of(bytes).await?;
        let planned = self.read(id, move |path| {
            let _room = room;
            Plan::of(path, offset, limit)
        });
        let plan = planned.await?;
        let room = self.room.of(plan.bytes()).await?;
        self.read(id, move |path| plan.page(path, room)).await
    }

    /// Reads something of a kept answer's file, off the threads that serve.
    async fn read<T: Send + 'static>(
        &self,
        id: Uuid,
        read: impl FnOnce(&Path) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T> {
        let path = self.file(id, "arrow");
        match tokio::task::spawn_blocking(move || read(&path)).await.map_err(Error::state)? {
            Ok(read) => Ok(read),
            Err(ReadError::Missing) => Err(Error::not_found("kept answer", id.to_string())),
            Err(ReadError::Damaged(reason)) => Err(Error::state(reason)),
        }
    }

    /// Returns the file of a kept answer's second form.
    pub(crate) fn file(&self, id: Uuid, ending: &str) -> PathBuf {
        self.folder.join(format!("{id}.{ending}"))
    }

    /// Removes answers that were kept long enough, and the oldest while there are too many bytes.
    ///
    /// # Errors
    /// When the state cannot be used.
    pub(crate) async fn sweep(&self, now: DateTime<Utc>) -> Result<()> {
        let under_way = self.under_way.bytes.load(Ordering::Relaxed);
        let bytes_max = self.bytes_max.saturating_sub(under_way);
        self.forget(self.state.kept_no_longer(self.kept_since(now), bytes_max).await?).await
    }

    /// Answers of queries that ended before are kept no longer.
    fn kept_since(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let kept_for = TimeDelta::from_std(self.kept_for).unwrap_or(TimeDelta::MAX);
        now.checked_sub_signed(kept_for).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// Returns the record without its kept answer when that was kept long enough: it is gone also
    /// where nobody has removed it yet.
    pub(crate) fn as_kept(&self, mut record: QueryRecord, now: DateTime<Utc>) -> QueryRecord {
        if record.ended_at.is_some_and(|ended_at| ended_at < self.kept_since(now)) {
            record.result_bytes = 0;
        }
        record
    }

    /// Removes answers.
    ///
    /// # Errors
    /// When the state cannot be used.
    pub(crate) async fn forget(&self, gone: Vec<Uuid>) -> Result<()> {
        if gone.is_empty() {
            return Ok(());
        }
        // First the record, then the file: what is on record is there.
        self.state.not_kept(gone.clone()).await?;
        let file = |id: &Uuid, ending| self.file(*id, ending);
        let files: Vec<PathBuf> = gone
            .iter()
            .flat_map(|id| ["arrow", "csv", "txt"].map(|ending| file(id, ending)))
            .collect();
        let removed = tokio::task::spawn_blocking(move || {
            for file in files {
                let _ = std::fs::remove_file(file);
            }
        });
        removed.await.map_err(Error::state)
    }

    /// Removes files that no record tells of: a server that was killed has left them.
    ///
    /// # Errors
    /// When the state or the folder cannot be used.
    pub(crate) async fn remove_strays(&self) -> Result<()> {
        let kept: HashSet<String> =
            self.state.kept().await?.into_iter().map(|id| id.to_string()).collect();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let whole = !name.ends_with(".partial");
            if !(whole && name.split('.').next().is_some_and(|id| kept.contains(id))) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}
