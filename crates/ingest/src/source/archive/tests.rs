use std::io::{Cursor, ErrorKind, SeekFrom, Write as _};
use std::ops::Range;

use super::*;

/// The file of an archive that cannot be read from some place on.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    bytes: Cursor<Vec<u8>>,
    at: Range<u64>,
    /// What happens there.
    fails: fn() -> io::Error,
}

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let position = self.bytes.position();
        if self.at.contains(&position) {
            return Err((self.fails)());
        }
        let until = if position < self.at.start { self.at.start } else { u64::MAX };
        let most = buffer.len().min(usize::try_from(until - position).unwrap());
        self.bytes.read(&mut buffer[..most])
    }
}

impl Seek for Broken {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

type Members = [(&'static str, String); 3];

/// Three files, the second with a mark so many bytes from its start; the first bytes of an archive
/// are the first file's.
fn members(before: usize) -> Members {
    let marked = format!("{{{}MARK{}", " ".repeat(before), " ".repeat(200_000));
    [("a", format!("{{{}", " ".repeat(100_000))), ("b", marked), ("c", "{}".to_owned())]
}

fn tar(members: &Members) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, text) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        builder.append_data(&mut header, *name, text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn zip(members: &Members) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    let options = options.compression_method(zip::CompressionMethod::Stored);
    for (name, text) in members {
        writer.start_file(*name, options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn source(bytes: &[u8], at: Range<u64>, fails: fn() -> io::Error) -> ArchiveSource {
    ArchiveSource {
        place: Place::Broken(Broken { bytes: Cursor::new(bytes.to_vec()), at, fails }),
        key: "x".to_owned(),
        stamp: Stamp { size_bytes: bytes.len() as u64, modified_at: None },
        limits: Limits::default(),
        temp_dir: PathBuf::new(),
    }
}

/// What a listing finds: objects, and what is wrong.
fn listed(source: &ArchiveSource) -> (Vec<SourceObject>, Vec<FaultKind>) {
    let (mut objects, mut faults) = (Vec::new(), Vec::new());
    source.list(&mut |found| {
        match found {
            Found::Object(object) => objects.push(object),
            Found::Fault { kind, .. } => faults.push(kind),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    (objects, faults)
}

/// What becomes of each of the objects.
fn handed_over(source: &ArchiveSource, objects: Vec<SourceObject>) -> Vec<String> {
    let mut told = Vec::new();
    source.hand_over(objects, &mut |object, contents| {
        let became = match contents {
            Contents::Held(_) => "held".to_owned(),
            Contents::Failed(kind, reason) => format!("{kind}: {reason}"),
            Contents::Refused(reason) => format!("refused: {reason}"),
            _ => "other".to_owned(),
        };
        told.push(format!("{} {became}", object.key));
        ControlFlow::Continue(())
    });
    told
}

/// Checks what becomes of an archive at whose mark something fails.
fn check(fails: fn() -> io::Error, reason: &str) {
    for pack in [tar as fn(&Members) -> Vec<u8>, zip] {
        // Within what is looked at to tell what a member is, and behind it.
        for before in [10, 100_000] {
            let bytes = pack(&members(before));
            let mark = bytes.windows(4).position(|window| window == b"MARK").unwrap() as u64;
            let (objects, faults) = listed(&source(&bytes, 0..0, fails));
            assert_eq!((objects.len(), faults.len()), (3, 0));
            let broken = source(&bytes, mark..mark + 1, fails);
            let told = handed_over(&broken, objects.clone());
            let failed = |name: &str| format!("x!/{name} unreadable: {reason}");
            assert_eq!(told, ["x!/a held".to_owned(), failed("b"), failed("c")], "{before}");
            if before == 10 {
                let (before_it, faults) = listed(&broken);
                assert_eq!(before_it, objects[..1]);
                assert_eq!(faults, [FaultKind::Unreadable]);
            }
        }
    }
}

#[test]
fn what_its_own_file_does_not_give_is_no_damage_of_a_member() {
    check(|| ErrorKind::ConnectionReset.into(), "connection reset");
}

#[test]
fn a_reader_that_stumbles_costs_its_archive_and_no_more() {
    check(|| panic!("it stumbles"), "its reading stopped half way");
}
