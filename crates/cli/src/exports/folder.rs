//! The folder of an export: files are written beside their name, then renamed; readable by their
//! owner only, as the lake itself is.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use sha2::{Digest, Sha256};
use tempfile::{Builder, TempPath};

use crate::failure::Problem;

/// The file that says what an export holds.
const MANIFEST: &str = "manifest.json";

/// A file of an export, as its manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportedFile {
    /// Its path from the export's folder.
    pub path: String,
    /// Events or rows in it.
    pub events: u64,
    /// Its bytes.
    pub bytes: u64,
    /// SHA-256 of them, in hexadecimal.
    pub sha256: String,
}

/// The folder of an export.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
}

/// A file under way.
#[derive(Debug)]
pub struct Partial {
    path: TempPath,
    measured: Arc<Mutex<Measured>>,
}

/// What went into a file.
#[derive(Debug, Default)]
struct Measured {
    bytes: u64,
    hash: Sha256,
}

impl Folder {
    /// Takes a folder that is empty, or makes it.
    pub fn create(root: &Path) -> anyhow::Result<Folder> {
        let failed = |error: io::Error| {
            Problem::new(format!("could not write to `{}`", root.display())).because(error)
        };
        if root.exists() {
            let mut entries = fs::read_dir(root).map_err(failed)?;
            if entries.next().is_some() {
                return Err(Problem::new(format!("`{}` is not empty", root.display()))
                    .hint("name a folder that is empty or does not exist")
                    .into());
            }
        }
        make_folder(root).map_err(failed)?;
        Ok(Folder { root: root.to_path_buf() })
    }

    /// Begins a file without a name yet.
    pub fn begin(&self) -> anyhow::Result<(Partial, Box<dyn Write + Send>)> {
        let file = Builder::new()
            .prefix(".traillake-")
            .suffix(".partial")
            .tempfile_in(&self.root)
            .map_err(|error| self.failed(error))?;
        let (file, path): (File, TempPath) = file.into_parts();
        let measured = Arc::new(Mutex::new(Measured::default()));
        let (root, measuring) = (self.root.clone(), measured.clone());
        let sink = Measuring { inner: file, root, measured: measuring };
        Ok((Partial { path, measured }, Box::new(BufWriter::new(sink))))
    }

    /// Gives a file that is complete its name, which `name` makes from the SHA-256 of its bytes. The
    /// sink must be flushed.
    pub fn finish(
        &self,
        partial: Partial,
        events: u64,
        name: impl FnOnce(&[u8; 32]) -> String,
    ) -> anyhow::Result<ExportedFile> {
        let (bytes, hash) = partial.measured();
        let path = name(&hash);
        let target = self.root.join(&path);
        if let Some(folder) = target.parent() {
            make_folder(folder).map_err(|error| self.failed(error))?;
        }
        partial.path.persist_noclobber(&target).map_err(|error| self.failed(error.error))?;
        let sha256 = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(ExportedFile { path, events, bytes, sha256 })
    }

    /// Writes the manifest, which makes the export whole.
    pub fn close(&self, manifest: &serde_json::Value) -> anyhow::Result<()> {
        let (partial, mut sink) = self.begin()?;
        serde_json::to_writer_pretty(&mut sink, manifest)?;
        sink.write_all(b"\n")?;
        sink.flush()?;
        drop(sink);
        self.finish(partial, 0, |_| MANIFEST.to_owned())?;
        Ok(())
    }

    fn failed(&self, error: io::Error) -> anyhow::Error {
        Problem::new(format!("could not write to `{}`", self.root.display())).because(error)
    }
}

impl Partial {
    fn measured(&self) -> (u64, [u8; 32]) {
        let measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        (measured.bytes, measured.hash.clone().finalize().into())
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Counts and hashes what is written. What cannot be written is told with the folder, whichever
/// format it was to be.
struct Measuring {
    inner: File,
    root: PathBuf,
    measured: Arc<Mutex<Measured>>,
}

impl Write for Measuring {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes).map_err(|error| told(&self.root, &error))?;
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        measured.bytes += written as u64;
        measured.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush().map_err(|error| told(&self.root, &error))
    }
}

/// Returns the failure of a write with its place.
fn told(root: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("could not write to `{}`: {error}", root.display()))
}
