//! Bytes set aside on disk, in files without a name: they go with the process, however it ends.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

/// Bytes on disk that can be read any number of times.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    file: Arc<File>,
    /// Where in the file they begin.
    start: u64,
    bytes: u64,
}

impl Spool {
    /// Sets aside everything that `fill` writes.
    pub(crate) fn write<T>(
        folder: &Path,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> io::Result<(Spool, T)> {
        let file = Arc::new(tempfile::tempfile_in(folder)?);
        Spool { file, start: 0, bytes: 0 }.write_behind(fill)
    }

    /// Sets aside everything that `fill` writes in the same file, behind these bytes, which are the
    /// last in it: thousands of pieces take one file of those that a process may have open.
    pub(crate) fn write_behind<T>(
        &self,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> io::Result<(Spool, T)> {
        let start = self.start + self.bytes;
        let mut end: &File = &self.file;
        end.seek(SeekFrom::Start(start))?;
        let mut output = io::BufWriter::with_capacity(1 << 18, end);
        let result = fill(&mut output)?;
        let mut end = output.into_inner().map_err(io::IntoInnerError::into_error)?;
        let bytes = end.stream_position()? - start;
        Ok((Spool { file: self.file.clone(), start, bytes }, result))
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
        let left = self.spool.bytes.saturating_sub(self.at);
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let (buffer, at) = (&mut buffer[..most], self.spool.start.saturating_add(self.at));
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(&*self.spool.file, buffer, at)?;
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(&*self.spool.file, buffer, at)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_one_file_are_read_apart() {
        let folder = tempfile::tempdir().unwrap();
        let texts: Vec<String> = (0..50).map(|n| format!("{n},").repeat(n * 997)).collect();
        let mut pieces: Vec<Spool> = Vec::new();
        for text in &texts {
            let bytes = text.as_bytes();
            let written = match pieces.last() {
                None => Spool::write(folder.path(), |output| output.write_all(bytes)),
                Some(last) => last.write_behind(|output| output.write_all(bytes)),
            };
            pieces.push(written.unwrap().0);
        }
        let first = &pieces[0].file;
        assert!(pieces.iter().all(|piece| Arc::ptr_eq(&piece.file, first)));
        for (piece, text) in pieces.iter().zip(&texts) {
            assert_eq!(piece.len(), text.len() as u64);
            let (mut whole, mut rest) = (String::new(), String::new());
            piece.reader().read_to_string(&mut whole).unwrap();
            assert!(whole == *text, "{} bytes of {}", whole.len(), text.len());
            let mut reader = piece.reader();
            let half = reader.seek(SeekFrom::End(-(text.len() as i64 / 2))).unwrap();
            reader.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, text[half as usize..]);
            // What is behind belongs to the next.
            assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
        }
    }
}
