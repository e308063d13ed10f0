//! What a stored object is made of: container, limits, hashes.

pub mod archive;
pub(crate) mod inflate;
mod zip_directory;

use std::io::{self, Read};

use self::inflate::{Inflate, Measured};
use crate::envelope::is_lake_export;
use crate::form::looks_like_log;

/// Inflated bytes below which no ratio is judged.
pub(crate) const RATIO_FREE_BYTES: u64 = 16 << 20;

/// Bounds on what one object may cost. Each, when hit, is named in the reason of a reject.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Inflated bytes of one object.
    pub inflated_bytes_max: u64,
    /// Inflated over compressed bytes, judged from the first 16 MB on.
    pub inflation_ratio_max: u64,
    /// Bytes of one record.
    pub record_bytes_max: usize,
    /// Inflated bytes that [`inspect`] keeps; a larger object is read a second time.
    pub in_memory_bytes_max: usize,
    /// Rows of one batch.
    pub batch_rows_max: usize,
    /// Bytes of one batch, approximately.
    pub batch_bytes_max: usize,
    /// Brackets within brackets, in one record.
    pub json_depth_max: usize,
    /// Bytes that one reject keeps of its record.
    pub reject_bytes_max: usize,
    /// Bytes that the rejects of one object keep together; further ones are only counted.
    pub rejects_bytes_max: usize,
    /// Members of one archive, nested ones included.
    pub archive_members_max: u64,
    /// Bytes of all members of one archive, as stored in it.
    pub archive_bytes_max: u64,
    /// Archives within archives, the outermost being 1.
    pub archive_depth_max: u32,
    /// Bytes of a zip within another archive: its directory stands at its end, so it is held.
    pub archive_nested_zip_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            inflated_bytes_max: 64 << 30,
            inflation_ratio_max: 500,
            record_bytes_max: 16 << 20,
            in_memory_bytes_max: 64 << 20,
            batch_rows_max: 8_192,
            batch_bytes_max: 16 << 20,
            json_depth_max: 2_048,
            reject_bytes_max: 1 << 20,
            rejects_bytes_max: 16 << 20,
            archive_members_max: 2_000_000,
            archive_bytes_max: 1 << 40,
            archive_depth_max: 2,
            archive_nested_zip_bytes_max: 128 << 20,
        }
    }
}

/// Why an object is refused as a whole: none of its records become rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectFault {
    /// No bytes at all.
    #[error("empty object")]
    Empty,
    /// A gzip or zstd stream that ends early.
    #[error("{container} stream cut short after {inflated_bytes} inflated bytes")]
    Truncated {
        /// `gzip` or `zstd`.
        container: &'static str,
        /// Bytes that could be inflated.
        inflated_bytes: u64,
    },
    /// A gzip or zstd stream that does not decode, or whose checksum is wrong.
    #[error("{container} stream corrupt after {inflated_bytes} inflated bytes: {reason}")]
    Corrupt {
        /// `gzip` or `zstd`.
        container: &'static str,
        /// Bytes that could be inflated.
        inflated_bytes: u64,
        /// What the decoder says.
        reason: String,
    },
    /// Bytes after the first gzip member. CloudTrail writes one, and digests vouch for that one.
    #[error("bytes after the first gzip member, at byte {at}")]
    BytesAfterMember {
        /// Offset of the first such byte in the stored object.
        at: u64,
    },
    /// More inflated bytes than the limit.
    #[error("inflates to more than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A higher ratio of inflated to compressed bytes than the limit.
    #[error("inflates to more than {limit} times its size")]
    Bomb {
        /// The limit.
        limit: u64,
    },
    /// Brackets that do not match between two records: no valid log starts like this, so where its
    /// records begin and end is not known.
    #[error("malformed at byte {at}, after {records} records: {reason}")]
    Malformed {
        /// Offset in the inflated bytes.
        at: u64,
        /// Records before.
        records: u64,
        /// What is wrong there.
        reason: &'static str,
    },
    /// Text in UTF-16, as PowerShell's `>` writes it. Its records would have other bytes than those
    /// that CloudTrail wrote.
    #[error("UTF-16 text, convert it to UTF-8")]
    Utf16,
    /// A compression that is not read.
    #[error("compressed with {compression}, which is not read: unpack it, or pack it with gzip")]
    Packed {
        /// `xz` or `bzip2`.
        compression: &'static str,
    },
    /// A compression within another. CloudTrail compresses once, and digests vouch for what is
    /// inside.
    #[error("compressed twice, the inner time with {compression}: unpack it once")]
    PackedTwice {
        /// `gzip` or `zstd`.
        compression: &'static str,
    },
    /// The object changed between two readings.
    #[error("changed while it was read")]
    Changed,
}

