//! Where answers are kept that are fetched later: a file of Arrow IPC for each, in batches of
//! exactly [`BATCH_ROWS`] rows, so that a page is found without reading what stands before it.
//!
//! A file has its name only when it is whole and durable; the query's record says that it finished
//! only after that. So a page is the same before and after a restart, or there is none.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::formats::{self, Encoder, Sink};
use crate::options::ServerOptions;
use crate::queries::Running;
use crate::state::State;

/// Rows of a batch of a kept answer: the most that a page of any protocol holds.
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
}

/// Rows of a kept answer.
pub(crate) struct Page {
    pub(crate) schema: SchemaRef,
    pub(crate) batches: Vec<RecordBatch>,
}

impl Results {
    pub(crate) fn new(options: &ServerOptions, state: &State) -> Results {
        Results {
            folder: state.results(),
            state: state.clone(),
            bytes_max: options.results_bytes_max,
            kept_for: options.results_kept,
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
        let kept = Kept { schema: Arc::clone(&running.schema), bytes_max: self.bytes_max };
        let (folder, (batches, arriving)) = (self.folder.clone(), mpsc::channel(BATCHES_AHEAD));
        let writing = tokio::task::spawn_blocking(move || {
            let files = kept.write(arriving, &main, second)?;
            Ok(publish(files, &folder)?)
        });
        let given = give(running, batches).await;
        let written = writing.await.map_err(Error::state)?;
        given.and(written)
    }

    /// Returns `limit` rows of a kept answer after the first `offset`.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not kept any more.
    pub(crate) async fn page(&self, id: Uuid, offset: u64, limit: usize) -> Result<Page> {
        let path = self.file(id, "arrow");
        let read = tokio::task::spawn_blocking(move || read_page(&path, offset, limit));
        match read.await.map_err(Error::state)? {
            Ok(page) => Ok(page),
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
        let kept = self.state.kept().await?;
        let kept_for = chrono::TimeDelta::from_std(self.kept_for).unwrap_or(chrono::TimeDelta::MAX);
        let mut total: u64 = kept.iter().map(|(_, bytes, _)| bytes).sum();
        let mut gone = Vec::new();
        for (id, bytes, ended_at) in kept {
            let old = now.signed_duration_since(ended_at) > kept_for;
            if old || total > self.bytes_max {
                total -= bytes;
                gone.push(id);
            }
        }
        self.forget(gone).await
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
            self.state.kept().await?.into_iter().map(|(id, ..)| id.to_string()).collect();
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

/// Gives all rows to a writer that may have given up, and then says why itself.
async fn give(running: &mut Running, batches: mpsc::Sender<Arriving>) -> Result<()> {
    while let Some(batch) = running.next().await? {
        if batches.send(Arriving::Rows(batch)).await.is_err() {
            return Ok(());
        }
    }
    let _ = batches.send(Arriving::End).await;
    Ok(())
}

/// What comes to a writer. A channel that is closed before the end means that the query failed.
enum Arriving {
    Rows(RecordBatch),
    End,
}

/// An answer that is being written.
struct Kept {
    schema: SchemaRef,
    bytes_max: u64,
}

impl Kept {
    /// Writes all that arrives; returns the files, the main one last, not published yet. Blocks.
    fn write(
        &self,
        mut arriving: mpsc::Receiver<Arriving>,
        main: &Path,
        second: Option<(PathBuf, Beside)>,
    ) -> Result<Vec<Partial>> {
        let main = Partial::create(main)?;
        let writer = FileWriter::try_new(main.sink(), &self.schema);
        let mut writer = writer.map_err(formats::Error::from)?;
        let mut second = match second {
            Some((path, beside)) => {
                let file = Partial::create(&path)?;
                let sink: Sink = Box::new(file.sink());
                Some((file, (beside.encoder)(&self.schema, sink)?))
            }
            None => None,
        };
        let mut coalescer = BatchCoalescer::new(Arc::clone(&self.schema), BATCH_ROWS);
        loop {
            let batch = match arriving.blocking_recv() {
                Some(Arriving::Rows(batch)) => batch,
                Some(Arriving::End) => break,
                None => return Err(Error::Cancelled),
            };
            let beside = second.as_ref().map_or(0, |(file, _)| file.written());
            if main.written() + beside > self.bytes_max {
                return Err(Error::TooLarge { limit_bytes: self.bytes_max });
            }
            if let Some((_, encoder)) = &mut second {
                encoder.write(&batch)?;
            }
            coalescer.push_batch(batch).map_err(formats::Error::from)?;
            while let Some(batch) = coalescer.next_completed_batch() {
                writer.write(&batch).map_err(formats::Error::from)?;
            }
        }
        coalescer.finish_buffered_batch().map_err(formats::Error::from)?;
        while let Some(batch) = coalescer.next_completed_batch() {
            writer.write(&batch).map_err(formats::Error::from)?;
        }
        writer.finish().map_err(formats::Error::from)?;
        drop(writer);
        let mut files = Vec::new();
        if let Some((file, mut encoder)) = second {
            encoder.finish()?;
            files.push(file);
        }
        files.push(main);
        Ok(files)
    }
}

/// A file under way; removed when dropped before it is published.
struct Partial {
    path: PathBuf,
    partial: PathBuf,
    file: Arc<Mutex<BufWriter<File>>>,
    written: Arc<AtomicU64>,
}

/// Writes into a file that somebody else publishes.
struct Shared {
    file: Arc<Mutex<BufWriter<File>>>,
    written: Arc<AtomicU64>,
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.file.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)?;
        self.written.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

impl Partial {
    fn create(path: &Path) -> Result<Partial> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = BufWriter::with_capacity(1 << 16, options.open(&partial)?);
        let (file, written) = (Arc::new(Mutex::new(file)), Arc::default());
        Ok(Partial { path: path.to_path_buf(), partial, file, written })
    }

    fn sink(&self) -> Shared {
        Shared { file: Arc::clone(&self.file), written: Arc::clone(&self.written) }
    }

    /// Bytes so far.
    fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.partial);
    }
}

/// Gives the files their names, the first of them first; returns their bytes together.
fn publish(files: Vec<Partial>, folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for file in &files {
        let mut written = file.file.lock().unwrap_or_else(PoisonError::into_inner);
        written.flush()?;
        written.get_ref().sync_all()?;
        bytes += written.get_ref().metadata()?.len();
        std::fs::rename(&file.partial, &file.path)?;
    }
    File::open(folder)?.sync_all()?;
    Ok(bytes)
}

enum ReadError {
    Missing,
    Damaged(String),
}

fn read_page(path: &Path, offset: u64, limit: usize) -> Result<Page, ReadError> {
    let damaged = |error: arrow::error::ArrowError| ReadError::Damaged(error.to_string());
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Damaged(error.to_string()),
    })?;
    let mut reader = FileReader::try_new(BufReader::new(file), None).map_err(damaged)?;
    let schema = reader.schema();
    let mut batches = Vec::new();
    let first = usize::try_from(offset / BATCH_ROWS as u64).unwrap_or(usize::MAX);
    let mut skip = (offset % BATCH_ROWS as u64) as usize;
    let mut left = limit;
    if first < reader.num_batches() {
        reader.set_index(first).map_err(damaged)?;
        for batch in reader {
            let batch = batch.map_err(damaged)?;
            let from = skip.min(batch.num_rows());
            let rows = left.min(batch.num_rows() - from);
            batches.push(batch.slice(from, rows));
            left -= rows;
            skip = 0;
            if left == 0 {
                break;
            }
        }
    }
    Ok(Page { schema, batches })
}
