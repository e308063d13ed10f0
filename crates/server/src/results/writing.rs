//! How does the file of a kept answer come to be? Under another name, which it loses when it is
//! whole; what is under way when it is given up is removed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tokio::sync::mpsc;

use super::Beside;
use super::batches::Batches;
use crate::error::{Error, Result};
use crate::formats::{self, Sink};
use crate::queries::Running;

/// The files that are being written, all together.
#[derive(Default)]
pub(super) struct UnderWay {
    files: AtomicU64,
    pub(super) bytes: AtomicU64,
}

/// Gives all rows to a writer that may have given up, and then says why itself.
pub(super) async fn give(running: &mut Running, batches: mpsc::Sender<Arriving>) -> Result<()> {
    while let Some(batch) = running.next().await? {
        if batches.send(Arriving::Rows(batch)).await.is_err() {
            return Ok(());
        }
    }
    let _ = batches.send(Arriving::End).await;
    Ok(())
}

/// What comes to a writer. A channel that is closed before the end means that the query failed.
pub(super) enum Arriving {
    Rows(RecordBatch),
    End,
}

/// An answer that is being written.
pub(super) struct Kept {
    pub(super) schema: SchemaRef,
    pub(super) bytes_max: u64,
    pub(super) under_way: Arc<UnderWay>,
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
    pub(super) fn write(
        &self,
        mut arriving: mpsc::Receiver<Arriving>,
        main: &Path,
        second: Option<(PathBuf, Beside)>,
    ) -> Result<Vec<Partial>> {
        let main = Partial::create(main, &self.under_way)?;
        let batches = Batches::begin(main.sink(), &self.schema);
        let mut batches = batches.map_err(formats::Error::from)?;
        let mut second = match second {
            Some((path, beside)) => {
                let file = Partial::create(&path, &self.under_way)?;
                let sink: Sink = Box::new(file.sink());
                Some((file, (beside.encoder)(&self.schema, sink)?))
            }
            None => None,
        };
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
            batches.push(&batch).map_err(formats::Error::from)?;
        }
        batches.finish().map_err(formats::Error::from)?;
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
pub(super) struct Partial {
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
pub(super) fn publish(files: Vec<Partial>, folder: &Path) -> std::io::Result<u64> {
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
