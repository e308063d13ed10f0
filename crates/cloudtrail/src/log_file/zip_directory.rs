//! What the directory of a zip archive leaves out.
//!
//! A zip is read by the directory at its end, which may name only a part of what stands before it:
//! of two entries of one name the last counts, and of two archives joined the second. Readers
//! differ in what they see then (APPNOTE.TXT 4.3.6 has the layout), so it is told.

use std::io::{self, Read, Seek, SeekFrom};

use zip::read::ZipFile;

/// What an entry of a zip archive is.
pub(super) enum ZipKind {
    File,
    Folder,
    Encrypted,
}

impl ZipKind {
    /// An entry with bytes is a file, whatever its name or mode says.
    pub fn of<R: Read>(entry: &ZipFile<'_, R>) -> ZipKind {
        if entry.is_dir() && entry.size() == 0 && entry.compressed_size() <= EMPTY_BYTES_MAX {
            ZipKind::Folder
        } else if entry.encrypted() {
            ZipKind::Encrypted
        } else {
            ZipKind::File
        }
    }
}

/// Bytes that nothing deflates to.
const EMPTY_BYTES_MAX: u64 = 2;
/// Bytes of the largest data descriptor, which may stand behind an entry's bytes.
const DESCRIPTOR_BYTES_MAX: u64 = 24;

/// Checks that an archive has nothing but the entries that were read: `entries` of them, each from
/// its header to the end of its bytes one of `spans`, then the directory.
///
/// # Errors
/// What else there is.
pub(super) fn check_zip<R: Read + Seek>(
    input: &mut R,
    entries: usize,
    directory: u64,
    mut spans: Vec<(u64, u64)>,
) -> Result<(), String> {
    let (named, after) = read_directory(input, directory).map_err(|error| error.to_string())?;
    if named != entries as u64 {
        return Err(format!("has {named} entries, of which only {entries} differ in name"));
    }
    if after > 0 {
        return Err(format!("{after} bytes after the end of the archive"));
    }
    spans.sort_unstable();
    let mut end = 0;
    for (start, span_end) in spans.into_iter().chain([(directory, directory)]) {
        if start < end {
            return Err(format!("entries overlap at byte {start}"));
        }
        let allowed = if end == 0 { 0 } else { DESCRIPTOR_BYTES_MAX };
        if start - end > allowed {
            return Err(format!("{} bytes at byte {end} that belong to no entry", start - end));
        }
        end = span_end;
    }
    Ok(())
}

/// Returns the number of headers in the directory at `at`, and of bytes behind the archive.
fn read_directory<R: Read + Seek>(input: &mut R, at: u64) -> io::Result<(u64, u64)> {
    let bytes = input.seek(SeekFrom::End(0))?;
    let mut at = at;
    let mut entries = 0;
    loop {
        input.seek(SeekFrom::Start(at))?;
        let mut head = Vec::new();
        input.take(46).read_to_end(&mut head)?;
        let short = |from: usize| {
            let found = head.get(from..from + 2).and_then(|found| <[u8; 2]>::try_from(found).ok());
            u64::from(found.map_or(0, u16::from_le_bytes))
        };
        let long = |from: usize| short(from) | short(from + 2) << 16;
        at = at.saturating_add(match head.get(..4) {
            Some(b"PK\x01\x02") => {
                entries += 1;
                46 + short(28) + short(30) + short(32)
            }
            // The directory's signature, and its ends as of zip64.
            Some(b"PK\x05\x05") => 6 + short(4),
            Some(b"PK\x06\x06") => (12 + long(4)).saturating_add(long(8) << 32),
            Some(b"PK\x06\x07") => 20,
            Some(b"PK\x05\x06") => {
                let end = at.saturating_add(22 + short(20));
                return Ok((entries, bytes.saturating_sub(end)));
            }
            _ => return Err(io::Error::other("its directory has no end")),
        });
    }
}
