//! A list of keys in a file.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::super::Bucket;
use super::super::walk::Met;
use super::fault;
use super::lines::Lines;

/// A list of keys in a file: a key, or an `s3://` URL, a line. It may be larger than memory, and is
/// read more than once.
#[derive(Debug, Clone)]
pub struct KeyList {
    file: PathBuf,
    /// Where keys are that name no bucket.
    bucket: Option<String>,
}

impl KeyList {
    /// Returns the list in a file; keys that name no bucket are in `bucket`.
    pub fn new(file: PathBuf, bucket: Option<String>) -> KeyList {
        KeyList { file, bucket }
    }

    /// Reads all of it, and returns the buckets that its lines name, and the first line that names
    /// none.
    ///
    /// # Errors
    /// When it cannot be read, or can be read only once.
    pub fn buckets(&self) -> io::Result<(BTreeSet<String>, Option<String>)> {
        if !std::fs::metadata(&self.file)?.is_file() {
            return Err(io::Error::other("it is no file, and a list is read more than once"));
        }
        let mut buckets = BTreeSet::new();
        let mut lines = self.lines()?;
        while let Some(line) = lines.next()? {
            match self.named(line) {
                _ if line.is_empty() => {}
                None => return Ok((buckets, Some(line.to_owned()))),
                Some((bucket, _)) if buckets.contains(bucket) => {}
                Some((bucket, _)) => {
                    buckets.insert(bucket.to_owned());
                }
            }
        }
        Ok((buckets, None))
    }

    /// Calls `met` with each key that is in a bucket, until it returns false.
    pub(super) fn list(&self, bucket: &Bucket, met: &mut dyn FnMut(Met) -> bool) {
        let wrong = |error: &io::Error| fault(&self.file.display().to_string(), error);
        let mut lines = match self.lines() {
            Ok(lines) => lines,
            Err(error) => {
                met(wrong(&error));
                return;
            }
        };
        loop {
            let found = match lines.next() {
                Ok(None) => return,
                Err(error) => wrong(&error),
                Ok(Some(line)) => match self.named(line) {
                    Some((of, key)) if of == bucket.name && !line.is_empty() => {
                        Met::Key(key.to_owned())
                    }
                    _ => continue,
                },
            };
            if !met(found) {
                return;
            }
        }
    }

    fn lines(&self) -> io::Result<Lines<File>> {
        File::open(&self.file).map(Lines::of)
    }

    /// Returns bucket and key of a line; none where it names no bucket, and nobody else does.
    fn named<'a>(&'a self, line: &'a str) -> Option<(&'a str, &'a str)> {
        let url = line.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
        url.or_else(|| self.bucket.as_deref().map(|bucket| (bucket, line)))
    }
}
