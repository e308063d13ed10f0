//! Archives: every file in them is an object, within limits.

use std::io::{Cursor, Write};
use std::ops::ControlFlow;

use traillake_cloudtrail::Limits;
use traillake_cloudtrail::log_file::archive::{ArchiveSummary, is_archive, members};
use zip::write::SimpleFileOptions;

use crate::containers::gzip;

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        if path.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
        }
        builder.append_data(&mut header, path, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        writer.start_file(*path, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A member: its path, and its content or why it cannot be had.
type Found = (String, Result<String, String>);

/// The members of an archive.
fn unpack(archive: &[u8], limits: &Limits) -> (Vec<Found>, ArchiveSummary) {
    assert!(is_archive(&archive[..archive.len().min(64 << 10)]));
    let mut found = Vec::new();
    let summary = members(&mut Cursor::new(archive), limits, &mut |member| {
        let content = member.content.and_then(|content| {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        });
        found.push((member.path, content));
        ControlFlow::Continue(())
    });
    (found, summary.unwrap())
}

fn check(archive: &[u8], expected: &[(&str, &str)]) {
    let (found, summary) = unpack(archive, &Limits::default());
    let found: Vec<(&str, &str)> =
        found.iter().map(|(path, content)| (path.as_str(), content.as_deref().unwrap())).collect();
    assert_eq!(found, expected);
    assert_eq!((summary.members, summary.fault), (expected.len() as u64, None));
}

const FILES: &[(&str, &[u8])] = &[
    ("./AWSLogs/a.json", b"{}"),
    ("AWSLogs/dir/", b""),
    ("__MACOSX/AWSLogs/._a.json", b"junk"),
    ("AWSLogs/dir/b.json", b"[]"),
];
const CONTENT: &[(&str, &str)] = &[("AWSLogs/a.json", "{}"), ("AWSLogs/dir/b.json", "[]")];

#[test]
fn all_forms_of_archives() {
    check(&tar(FILES), CONTENT);
    check(&gzip(&tar(FILES)), CONTENT);
    check(&zstd::encode_all(&tar(FILES)[..], 1).unwrap(), CONTENT);
    let files: Vec<(&str, &[u8])> =
        FILES.iter().filter(|(path, _)| !path.ends_with('/')).copied().collect();
    check(&zip(&files), CONTENT);
    check(&zip(&[]), &[]);
    for head in [&b"{}"[..], &gzip(b"{}"), b"", &[0; 1024]] {
        assert!(!is_archive(head));
    }
}

#[test]
fn archives_within_archives_are_unfolded_once() {
    let inner = zip(&[("x.json", b"1")]);
    let packed = gzip(&tar(&[("y.json", b"2")]));
    check(
        &tar(&[("in.zip", &inner), ("in.bin", &packed), ("z.json", b"3")]),
        &[("in.zip!/x.json", "1"), ("in.bin!/y.json", "2"), ("z.json", "3")],
    );
    let deeper = tar(&[("deep.zip", &zip(&[("in.zip", &inner)])), ("z.json", b"3")]);
    let (found, _) = unpack(&deeper, &Limits::default());
    assert_eq!(found[0].0, "deep.zip!/in.zip");
    assert_eq!(found[0].1.as_ref().unwrap_err(), "archives nested more than 2 deep");
    assert_eq!(found[1], ("z.json".to_owned(), Ok("3".to_owned())));
}

#[test]
fn encrypted_members_are_refused_and_the_others_read() {
    let mut archive = zip(&[("a.json", b"1"), ("b.json", b"2")]);
    // Sets the flag of encryption in the first local header and the first of the directory.
    let directory = archive.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    archive[6] |= 1;
    archive[directory + 8] |= 1;
    let (found, _) = unpack(&archive, &Limits::default());
    assert_eq!(found[0], ("a.json".to_owned(), Err("encrypted".to_owned())));
    assert_eq!(found[1], ("b.json".to_owned(), Ok("2".to_owned())));
}

#[test]
fn limits_end_an_archive_with_a_reason() {
    let many = tar(&[("a", b"1"), ("b", b"2"), ("c", b"3")]);
    let limits = Limits { archive_members_max: 2, ..Limits::default() };
    let (found, summary) = unpack(&many, &limits);
    assert_eq!((found.len(), summary.members), (2, 2));
    assert!(summary.fault.unwrap().contains("more than 2 members"));

    let (found, summary) = unpack(&many[..1_600], &Limits::default());
    assert!(!found.is_empty() && summary.fault.is_some() || found.iter().any(|(_, c)| c.is_err()));

    let zeros = vec![0; 40 << 20];
    for bomb in [zip(&[("z", &zeros)]), gzip(&tar(&[("z", &zeros)]))] {
        let (found, _) = unpack(&bomb, &Limits::default());
        assert!(
            found[0].1.as_ref().unwrap_err().contains("500 times its size"),
            "{:?}",
            found[0].0
        );
    }
    assert!(members(&mut Cursor::new(b"{}"), &limits, &mut |_| ControlFlow::Continue(())).is_err());
}

#[test]
fn an_archive_behind_another_is_read_too() {
    let joined = [tar(&[("a.json", b"{}")]), tar(&[("b.json", b"[]")])].concat();
    check(&joined, &[("a.json", "{}"), ("b.json", "[]")]);
}

#[test]
fn a_log_that_adds_up_like_a_tar_header_is_no_archive() {
    let mut log = br#"{"pad":""#.to_vec();
    log.resize(512, b'A');
    log[156] = b'5';
    let sum: u32 = log.iter().map(|byte| u32::from(*byte)).sum();
    let stated: u32 = log[148..156].iter().map(|byte| u32::from(*byte)).sum();
    let checksum = sum - stated + 8 * u32::from(b' ');
    log[148..156].copy_from_slice(format!("{checksum:06o}  ").as_bytes());
    assert!(!is_archive(&log));
    log[0] = b'x';
    let checksum = checksum + u32::from(b'x') - u32::from(b'{');
    log[148..156].copy_from_slice(format!("{checksum:06o}  ").as_bytes());
    assert!(is_archive(&log), "the sum is that of a tar header");
}
