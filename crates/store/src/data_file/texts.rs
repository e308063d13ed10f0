//! The texts of a column chunk: whether a dictionary pays, and how hard to compress.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes of distinct values a dictionary may have. A look-up reads all of it.
pub(super) const DICTIONARY_BYTES_MAX: usize = 1 << 20;
/// zstd's level for text in which a search for repetitions is in vain, and for what is small anyway.
pub(super) const LEVEL_LOW: i32 = 1;
/// Its level for text in which it is not. Level 9 and above cost more than they give.
pub(super) const LEVEL_HIGH: i32 = 8;
/// Text compressed for a trial: so many runs of so many bytes.
const SAMPLE_RUNS: usize = 2;
const SAMPLE_RUN_BYTES: usize = 256 * 1024;

/// The texts of a chunk, and what a look at them says.
pub(super) struct Texts<'a> {
    leaf: &'a ArrayRef,
    values: usize,
    pub mean_bytes: usize,
    /// Distinct values; none when they outgrow a dictionary.
    distinct: Option<usize>,
}

impl<'a> Texts<'a> {
    pub fn of(leaf: &'a ArrayRef) -> Texts<'a> {
        let mut seen = HashSet::new();
        let (mut looked, mut bytes, mut distinct_bytes) = (0, 0, 0);
        let mut last: Option<&[u8]> = None;
        for text in texts_from(leaf, 0) {
            looked += 1;
            bytes += text.len();
            // Rows are sorted: values that are alike often follow one another.
            if last != Some(text) && seen.insert(xxh3_64(text)) {
                distinct_bytes += text.len() + 4;
                if distinct_bytes > DICTIONARY_BYTES_MAX {
                    break;
                }
            }
            last = Some(text);
        }
        let distinct = (distinct_bytes <= DICTIONARY_BYTES_MAX).then_some(seen.len());
        let values = leaf.len() - leaf.null_count();
        Texts { leaf, values, mean_bytes: bytes / looked.max(1), distinct }
    }

    /// A dictionary costs an index for every value; it pays when a quarter of them are repetitions.
    pub fn dictionary_pays(&self) -> bool {
        self.distinct.is_some_and(|distinct| distinct * 4 <= self.values * 3)
    }

    /// Whether the higher level makes the chunk at least 3 % smaller, going by a sample.
    pub fn longer_search_pays(&self) -> bool {
        let mut sample = Vec::new();
        for run in 0..SAMPLE_RUNS {
            let end = sample.len() + SAMPLE_RUN_BYTES;
            for text in texts_from(self.leaf, self.leaf.len() * run / SAMPLE_RUNS) {
                sample.extend_from_slice(text);
                if sample.len() >= end {
                    sample.truncate(end);
                    break;
                }
            }
        }
        let size = |level| zstd::bulk::compress(&sample, level).map(|bytes| bytes.len());
        match (size(LEVEL_LOW), size(LEVEL_HIGH)) {
            (Ok(low), Ok(high)) => high * 100 <= low * 97,
            _ => false,
        }
    }
}

/// The texts from a row on, without nulls.
fn texts_from(leaf: &ArrayRef, row: usize) -> impl Iterator<Item = &[u8]> {
    let text = |row: usize| match leaf.data_type() {
        DataType::Utf8 => leaf.as_string::<i32>().value(row).as_bytes(),
        _ => leaf.as_binary::<i32>().value(row),
    };
    (row..leaf.len()).filter(|row| leaf.is_valid(*row)).map(text)
}
