//! zip, tar, tar.gz and tar.zst archives of log files, streamed member by member.

use std::cell::Cell;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::rc::Rc;

use flate2::read::MultiGzDecoder;
use tar::EntryType;
use zip::ZipArchive;

use super::inflate::Inflate;
use super::zip_directory::{ZipKind, check_zip};
use super::{Container, Limits};
use crate::Error;
use crate::object_key::is_junk;

/// Bytes from the start of an object that [`is_archive`] wants to see.
pub const HEAD_BYTES: usize = 64 << 10;

/// One file of an archive.
pub struct Member<'a> {
    /// Path inside the archive; for a member of a nested archive the nested one's path comes
    /// first, then `!/`. Appended to the archive's own path it is the object's key.
    pub path: String,
    /// Its bytes as the archive's directory states them, if it does.
    pub size_bytes: Option<u64>,
    /// Its bytes, or why they cannot be had (encrypted, a limit hit, damaged).
    pub content: Result<&'a mut dyn Read, String>,
}

/// What an archive has, one after the other. Folders are not told.
pub enum Entry<'a> {
    /// A file: what has bytes, whatever its name or type says.
    File(Member<'a>),
    /// Something passed over.
    Skipped {
        /// Its path, as that of a [`Member`].
        path: String,
        /// Why.
        why: Skipped,
    },
}

/// Why an entry of an archive is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    /// What file managers and archivers leave behind.
    Junk,
    /// A symbolic or hard link.
    Link,
    /// A FIFO or device.
    Special,
}

/// What was seen of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchiveSummary {
    /// Files handed out.
    pub members: u64,
    /// Why the rest of the archive could not be read (a limit, damage), or what in it belongs to no
    /// member; members before it stand.
    pub fault: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Zip,
    Tar(Container),
}

impl Form {
    /// Judges by content, never by name.
    fn of(head: &[u8]) -> Option<Form> {
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            return Some(Form::Zip);
        }
        let mut block = [0; 512];
        let mut filled = 0;
        let mut input = head;
        let mut inflate = Inflate::new(&mut input, &Limits::default()).ok()?;
        while let Ok(read @ 1..) = inflate.read(&mut block[filled..]) {
            filled += read;
        }
        is_tar_header(&block).then_some(Form::Tar(Container::of(head)))
    }
}

/// Returns whether a block has the checksum of a tar header, which formats of all times have, and
/// is no JSON: a log whose first bytes add up must not pass for an archive without members.
fn is_tar_header(block: &[u8; 512]) -> bool {
    let stated = block[148..156].iter().copied().filter(u8::is_ascii_digit);
    let stated = stated.fold(0, |sum, digit| sum * 8 + u32::from(digit - b'0'));
    let sum = |range: &[u8]| range.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    !matches!(block[0], 0 | b'{' | b'[')
        && stated == sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..])
}

/// Returns whether an object is an archive, judged by its first [`HEAD_BYTES`] bytes.
pub fn is_archive(head: &[u8]) -> bool {
    Form::of(head).is_some()
}

/// Hands out every file of an archive, in stored order, nested archives unfolded.
///
/// # Errors
/// When `input` cannot be read or is no archive.
pub fn entries<R: Read + Seek>(
    input: &mut R,
    limits: &Limits,
    visit: &mut dyn FnMut(Entry<'_>) -> ControlFlow<()>,
) -> Result<ArchiveSummary, Error> {
    let mut head = Vec::new();
    input.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    input.seek(SeekFrom::Start(0))?;
    let form = Form::of(&head)
        .ok_or_else(|| Error::Archive { reason: "neither zip nor tar".to_owned() })?;
    let mut walk = Walk { limits, visit, summary: ArchiveSummary::default(), bytes: 0 };
    let ended = match form {
        Form::Zip => walk.zip(input, "", 1),
        Form::Tar(container) => walk.tar(input, container, "", 1),
    };
    if let Err(Halt::Fault(reason)) = ended {
        walk.summary.fault = Some(reason);
    }
    Ok(walk.summary)
}

/// Why a walk ends before the archive does.
enum Halt {
    /// Nothing more is wanted.
    Stop,
    Fault(String),
}

impl Halt {
    fn fault(error: impl std::fmt::Display) -> Halt {
        Halt::Fault(error.to_string())
    }
}

struct Walk<'a> {
    limits: &'a Limits,
    visit: &'a mut dyn FnMut(Entry<'_>) -> ControlFlow<()>,
    summary: ArchiveSummary,
    /// Bytes of all members so far.
    bytes: u64,
}

