//! zip and tar archives: their members are objects.
//!
//! A member's key is the archive's key, `!/`, and the path inside: no folder can be named so by
//! chance, and `AWSLogs/…` inside stays recognisable. Members have the archive's modification
//! time, so an archive that is replaced is read again, and one that is not is not. They are read in
//! stored order in one pass: a compressed tar cannot be read any other way, and nothing has to be
//! unpacked to disk.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use traillake_cloudtrail::log_file::archive::{HEAD_BYTES, Member, members};
use traillake_cloudtrail::log_file::is_foreign;
use traillake_cloudtrail::{Error as FormatError, Limits, object_key};

use super::disk::{Stamp, open_unchanged};
use super::{Contents, Found, Ignored, LogSource, SourceObject, Spool};
use crate::report::FaultKind;

/// An archive.
#[derive(Debug)]
pub(crate) struct ArchiveSource {
    place: Place,
    key: String,
    stamp: Stamp,
    limits: Limits,
    temp_dir: PathBuf,
}

#[derive(Debug)]
enum Place {
    Disk(PathBuf),
    Spool(Spool),
}

trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

impl ArchiveSource {
    /// Returns the archive at `path`.
    pub(crate) fn on_disk(
        path: PathBuf,
        key: String,
        stamp: Stamp,
        limits: Limits,
        temp_dir: PathBuf,
    ) -> ArchiveSource {
        ArchiveSource { place: Place::Disk(path), key, stamp, limits, temp_dir }
    }

    /// Returns the archive that came in through a pipe.
    pub(crate) fn spooled(
        spool: Spool,
        key: String,
        limits: Limits,
        temp_dir: PathBuf,
    ) -> ArchiveSource {
        let stamp = Stamp { size_bytes: spool.len(), modified_at: None };
        ArchiveSource { place: Place::Spool(spool), key, stamp, limits, temp_dir }
    }

    fn open(&self) -> Result<Box<dyn ReadSeek>, (FaultKind, String)> {
        match &self.place {
            Place::Disk(path) => Ok(Box::new(open_unchanged(path, self.stamp)?)),
            Place::Spool(spool) => Ok(Box::new(spool.reader())),
        }
    }

    /// Returns whether the archive is still the one that was listed.
    fn is_unchanged(&self) -> bool {
        match &self.place {
            Place::Disk(path) => File::open(path)
                .and_then(|file| file.metadata())
                .is_ok_and(|metadata| Stamp::of(&metadata) == self.stamp),
            Place::Spool(_) => true,
        }
    }

    /// Visits every member with its number. Returns the fault of the archive as a whole.
    fn visit(
        &self,
        visit: &mut dyn FnMut(u64, Member<'_>) -> ControlFlow<()>,
    ) -> Option<(FaultKind, String)> {
        let mut input = match self.open() {
            Ok(input) => input,
            Err(fault) => return Some(fault),
        };
        let mut position = 0;
        let walked = members(&mut input, &self.limits, &mut |member| {
            let flow = visit(position, member);
            position += 1;
            flow
        });
        match walked {
            Ok(summary) => summary.fault.map(|reason| (FaultKind::Damaged, reason)),
            Err(FormatError::Read(error)) => Some((FaultKind::Unreadable, error.to_string())),
            Err(error) => Some((FaultKind::Damaged, error.to_string())),
        }
    }

    fn contents(&self, member: Result<&mut dyn Read, String>) -> Contents {
        let input = match member {
            Ok(input) => input,
            Err(reason) => return Contents::Refused(reason),
        };
        match self.take(input) {
            Ok(contents) => contents,
            Err(error) => Contents::Refused(error.to_string()),
        }
    }

    fn take(&self, input: &mut dyn Read) -> io::Result<Contents> {
        let held_max = self.limits.in_memory_bytes_max as u64;
        let mut held = Vec::new();
        (&mut *input).take(held_max + 1).read_to_end(&mut held)?;
        if held.len() as u64 <= held_max {
            return Ok(Contents::Held(Arc::from(held)));
        }
        if is_foreign(&held[..HEAD_BYTES.min(held.len())]) {
            return Ok(Contents::Foreign);
        }
        let mut damage = None;
        let spooled = Spool::write(&self.temp_dir, |output| {
            output.write_all(&held)?;
            let mut input = DamageNoted { input, damage: &mut damage };
            io::copy(&mut input, output).map(|_| ())
        });
        match (spooled, damage) {
            (Ok((spool, ())), _) => Ok(Contents::Spooled(spool)),
            (Err(_), Some(damage)) => Err(damage),
            (Err(error), None) => Ok(Contents::Failed(
                FaultKind::Unreadable,
                format!("could not be set aside in `{}`: {error}", self.temp_dir.display()),
            )),
        }
    }
}

/// Keeps the reader's own error apart from the writer's: a full disk is no damage of the archive.
struct DamageNoted<'a> {
    input: &'a mut dyn Read,
    damage: &'a mut Option<io::Error>,
}