/// What holds the log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// The bytes themselves.
    Plain,
    /// One gzip member.
    Gzip,
    /// Zstandard frames.
    Zstd,
}

/// One reading of an object: hashed, and inflated when it is small enough to hold.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// SHA-256 of the bytes as stored.
    pub sha256: [u8; 32],
    /// SHA-256 of the inflated bytes, of what could be inflated if there is a fault.
    pub inflated_sha256: [u8; 32],
    /// Bytes as stored.
    pub compressed_bytes: u64,
    /// Inflated bytes.
    pub inflated_bytes: u64,
    /// What held them.
    pub container: Container,
    /// The inflated bytes; nothing when they are more than `Limits::in_memory_bytes_max`.
    pub inflated: Option<Vec<u8>>,
    /// The object is refused as a whole.
    pub fault: Option<ObjectFault>,
}

/// Returns hashes and content of one object, read once to its end.
///
/// # Errors
/// Only when `input` cannot be read; what is wrong with the content is in `fault`.
pub fn inspect(input: &mut dyn Read, limits: &Limits) -> io::Result<Inspected> {
    let mut inflate = Inflate::new(input, limits)?;
    let (inflated, ended) = read_up_to(&mut inflate, limits.in_memory_bytes_max)?;
    let measured = inflate.finish()?;
    Ok(measured.with(ended.then_some(inflated)))
}

/// Reads at most `bytes_max` bytes; also returns whether the reader ended there.
pub(crate) fn read_up_to(input: &mut dyn Read, bytes_max: usize) -> io::Result<(Vec<u8>, bool)> {
    const STEP_BYTES: usize = 64 << 10;
    let mut bytes = Vec::new();
    let mut filled = 0;
    while filled <= bytes_max {
        bytes.resize(filled + STEP_BYTES.min(bytes_max + 1 - filled), 0);
        let read = input.read(&mut bytes[filled..])?;
        if read == 0 {
            bytes.truncate(filled);
            return Ok((bytes, true));
        }
        filled += read;
    }
    Ok((bytes, false))
}

/// Returns whether an object is no log, judged by its first bytes: what they inflate to starts
/// neither as JSON nor with a time, as lines of CloudWatch Logs do, and has no keys of CloudTrail's
/// records in its first 64 KB, nor a column of them. Archives are foreign too; what is compressed
/// in a way that is not read may be a log.
pub fn is_foreign(head: &[u8]) -> bool {
    let mut input = head;
    let Ok(mut inflate) = Inflate::new(&mut input, &Limits::default()) else { return false };
    let Ok((start, _)) = read_up_to(&mut inflate, FOREIGN_START_BYTES) else { return false };
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if head.is_empty() || matches!(first, None | Some(b'{' | b'[' | b'0'..=b'9')) {
        return false;
    }
    if packed(&start).is_some() {
        return false;
    }
    let skipped = start.len() - text.len();
    let more = read_up_to(&mut inflate, FOREIGN_HEAD_BYTES).unwrap_or_default().0;
    let start = [start, more].concat();
    !looks_like_log(&start) && !is_lake_export(&start[skipped..])
}

/// Returns why bytes without their container are compressed still, judged by the first of them.
pub(crate) fn packed(inflated: &[u8]) -> Option<ObjectFault> {
    match inflated {
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(ObjectFault::Packed { compression: "xz" }),
        // Behind the level a block's first byte, or that of the end: a text may start with `BZh`.
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31 | 0x17, ..] => {
            Some(ObjectFault::Packed { compression: "bzip2" })
        }
        _ => match Container::of(inflated) {
            Container::Plain => None,
            inner => Some(ObjectFault::PackedTwice { compression: inner.name() }),
        },
    }
}

/// Bytes that tell JSON and times from other text.
const FOREIGN_START_BYTES: usize = 63;
/// Bytes in which keys of records are looked for.
const FOREIGN_HEAD_BYTES: usize = 64 << 10;

impl Measured {
    pub(crate) fn with(self, inflated: Option<Vec<u8>>) -> Inspected {
        Inspected {
            sha256: self.sha256,
            inflated_sha256: self.inflated_sha256,
            compressed_bytes: self.compressed_bytes,
            inflated_bytes: self.inflated_bytes,
            container: self.container,
            inflated,
            fault: self.fault,
        }
    }
}

impl Container {
    /// Returns the container that an object's first four bytes name.
    pub fn of(head: &[u8]) -> Container {
        match head {
            [0x1f, 0x8b, ..] => Container::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Container::Zstd,
            _ => Container::Plain,
        }
    }

    /// Returns its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Container::Plain => "plain",
            Container::Gzip => "gzip",
            Container::Zstd => "zstd",
        }
    }
}