impl Walk<'_> {
    fn zip<R: Read + Seek>(&mut self, mut input: R, prefix: &str, depth: u32) -> Result<(), Halt> {
        let bytes = input.seek(SeekFrom::End(0)).map_err(Halt::fault)?;
        let mut archive = ZipArchive::new(&mut input).map_err(Halt::fault)?;
        let inflated = Rc::new(Cell::new(0));
        let mut spans = Vec::with_capacity(archive.len());
        for number in 0..archive.len() {
            let (path, kind, size, stored) = {
                let entry = archive.by_index_raw(number).map_err(Halt::fault)?;
                let stored = entry.compressed_size();
                spans.push((entry.header_start(), entry.data_start().saturating_add(stored)));
                (entry.name().to_owned(), ZipKind::of(&entry), entry.size(), stored)
            };
            let path_in = format!("{prefix}{}", clean(&path));
            match kind {
                _ if is_junk(&path) => self.skip(path_in, Skipped::Junk)?,
                ZipKind::Folder => {}
                ZipKind::Encrypted => self.refuse(path_in, Some(size), "encrypted".to_owned())?,
                ZipKind::File => match archive.by_index(number) {
                    Ok(entry) => {
                        let own = (Rc::new(Cell::new(stored)), Rc::default());
                        let entry = Bounded::new(entry, own, self.limits);
                        let all = (Rc::new(Cell::new(bytes)), inflated.clone());
                        let mut entry = Bounded::new(entry, all, self.limits);
                        self.member(&mut entry, path_in, Some(size), depth)?;
                    }
                    Err(error) => self.refuse(path_in, Some(size), error.to_string())?,
                },
            }
        }
        let (entries, directory) = (archive.len(), archive.central_directory_start());
        drop(archive);
        check_zip(&mut input, entries, directory, spans).map_err(Halt::Fault)
    }

    fn tar(
        &mut self,
        input: &mut dyn Read,
        container: Container,
        prefix: &str,
        depth: u32,
    ) -> Result<(), Halt> {
        let counts = (Rc::new(Cell::new(0)), Rc::default());
        let counted = Counted { input, read: counts.0.clone() };
        let limits = self.limits;
        let mut input: Box<dyn Read + '_> = match container {
            Container::Plain => Box::new(counted),
            Container::Gzip => {
                let decoder = MultiGzDecoder::new(BufReader::new(counted));
                Box::new(Bounded::new(decoder, counts, limits))
            }
            Container::Zstd => {
                let decoder = zstd::Decoder::new(counted).map_err(Halt::fault)?;
                Box::new(Bounded::new(decoder, counts, limits))
            }
        };
        let mut archive = tar::Archive::new(&mut *input);
        // Behind the blocks that end an archive another one may follow: it holds logs too.
        archive.set_ignore_zeros(true);
        for entry in archive.entries().map_err(Halt::fault)? {
            let mut entry = entry.map_err(Halt::fault)?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let kind = entry.header().entry_type();
            let size = entry.size();
            let path_in = format!("{prefix}{}", clean(&path));
            match kind {
                // Not an entry, but what is said of all that follow.
                EntryType::XGlobalHeader => {}
                _ if is_junk(&path) => self.skip(path_in, Skipped::Junk)?,
                EntryType::GNUSparse => {
                    self.refuse(path_in, Some(size), "a sparse file".to_owned())?;
                }
                EntryType::Directory if size == 0 => {}
                EntryType::Link | EntryType::Symlink if size == 0 => {
                    self.skip(path_in, Skipped::Link)?;
                }
                EntryType::Char | EntryType::Block | EntryType::Fifo if size == 0 => {
                    self.skip(path_in, Skipped::Special)?;
                }
                // Types that nobody knows are to be read as files (POSIX, ustar), and whatever has
                // bytes may hide a log.
                _ => self.member(&mut entry, path_in, Some(size), depth)?,
            }
        }
        Ok(())
    }

    /// Hands a file out, or what is in it.
    fn member(
        &mut self,
        content: &mut dyn Read,
        path: String,
        size_bytes: Option<u64>,
        depth: u32,
    ) -> Result<(), Halt> {
        let mut head = Vec::new();
        if let Err(error) = content.take(HEAD_BYTES as u64).read_to_end(&mut head) {
            return self.refuse(path, size_bytes, error.to_string());
        }
        let form = Form::of(&head);
        let mut whole = Cursor::new(head).chain(content);
        let Some(form) = form else {
            self.count(size_bytes)?;
            return self.hand_out(Member { path, size_bytes, content: Ok(&mut whole) });
        };
        if depth >= self.limits.archive_depth_max {
            let reason = format!("archives nested more than {depth} deep");
            return self.refuse(path, size_bytes, reason);
        }
        let prefix = format!("{path}!/");
        let ended = match form {
            Form::Tar(container) => self.tar(&mut whole, container, &prefix, depth + 1),
            Form::Zip => {
                let limit = self.limits.archive_nested_zip_bytes_max;
                let mut held = Vec::new();
                match whole.take(limit + 1).read_to_end(&mut held) {
                    Err(error) => Err(Halt::fault(error)),
                    Ok(read) if read as u64 > limit => Err(Halt::Fault(format!(
                        "a zip of more than {limit} bytes within an archive"
                    ))),
                    Ok(_) => self.zip(Cursor::new(held), &prefix, depth + 1),
                }
            }
        };
        match ended {
            // Damage within ends the nested archive, not the one around it.
            Err(Halt::Fault(reason)) if !self.is_spent() => self.refuse(path, size_bytes, reason),
            ended => ended,
        }
    }

    fn refuse(
        &mut self,
        path: String,
        size_bytes: Option<u64>,
        reason: String,
    ) -> Result<(), Halt> {
        self.count(None)?;
        self.hand_out(Member { path, size_bytes, content: Err(reason) })
    }

    fn skip(&mut self, path: String, why: Skipped) -> Result<(), Halt> {
        self.tell(Entry::Skipped { path, why })
    }

    fn hand_out(&mut self, member: Member<'_>) -> Result<(), Halt> {
        self.tell(Entry::File(member))
    }

    fn tell(&mut self, entry: Entry<'_>) -> Result<(), Halt> {
        match (self.visit)(entry) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Halt::Stop),
        }
    }

    fn is_spent(&self) -> bool {
        self.summary.members >= self.limits.archive_members_max
            || self.bytes > self.limits.archive_bytes_max
    }

    fn count(&mut self, size_bytes: Option<u64>) -> Result<(), Halt> {
        self.bytes = self.bytes.saturating_add(size_bytes.unwrap_or_default());
        if self.is_spent() {
            let Limits { archive_members_max, archive_bytes_max, .. } = self.limits;
            return Err(Halt::Fault(format!(
                "more than {archive_members_max} members or {archive_bytes_max} bytes"
            )));
        }
        self.summary.members += 1;
        Ok(())
    }
}

/// Returns a path without what some archivers put before it.
fn clean(path: &str) -> &str {
    path.trim_start_matches("./").trim_start_matches('/')
}

/// Counts what is read.
struct Counted<'a> {
    input: &'a mut dyn Read,
    read: Rc<Cell<u64>>,
}

impl Read for Counted<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(out)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}

/// Bytes that went in and came out, of all readers that share them.
type Counts = (Rc<Cell<u64>>, Rc<Cell<u64>>);

/// Fails when far more comes out than went in.
struct Bounded<R> {
    input: R,
    stored: Rc<Cell<u64>>,
    inflated: Rc<Cell<u64>>,
    ratio_max: u64,
}

impl<R> Bounded<R> {
    fn new(input: R, (stored, inflated): Counts, limits: &Limits) -> Bounded<R> {
        Bounded { input, stored, inflated, ratio_max: limits.inflation_ratio_max.max(1) }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(out)?;
        let inflated = self.inflated.get() + read as u64;
        self.inflated.set(inflated);
        if inflated > super::RATIO_FREE_BYTES && inflated / self.ratio_max > self.stored.get() {
            let reason = format!("inflates to more than {} times its size", self.ratio_max);
            return Err(io::Error::other(reason));
        }
        Ok(read)
    }
}
