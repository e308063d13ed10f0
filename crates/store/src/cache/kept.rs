//! What is immutable, kept once it was read: files of logs whole, data files by blocks.

use std::collections::HashMap;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, Result};

use super::{Known, TURNS, opening};

/// Data files are read and kept in pieces of this size: a footer with its page index mostly fits.
const BLOCK_BYTES: u64 = 1 << 20;
/// A read of so many bytes in a row is a scan: it is neither split nor kept.
const KEPT_BYTES_MAX: u64 = 16 << 20;
/// Pieces of one file that are asked for at a time.
const ASKED_AT_ONCE: usize = 10;

impl Known {
    /// A whole file of a log, as it was listed.
    pub(super) async fn log_file(&self, meta: &ObjectMeta, options: GetOptions) -> Result<Bytes> {
        let key = format!("{} {}", meta.location, opening::tag(meta));
        if let Some(bytes) = self.shelf.get(&key).await {
            return Ok(bytes);
        }
        let _turn = self.turn(&key).await;
        if let Some(bytes) = self.shelf.get(&key).await {
            return Ok(bytes);
        }
        let whole = GetOptions { extensions: options.extensions, ..GetOptions::default() };
        let got = self.ask(&meta.location, whole).await?;
        let same = is_listed_as(&got.meta, meta);
        let bytes = got.bytes().await?;
        if same {
            self.shelf.put(&key, bytes.clone()).await;
        }
        Ok(bytes)
    }

    async fn turn(&self, key: &str) -> tokio::sync::MutexGuard<'_, ()> {
        let number = xxhash_rust::xxh3::xxh3_64(key.as_bytes()) % TURNS as u64;
        self.turns[number as usize].lock().await
    }

    /// Ranges of a data file, by whole blocks. None when they are too many bytes to keep.
    pub(super) async fn blocks(
        &self,
        path: &Path,
        ranges: &[Range<u64>],
        options: &GetOptions,
    ) -> Result<Option<Vec<Bytes>>> {
        let mut wanted: Vec<u64> = ranges
            .iter()
            .flat_map(|range| blocks_of(range.start..range.end.max(range.start + 1)))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.len() as u64 * BLOCK_BYTES > KEPT_BYTES_MAX {
            return Ok(None);
        }
        let mut found = self.on_shelf(path, &wanted).await;
        if found.len() < wanted.len() {
            let first = wanted.iter().find(|block| !found.contains_key(block)).copied();
            let _turn = self.turn(&block_key(path, first.unwrap_or_default())).await;
            found.extend(self.on_shelf(path, &wanted).await);
            let missing: Vec<u64> =
                wanted.iter().copied().filter(|block| !found.contains_key(block)).collect();
            let runs = stream::iter(runs(&missing).into_iter().map(|run| async move {
                let bytes = self.fetch(path, run.clone(), options).await?;
                Ok::<_, object_store::Error>((run, bytes))
            }));
            let mut runs = runs.buffer_unordered(ASKED_AT_ONCE);
            while let Some((run, bytes)) = runs.try_next().await? {
                for block in run.clone() {
                    let start = ((block - run.start) * BLOCK_BYTES).min(bytes.len() as u64);
                    let end = (start + BLOCK_BYTES).min(bytes.len() as u64);
                    let piece = bytes.slice(start as usize..end as usize);
                    self.shelf.put(&block_key(path, block), piece.clone()).await;
                    found.insert(block, piece);
                }
            }
        }
        Ok(Some(ranges.iter().map(|range| cut(&found, range)).collect()))
    }

    async fn on_shelf(&self, path: &Path, blocks: &[u64]) -> HashMap<u64, Bytes> {
        let mut found = HashMap::new();
        for block in blocks {
            if let Some(bytes) = self.shelf.get(&block_key(path, *block)).await {
                found.insert(*block, bytes);
            }
        }
        found
    }

    /// The bytes of some blocks in a row; the last may be cut short by the end of the file.
    async fn fetch(&self, path: &Path, run: Range<u64>, options: &GetOptions) -> Result<Bytes> {
        let range = GetRange::Bounded(run.start * BLOCK_BYTES..run.end * BLOCK_BYTES);
        let extensions = options.extensions.clone();
        let options = GetOptions { range: Some(range), extensions, ..GetOptions::default() };
        self.ask(path, options).await?.bytes().await
    }
}

/// Whether a file that was read is the one that was listed. A response says the time in whole
/// seconds.
fn is_listed_as(read: &ObjectMeta, listed: &ObjectMeta) -> bool {
    match (&read.e_tag, &listed.e_tag) {
        (Some(read), Some(listed)) => read == listed,
        _ => {
            let seconds = |meta: &ObjectMeta| meta.last_modified.timestamp();
            read.size == listed.size && seconds(read) == seconds(listed)
        }
    }
}

fn block_key(path: &Path, block: u64) -> String {
    format!("{path}#{block}")
}

/// The blocks that a range lies in.
fn blocks_of(range: Range<u64>) -> Range<u64> {
    range.start / BLOCK_BYTES..range.end.div_ceil(BLOCK_BYTES)
}

/// Ascending numbers as runs without gaps.
fn runs(numbers: &[u64]) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some(run) if run.end == *number => run.end += 1,
            _ => runs.push(*number..number + 1),
        }
    }
    runs
}

/// The bytes of a range, out of blocks that hold all of it; shorter where the file ends.
fn cut(blocks: &HashMap<u64, Bytes>, range: &Range<u64>) -> Bytes {
    let mut pieces = blocks_of(range.clone()).filter_map(|number| {
        let block = blocks.get(&number)?;
        let offset = number * BLOCK_BYTES;
        let start = range.start.saturating_sub(offset).min(block.len() as u64);
        let end = (range.end - offset).min(block.len() as u64);
        Some(block.slice(start as usize..end as usize))
    });
    let first = pieces.next().unwrap_or_default();
    let mut rest = pieces.peekable();
    if rest.peek().is_none() {
        return first;
    }
    let mut whole = BytesMut::from(first);
    rest.for_each(|piece| whole.extend_from_slice(&piece));
    whole.freeze()
}
