//! Bytes set aside on disk, in files without a name: they go with the process, however it ends.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

/// Bytes on disk that can be read any number of times.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    file: Arc<File>,
    bytes: u64,
}

impl Spool {
    /// Sets aside everything that `fill` writes.
    pub(crate) fn write<T>(
        folder: &Path,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> io::Result<(Spool, T)> {
        let mut output = io::BufWriter::with_capacity(1 << 18, tempfile::tempfile_in(folder)?);
        let result = fill(&mut output)?;
        let file = output.into_inner().map_err(io::IntoInnerError::into_error)?;
        let bytes = file.metadata()?.len();
        Ok((Spool { file: Arc::new(file), bytes }, result))
    }

    /// Returns the number of bytes.
    pub(crate) fn len(&self) -> u64 {
        self.bytes
    }

    /// Returns a reader from the start, independent of all others.
    pub(crate) fn reader(&self) -> SpoolReader {
        SpoolReader { spool: self.clone(), at: 0 }
    }
}

/// Reads a [`Spool`].
#[derive(Debug)]
pub(crate) struct SpoolReader {
    spool: Spool,
    at: u64,
}

impl Read for SpoolReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(&*self.spool.file, buffer, self.at)?;
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(&*self.spool.file, buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for SpoolReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.spool.bytes.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
