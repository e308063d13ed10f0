//! Which batches is a page made from, and how many pages are read at once? A file lists its batches
//! at its end, and tells how many rows each has; one that an earlier version wrote does not, and
//! has [`BATCH_ROWS`] in each but the last. So what a page takes is known before any of it is read.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::{Buffer, MutableBuffer};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::{FileDecoder, read_footer_length};
use arrow::ipc::{Block, MetadataVersion, root_as_footer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::BATCH_ROWS;
use super::batches::ROWS;
use crate::error::{Error, Result};

/// Bytes that all pages take together while they are read; one that takes more is read alone.
const ROOM: u32 = 64 << 20;
/// Bytes of batches that are wholly on a page, after which it has no further row. They are several
/// times what a protocol writes of a page.
const PAGE_BYTES: u64 = 32 << 20;
/// Bytes behind the list of batches, which tell how long it is.
const TRAILER: usize = 10;

/// Rows of a kept answer.
pub(crate) struct Page {
    pub(crate) schema: SchemaRef,
    pub(crate) batches: Vec<RecordBatch>,
    /// What they take of the room for pages.
    _room: OwnedSemaphorePermit,
}

/// Why a file cannot be read.
pub(super) enum ReadError {
    Missing,
    Damaged(String),
}

impl From<std::io::Error> for ReadError {
    fn from(error: std::io::Error) -> ReadError {
        match error.kind() {
            std::io::ErrorKind::NotFound => ReadError::Missing,
            _ => ReadError::Damaged(error.to_string()),
        }
    }
}

impl From<ArrowError> for ReadError {
    fn from(error: ArrowError) -> ReadError {
        ReadError::Damaged(error.to_string())
    }
}

/// The room that all pages together have while they are read.
pub(super) struct Room {
    permits: Arc<Semaphore>,
}

impl Room {
    pub(super) fn new() -> Room {
        Room { permits: Arc::new(Semaphore::new(ROOM as usize)) }
    }

    /// Waits for room for so many bytes, or for all the room there is.
    ///
    /// # Errors
    /// When the room is closed, which it never is.
    pub(super) async fn of(&self, bytes: u64) -> Result<OwnedSemaphorePermit> {
        let permits = u32::try_from(bytes).unwrap_or(ROOM).clamp(1, ROOM);
        Arc::clone(&self.permits).acquire_many_owned(permits).await.map_err(Error::state)
    }
}

/// What is read for a page.
pub(super) struct Plan {
    schema: SchemaRef,
    version: MetadataVersion,
    dictionaries: Vec<Block>,
    parts: Vec<Part>,
}

/// Rows of one batch.
struct Part {
    block: Block,
    /// Rows before them in the batch.
    skip: usize,
    rows: usize,
}

impl Plan {
    /// Looks where a file has the `limit` rows after the first `offset`, or as many of them as a
    /// page holds. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn of(path: &Path, offset: u64, limit: usize) -> Result<Plan, ReadError> {
        let damaged = |reason: &str| ReadError::Damaged(format!("a kept answer has {reason}"));
        let (mut file, length) = open(path)?;
        let mut list = vec![0; length];
        file.seek(SeekFrom::End(-((TRAILER + length) as i64)))?;
        file.read_exact(&mut list)?;
        let footer = root_as_footer(&list).map_err(|error| damaged(&error.to_string()))?;
        let schema = footer.schema().ok_or_else(|| damaged("no schema"))?;
        let blocks = footer.recordBatches().ok_or_else(|| damaged("no list of batches"))?;
        let told = footer
            .custom_metadata()
            .and_then(|metadata| metadata.iter().find(|entry| entry.key() == Some(ROWS))?.value());
        let mut told = told.map(|rows| rows.split(','));
        let mut skip = usize::try_from(offset).unwrap_or(usize::MAX);
        let (mut left, mut whole) = (limit, 0_u64);
        let mut parts = Vec::new();
        for block in blocks {
            if left == 0 || whole >= PAGE_BYTES {
                break;
            }
            let rows: usize = match &mut told {
                Some(told) => told
                    .next()
                    .and_then(|rows| rows.parse().ok())
                    .ok_or_else(|| damaged("a batch that tells no rows"))?,
                None => BATCH_ROWS,
            };
            if skip >= rows {
                skip -= rows;
                continue;
            }
            let part = Part { block: *block, skip, rows: left.min(rows - skip) };
            if part.rows == rows {
                whole = whole.saturating_add(bytes_of(block));
            }
            left -= part.rows;
            skip = 0;
            parts.push(part);
        }
        let dictionaries = footer.dictionaries().map(|blocks| blocks.iter().copied().collect());
        Ok(Plan {
            schema: Arc::new(fb_to_schema(schema)),
            version: footer.version(),
            dictionaries: dictionaries.unwrap_or_default(),
            parts,
        })
    }

    /// The bytes that are read.
    pub(super) fn bytes(&self) -> u64 {
        let blocks = self.dictionaries.iter().chain(self.parts.iter().map(|part| &part.block));
        blocks.map(bytes_of).fold(0, u64::saturating_add)
    }

    /// Reads the rows, which keep `room` as long as there are any of them. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn page(self, path: &Path, room: OwnedSemaphorePermit) -> Result<Page, ReadError> {
        let mut file = File::open(path)?;
        let mut decoder = FileDecoder::new(Arc::clone(&self.schema), self.version);
        for block in &self.dictionaries {
            decoder.read_dictionary(block, &read_block(&mut file, block)?)?;
        }
        let mut batches = Vec::with_capacity(self.parts.len());
        for Part { block, skip, rows } in &self.parts {
            let bytes = read_block(&mut file, block)?;
            let Some(batch) = decoder.read_record_batch(block, &bytes)? else { continue };
            // The last batch of a file that does not tell may have fewer rows than the others.
            let skip = batch.num_rows().min(*skip);
            batches.push(batch.slice(skip, (batch.num_rows() - skip).min(*rows)));
        }
        Ok(Page { schema: self.schema, batches, _room: room })
    }
}

/// Returns the bytes that the list of a file's batches has. Blocks.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn list_bytes(path: &Path) -> Result<u64, ReadError> {
    let (_, length) = open(path)?;
    Ok(length as u64)
}

/// Opens a file; returns it with the length of the list of its batches.
fn open(path: &Path) -> Result<(File, usize), ReadError> {
    let mut file = File::open(path)?;
    let mut trailer = [0; TRAILER];
    file.seek(SeekFrom::End(-(TRAILER as i64)))?;
    file.read_exact(&mut trailer)?;
    Ok((file, read_footer_length(trailer)?))
}

fn bytes_of(block: &Block) -> u64 {
    // What is damaged may be negative, and is more than any file has.
    let head = u64::try_from(block.metaDataLength()).unwrap_or(u64::MAX);
    let body = u64::try_from(block.bodyLength()).unwrap_or(u64::MAX);
    head.saturating_add(body)
}

fn read_block(file: &mut File, block: &Block) -> Result<Buffer, ReadError> {
    let bytes = bytes_of(block);
    if bytes > file.metadata()?.len() {
        return Err(ReadError::Damaged("a kept answer has a batch that is longer".to_owned()));
    }
    let mut buffer = MutableBuffer::from_len_zeroed(bytes as usize);
    file.seek(SeekFrom::Start(block.offset().unsigned_abs()))?;
    file.read_exact(&mut buffer)?;
    Ok(buffer.into())
}