impl Read for DamageNoted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.read(buffer).map_err(|error| {
            let kind = error.kind();
            *self.damage = Some(error);
            kind.into()
        })
    }
}

impl LogSource for ArchiveSource {
    fn list(&self, found: &mut dyn FnMut(Found) -> ControlFlow<()>) {
        let mut seen = HashSet::new();
        let fault = self.visit(&mut |position, member| {
            if object_key::is_junk(&member.path) {
                return found(Found::Ignored(Ignored::Junk));
            }
            let mut key = format!("{}!/{}", self.key, member.path);
            if object_key::other_service(&key).is_some() {
                return found(Found::Ignored(Ignored::OtherService));
            }
            if !seen.insert(key.clone()) {
                // A tar may hold one path several times; each is evidence of its own.
                key.push_str(&format!("#{position}"));
            }
            found(Found::Object(SourceObject {
                key: key.into(),
                size_bytes: size_of(member),
                modified_at: self.stamp.modified_at,
                etag: None,
                position,
                before: None,
            }))
        });
        if let Some((kind, reason)) = fault {
            let _ = found(Found::Fault { object: self.key.clone(), kind, reason });
        }
    }

    fn hand_over(
        &self,
        objects: Vec<SourceObject>,
        take: &mut dyn FnMut(SourceObject, Contents) -> ControlFlow<()>,
    ) {
        let mut wanted: HashMap<u64, SourceObject> =
            objects.into_iter().map(|object| (object.position, object)).collect();
        let mut stopped = false;
        let fault = self.visit(&mut |position, member| {
            let Some(object) = wanted.remove(&position) else {
                return ControlFlow::Continue(());
            };
            let contents = self.contents(member.content);
            let contents = if self.is_unchanged() {
                contents
            } else {
                Contents::Failed(FaultKind::Changed, "its archive changed meanwhile".to_owned())
            };
            let flow = take(object, contents);
            stopped = flow.is_break();
            if wanted.is_empty() { ControlFlow::Break(()) } else { flow }
        });
        let (kind, reason) = fault
            .unwrap_or_else(|| (FaultKind::Changed, "its archive changed meanwhile".to_owned()));
        let mut left: Vec<_> = wanted.into_values().collect();
        left.sort_by_key(|object| object.position);
        for object in left {
            if stopped || take(object, Contents::Failed(kind, reason.clone())).is_break() {
                return;
            }
        }
    }

    fn sequential(&self) -> Option<&str> {
        Some(&self.key)
    }
}

/// Returns the size of a member: what its header says, else what reading it shows.
fn size_of(member: Member<'_>) -> u64 {
    match (member.size_bytes, member.content) {
        (Some(bytes), _) => bytes,
        (None, Ok(input)) => io::copy(input, &mut io::sink()).unwrap_or(0),
        (None, Err(_)) => 0,
    }
}
