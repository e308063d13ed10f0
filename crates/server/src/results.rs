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
use crate::state::{QueryRecord, State};

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
    under_way: Arc<UnderWay>,
}

/// The files that are being written, all together.
#[derive(Default)]
struct UnderWay {
    files: AtomicU64,
    bytes: AtomicU64,
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
            under_way: Arc::default(),
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
        let mut total: u64 = kept.iter().map(|(_, bytes, _)| bytes).sum();
        total += self.under_way.bytes.load(Ordering::Relaxed);
        let mut gone = Vec::new();
        for (id, bytes, ended_at) in kept {
            if self.is_old(ended_at, now) || total > self.bytes_max {
                total -= bytes;
                gone.push(id);
            }
        }
        self.forget(gone).await
    }

    fn is_old(&self, ended_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let kept_for = chrono::TimeDelta::from_std(self.kept_for).unwrap_or(chrono::TimeDelta::MAX);
        now.signed_duration_since(ended_at) > kept_for
    }

    /// Returns the record without its kept answer when that was kept long enough: it is gone also
    /// where nobody has removed it yet.
    pub(crate) fn as_kept(&self, mut record: QueryRecord, now: DateTime<Utc>) -> QueryRecord {
        if record.ended_at.is_some_and(|ended_at| self.is_old(ended_at, now)) {
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
    under_way: Arc<UnderWay>,
}

impl Kept {
    /// Whether an answer of so many bytes is one too large: by itself, or where all under way
    /// together are too large and it is no smaller than most.
    fn is_too_large(&self, bytes: u64) -> bool {
        let files = self.under_way.files.load(Ordering::Relaxed);
        let all = self.under_way.bytes.load(Ordering::Relaxed);
        bytes > self.bytes_max || all > self.bytes_max && bytes.saturating_mul(files) >= all
    }

    /// Writes all that arrives; returns the files, the main one last, not published yet. Blocks.
    fn write(
        &self,
        mut arriving: mpsc::Receiver<Arriving>,
        main: &Path,
        second: Option<(PathBuf, Beside)>,
    ) -> Result<Vec<Partial>> {
        let main = Partial::create(main, &self.under_way)?;
        let writer = FileWriter::try_new(main.sink(), &self.schema);
        let mut writer = writer.map_err(formats::Error::from)?;
        let mut second = match second {
            Some((path, beside)) => {
                let file = Partial::create(&path, &self.under_way)?;
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
            if self.is_too_large(main.written() + beside) {
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
    written: Arc<Written>,
}

/// Writes into a file that somebody else publishes.
struct Shared {
    file: Arc<Mutex<BufWriter<File>>>,
    written: Arc<Written>,
}

/// The bytes of a file under way, which count among those of all.
struct Written {
    bytes: AtomicU64,
    all: Arc<UnderWay>,
}

impl Written {
    fn begin(all: &Arc<UnderWay>) -> Written {
        all.files.fetch_add(1, Ordering::Relaxed);
        Written { bytes: AtomicU64::new(0), all: Arc::clone(all) }
    }

    fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.all.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        self.all.files.fetch_sub(1, Ordering::Relaxed);
        self.all.bytes.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.file.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)?;
        self.written.add(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

impl Partial {
    fn create(path: &Path, under_way: &Arc<UnderWay>) -> Result<Partial> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = BufWriter::with_capacity(1 << 16, options.open(&partial)?);
        let (file, written) = (Arc::new(Mutex::new(file)), Arc::new(Written::begin(under_way)));
        Ok(Partial { path: path.to_path_buf(), partial, file, written })
    }

    fn sink(&self) -> Shared {
        Shared { file: Arc::clone(&self.file), written: Arc::clone(&self.written) }
    }

    /// Bytes so far.
    fn written(&self) -> u64 {
        self.written.bytes.load(Ordering::Relaxed)
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
