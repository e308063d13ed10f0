//! From a trail to files: names, gzip, folders.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use flate2::{Compression, GzBuilder};

use super::Trail;
use super::event::{push_date, push_two};

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Objects, one file each.
    pub objects: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of JSON.
    pub inflated_bytes: u64,
    /// Bytes of the files.
    pub bytes: u64,
}

/// Returns the key of a log file delivered at `delivered_at` (seconds since 1970), from `AWSLogs/`
/// on; `organization` is empty or ends in `/`. Format: AWS's "CloudTrail log file name format".
pub(crate) fn key(
    organization: &str,
    account: &str,
    region: &str,
    delivered_at: i64,
    unique: &str,
) -> String {
    let mut key = format!("AWSLogs/{organization}{account}/CloudTrail/{region}/");
    push_date(&mut key, delivered_at, "/");
    key.push_str(&format!("/{account}_CloudTrail_{region}_"));
    push_date(&mut key, delivered_at, "");
    key.push('T');
    push_two(&mut key, delivered_at.rem_euclid(86_400) / 3600);
    push_two(&mut key, delivered_at.rem_euclid(3600) / 60);
    key.push_str("Z_");
    key.push_str(unique);
    key.push_str(".json.gz");
    key
}

/// Returns `bytes` as one gzip member without a time in it: the same for the same bytes.
///
/// # Errors
/// None in practice; the signature is that of writing to memory.
pub fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let out = Vec::with_capacity(bytes.len() / 8);
    let mut encoder = GzBuilder::new().mtime(0).write(out, Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

impl Trail {
    /// Writes every object under `folder` by its key, on `threads` threads. The files are the same
    /// for any number of threads.
    ///
    /// # Errors
    /// When a file cannot be written; some of the others are there then.
    pub fn write_to(&self, folder: &Path, threads: usize) -> io::Result<Written> {
        self.write_some(folder, threads, 0..self.objects())
    }

    /// Writes the objects of `numbers` only, as [`write_to`](Self::write_to) does: a trail can be
    /// delivered in parts.
    ///
    /// # Errors
    /// As [`write_to`](Self::write_to).
    pub fn write_some(
        &self,
        folder: &Path,
        threads: usize,
        numbers: std::ops::Range<u64>,
    ) -> io::Result<Written> {
        let next = AtomicU64::new(numbers.start);
        let work = || -> io::Result<Written> {
            let mut written = Written::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= numbers.end.min(self.objects()) {
                    return Ok(written);
                }
                self.write_object(folder, number, &mut written)?;
            }
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
            let mut all = Written::default();
            for worker in workers {
                let part = worker.join().map_err(|_| io::Error::other("a writer panicked"))??;
                all.objects += part.objects;
                all.records += part.records;
                all.inflated_bytes += part.inflated_bytes;
                all.bytes += part.bytes;
            }
            Ok(all)
        })
    }

    fn write_object(&self, folder: &Path, number: u64, written: &mut Written) -> io::Result<()> {
        let object = self.object(number);
        let bytes = gzip(object.body.as_bytes())?;
        let path = folder.join(&object.key);
        let mut file = match File::create(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(path.parent().unwrap_or(folder))?;
                File::create(&path)?
            }
            opened => opened?,
        };
        file.write_all(&bytes)?;
        written.objects += 1;
        written.records += u64::from(object.records);
        written.inflated_bytes += object.body.len() as u64;
        written.bytes += bytes.len() as u64;
        Ok(())
    }
}
