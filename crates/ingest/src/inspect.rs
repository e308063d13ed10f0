//! First reading: every object is hashed, as stored and inflated, before anything is decoded.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use traillake_cloudtrail::log_file::archive::{HEAD_BYTES, is_archive};
use traillake_cloudtrail::{Inspected, Limits, inspect};

use crate::progress::CancelFlag;
use crate::report::FaultKind;
use crate::source::{Contents, SourceObject, Stamp, check_unchanged, open_unchanged};

/// Objects that go through the pipeline together, as they came: one worker takes them all, so
/// that thousands of tiny files cost neither a task nor a batch each.
pub(crate) struct Chunk {
    /// Number of the chunk in the run, from 0.
    pub(crate) number: u64,
    /// The objects and their bytes.
    pub(crate) objects: Vec<(SourceObject, Contents)>,
}

/// A chunk, hashed.
pub(crate) struct InspectedChunk {
    pub(crate) number: u64,
    pub(crate) objects: Vec<InspectedObject>,
    /// Copies in this and later chunks never refer to an object of a chunk below this one, unless
    /// through the ledger.
    pub(crate) claims_from: u64,
}

/// An object, hashed.
pub(crate) struct InspectedObject {
    pub(crate) object: SourceObject,
    pub(crate) sight: Sight,
}

/// What the first reading shows.
pub(crate) enum Sight {
    /// It could not be read, or not as it was listed.
    Failed(FaultKind, String),
    /// The source cannot give its bytes.
    Refused(String),
    /// Nothing that could be a log.
    Foreign,
    /// Its hashes, and how to read it again.
    Fresh(Inspected, Contents),
    /// Its inflated bytes are those of the object named.
    Copy(Inspected, String),
    /// Its bytes are those that the ledger has under its key.
    Unchanged,
}

/// Hashes every object of a chunk, in order. Blocks.
pub(crate) fn inspect_chunk(chunk: Chunk, limits: &Limits, cancel: &CancelFlag) -> InspectedChunk {
    let mut held = 0;
    let objects = chunk.objects.into_iter().map(|(object, contents)| {
        let mut sight = look(&object, contents, limits, cancel);
        if let Sight::Fresh(Inspected { inflated, .. }, _) = &mut sight {
            // What is not held here is read a second time: a chunk of small files that inflate
            // a thousandfold stays within the bound of one.
            let bytes = inflated.as_ref().map_or(0, Vec::len);
            if held + bytes > limits.in_memory_bytes_max {
                *inflated = None;
            } else {
                held += bytes;
                // A buffer grows in steps larger than most logs are.
                inflated.as_mut().map(Vec::shrink_to_fit);
            }
        }
        InspectedObject { object, sight }
    });
    InspectedChunk { number: chunk.number, objects: objects.collect(), claims_from: 0 }
}

fn look(object: &SourceObject, contents: Contents, limits: &Limits, cancel: &CancelFlag) -> Sight {
    let inspected = match &contents {
        Contents::File(path) => match read_file(path, Stamp::listed(object), limits, cancel) {
            Ok(inspected) => Ok(inspected),
            Err((kind, reason)) => return Sight::Failed(kind, reason),
        },
        Contents::Held(bytes) => inspect(&mut &**bytes, limits),
        Contents::Spooled(spool) => inspect(&mut Stoppable::new(spool.reader(), cancel), limits),
        Contents::Foreign => return Sight::Foreign,
        Contents::Refused(reason) => return Sight::Refused(reason.clone()),
        Contents::Failed(kind, reason) => return Sight::Failed(*kind, reason.clone()),
    };
    let checked = inspected.and_then(|inspected| {
        check_seen(object, &contents, cancel)?;
        Ok(inspected)
    });
    match checked {
        Ok(inspected) => Sight::Fresh(inspected, contents),
        Err(error) => Sight::Failed(FaultKind::Unreadable, error.to_string()),
    }
}

/// Refuses an archive that nobody could look into when it was listed: its members are its objects,
/// and the next run lists them.
fn check_seen(object: &SourceObject, contents: &Contents, cancel: &CancelFlag) -> io::Result<()> {
    if !object.is_unseen {
        return Ok(());
    }
    let mut head = Vec::new();
    open_again(contents, cancel)?.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    match is_archive(&head) {
        true => Err(io::Error::other("is an archive, and could not be read when it was listed")),
        false => Ok(()),
    }
}

fn read_file(
    path: &Path,
    listed: Stamp,
    limits: &Limits,
    cancel: &CancelFlag,
) -> Result<Inspected, (FaultKind, String)> {
    let mut file = open_unchanged(path, listed)?;
    let inspected = inspect(&mut Stoppable::new(&mut file, cancel), limits)
        .map_err(|error| (FaultKind::Unreadable, error.to_string()))?;
    check_unchanged(&file, listed)?;
    Ok(inspected)
}

/// Opens an object for its second reading; its hash is checked again by the decoder.
pub(crate) fn open_again(contents: &Contents, cancel: &CancelFlag) -> io::Result<Box<dyn Read>> {
    match contents {
        Contents::File(path) => Ok(Box::new(Stoppable::new(File::open(path)?, cancel))),
        Contents::Held(bytes) => Ok(Box::new(io::Cursor::new(bytes.clone()))),
        Contents::Spooled(spool) => Ok(Box::new(Stoppable::new(spool.reader(), cancel))),
        Contents::Foreign => Err(io::ErrorKind::Unsupported.into()),
        Contents::Refused(reason) | Contents::Failed(_, reason) => {
            Err(io::Error::other(reason.clone()))
        }
    }
}

/// A reader that ends when the run is asked to stop: an object may take minutes. What was half read
/// is in a round that is dropped.
struct Stoppable<R> {
    inner: R,
    cancel: CancelFlag,
}

impl<R> Stoppable<R> {
    fn new(inner: R, cancel: &CancelFlag) -> Stoppable<R> {
        Stoppable { inner, cancel: cancel.clone() }
    }
}

impl<R: Read> Read for Stoppable<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("stopped"));
        }
        self.inner.read(buffer)
    }
}
