//! zip and tar archives: their members are objects.
//!
//! A member's key is the archive's key, `!/`, and the path inside: no folder can be named so by
//! chance, and `AWSLogs/…` inside stays recognisable. Members have the archive's modification
//! time, so an archive that is replaced is read again, and one that is not is not. They are read in
//! stored order in one pass: a compressed tar cannot be read any other way, and nothing has to be
//! unpacked to disk.

mod outer;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use traillake_cloudtrail::log_file::archive::{Entry, HEAD_BYTES, Member, Skipped, entries};
use traillake_cloudtrail::log_file::is_foreign;
use traillake_cloudtrail::{Error as FormatError, Limits, object_key};

use super::disk::{Stamp, open_unchanged};
use super::{Contents, Found, Ignored, LogSource, SourceObject, Spool};
use crate::report::FaultKind;

use outer::{Failure, Outer};

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
    #[cfg(test)]
    Broken(tests::Broken),
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

    /// Returns the archive that was set aside, from a pipe or a bucket.
    pub(crate) fn spooled(
        spool: Spool,
        key: String,
        stamp: Stamp,
        limits: Limits,
        temp_dir: PathBuf,
    ) -> ArchiveSource {
        ArchiveSource { place: Place::Spool(spool), key, stamp, limits, temp_dir }
    }

    fn open(&self) -> Result<Box<dyn ReadSeek>, (FaultKind, String)> {
        match &self.place {
            Place::Disk(path) => Ok(Box::new(open_unchanged(path, self.stamp)?)),
            Place::Spool(spool) => Ok(Box::new(spool.reader())),
            #[cfg(test)]
            Place::Broken(broken) => Ok(Box::new(broken.clone())),
        }
    }

    /// Returns the key of what has this path in the archive.
    fn key_of(&self, path: &str) -> String {
        format!("{}!/{path}", self.key)
    }

    /// Returns whether the archive is still the one that was listed.
    fn is_unchanged(&self) -> bool {
        match &self.place {
            Place::Disk(path) => File::open(path)
                .and_then(|file| file.metadata())
                .is_ok_and(|metadata| Stamp::of(&metadata) == self.stamp),
            Place::Spool(_) => true,
            #[cfg(test)]
            Place::Broken(_) => true,
        }
    }

    /// Visits every entry with the number of files before it, until the archive's own file cannot
    /// be read: `failure` says so then, also within a visit. Returns the fault of the archive as a
    /// whole.
    fn visit(
        &self,
        failure: &Failure,
        visit: &mut dyn FnMut(u64, Entry<'_>) -> ControlFlow<()>,
    ) -> Option<(FaultKind, String)> {
        let mut input = match self.open() {
            Ok(input) => Outer::new(input, failure),
            Err(fault) => return Some(fault),
        };
        let mut position = 0;
        let walk = || {
            entries(&mut input, &self.limits, &mut |entry| {
                if failure.get().is_some() {
                    return ControlFlow::Break(());
                }
                let number = position;
                position += u64::from(matches!(entry, Entry::File(_)));
                visit(number, entry)
            })
        };
        // Whatever a reader stumbles over costs its archive, and nothing beside it.
        let walked = catch_unwind(AssertUnwindSafe(walk));
        if let Some(reason) = failure.get() {
            return Some((FaultKind::Unreadable, reason.clone()));
        }
        match walked {
            Ok(Ok(summary)) => summary.fault.map(|reason| (FaultKind::Damaged, reason)),
            Ok(Err(FormatError::Read(error))) => Some((FaultKind::Unreadable, error.to_string())),
            Ok(Err(error)) => Some((FaultKind::Damaged, error.to_string())),
            Err(_) => Some((FaultKind::Unreadable, "its reading stopped half way".to_owned())),
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
        let fault = self.visit(&Failure::default(), &mut |position, entry| {
            let member = match entry {
                Entry::File(member) => member,
                Entry::Skipped { path, why } => {
                    let reason = Ignored::from(why);
                    return found(Found::Ignored { object: self.key_of(&path), reason });
                }
            };
            let object = self.key_of(&member.path);
            if object_key::other_service(&object).is_some() {
                return found(Found::Ignored { object, reason: Ignored::OtherService });
            }
            let key = unseen(object, position, &mut seen);
            let listed = SourceObject::listed(key, size_of(member), self.stamp.modified_at);
            found(Found::Object(SourceObject { position, ..listed }))
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
        let (failure, mut stopped) = (Failure::default(), false);
        let fault = self.visit(&failure, &mut |position, entry| {
            let Entry::File(member) = entry else { return ControlFlow::Continue(()) };
            if !wanted.contains_key(&position) {
                return ControlFlow::Continue(());
            }
            // Until its bytes are read it stays wanted, and fails below with all that are left.
            let contents = self.contents(member.content);
            if failure.get().is_some() {
                return ControlFlow::Break(());
            }
            let Some(object) = wanted.remove(&position) else {
                return ControlFlow::Continue(());
            };
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

impl From<Skipped> for Ignored {
    fn from(why: Skipped) -> Ignored {
        match why {
            Skipped::Junk => Ignored::Junk,
            Skipped::Link => Ignored::Link,
            Skipped::Special => Ignored::SpecialFile,
        }
    }
}

/// Returns a key that no member before has: a tar may hold one path several times, and each is
/// evidence of its own.
fn unseen(key: String, position: u64, seen: &mut HashSet<String>) -> String {
    let mut unseen = key.clone();
    let mut number = position;
    while !seen.insert(unseen.clone()) {
        unseen = format!("{key}#{number}");
        number += 1;
    }
    unseen
}

/// Returns the size of a member: what its header says, else what reading it shows.
fn size_of(member: Member<'_>) -> u64 {
    match (member.size_bytes, member.content) {
        (Some(bytes), _) => bytes,
        (None, Ok(input)) => io::copy(input, &mut io::sink()).unwrap_or(0),
        (None, Err(_)) => 0,
    }
}
