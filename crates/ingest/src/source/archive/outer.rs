//! The file of an archive itself, told apart from what is in it.

use std::cell::OnceCell;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

/// Why an archive's own file cannot be read, once that is so. What its readers say from then on is
/// said of the file: no member is damaged.
pub(super) type Failure = OnceCell<String>;

/// Reads an archive's own file, and notes when that cannot be done.
pub(super) struct Outer<'a, R> {
    input: R,
    failure: &'a Failure,
}

impl<'a, R> Outer<'a, R> {
    /// Returns a reader of `input` that notes a failure in `failure`, the first one.
    pub(super) fn new(input: R, failure: &'a Failure) -> Outer<'a, R> {
        Outer { input, failure }
    }

    /// Returns what came of reading, and notes it where the file is to blame. (A damaged archive
    /// makes its readers ask for places that no file has.)
    fn noted<T>(&self, done: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &done
            && !matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::InvalidInput)
        {
            self.failure.get_or_init(|| error.to_string());
        }
        done
    }
}

impl<R: Read> Read for Outer<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer);
        self.noted(read)
    }
}

impl<R: Seek> Seek for Outer<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let sought = self.input.seek(to);
        self.noted(sought)
    }
}
