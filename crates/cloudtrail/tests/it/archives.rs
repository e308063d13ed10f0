//! Archives: every file in them is an object, within limits.

use std::io::{Cursor, Write};
use std::ops::ControlFlow;

use traillake_cloudtrail::Limits;
use traillake_cloudtrail::log_file::archive::{
    ArchiveSummary, Entry, Skipped, entries, is_archive,
};
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
    let summary = entries(&mut Cursor::new(archive), limits, &mut |entry| {
        let Entry::File(member) = entry else { return ControlFlow::Continue(()) };
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
    assert!(entries(&mut Cursor::new(b"{}"), &limits, &mut |_| ControlFlow::Continue(())).is_err());
}

/// Checks the members, and that the archive says `fault`.
fn check_fault(archive: &[u8], expected: &[(&str, &str)], fault: &str) {
    let (found, summary) = unpack(archive, &Limits::default());
    let found: Vec<(&str, &str)> =
        found.iter().map(|(path, content)| (path.as_str(), content.as_deref().unwrap())).collect();
    assert_eq!(found, expected);
    let told = summary.fault.expect("what does not belong is told");
    assert!(told.contains(fault), "{told}");
}

#[test]
fn what_stands_behind_an_archive_is_read_or_told() {
    let (a, b) = (tar(&[("a.json", b"{}")]), tar(&[("b.json", b"[]")]));
    let both = &[("a.json", "{}"), ("b.json", "[]")];
    let first = &both[..1];
    check(&[&a[..], &b].concat(), both);
    check(&[gzip(&a), gzip(&b)].concat(), both);
    check(&gzip(&[&a[..], &b].concat()), both);
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    check(&[zstd(&a), zstd(&b)].concat(), both);
    check(&[&a[..], &[0; 4_096], &b].concat(), both);
    let log = br#"{"Records":[{"eventVersion":"1.08"}]}"#;
    let long = [&log[..], &[b' '; 2_000]].concat();
    for log in [&log[..], &long] {
        check_fault(&[&a[..], log].concat(), first, "");
        check_fault(&[&gzip(&a)[..], log].concat(), first, "");
        check_fault(&[gzip(&a), gzip(log)].concat(), first, "");
        check_fault(&[&zstd(&a)[..], log].concat(), first, "");
        check_fault(&[zstd(&a), zstd(log)].concat(), first, "");
    }
    let (a, b) = (zip(&[("a.json", b"{}")]), zip(&[("b.json", b"[]")]));
    // Which of two directories is taken depends on their places; the other is told.
    check_fault(&[&a[..], &b].concat(), first, "bytes after the end of the archive");
    let name = "b".repeat(500);
    let longer = zip(&[(name.as_str(), b"[]")]);
    let named = &[(name.as_str(), "[]")];
    check_fault(&[&a[..], &longer].concat(), named, "at byte 0 that belong to no entry");
    check_fault(&[&a[..], log].concat(), first, "37 bytes after the end of the archive");
}

#[test]
fn what_a_zips_directory_leaves_out_is_told() {
    let mut twice = zip(&[("a.json", b"11"), ("b.json", b"22"), ("c.json", b"33")]);
    let at = |bytes: &[u8], needle: &[u8], nth: usize| {
        let mut found = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(needle));
        found.nth(nth).unwrap()
    };
    for nth in [0, 0] {
        let place = at(&twice, b"b.json", nth);
        twice[place] = b'a';
    }
    check_fault(&twice, &[("a.json", "22"), ("c.json", "33")], "3 entries, of which only 2 differ");

    // An entry whose header was cut out of the directory.
    let mut hidden = zip(&[("a.json", b"11"), ("b.json", b"22"), ("c.json", b"33")]);
    let (first, second) = (at(&hidden, b"PK\x01\x02", 1), at(&hidden, b"PK\x01\x02", 2));
    hidden.drain(first..second);
    let end = at(&hidden, b"PK\x05\x06", 0);
    (hidden[end + 8], hidden[end + 10]) = (2, 2);
    hidden[end + 12] -= (second - first) as u8;
    check_fault(&hidden, &[("a.json", "11"), ("c.json", "33")], "that belong to no entry");

    // Two entries that share their bytes, as bombs have them.
    let mut shared = zip(&[("a.json", b"11"), ("b.json", b"11")]);
    let (first, second) = (at(&shared, b"PK\x01\x02", 0), at(&shared, b"PK\x01\x02", 1));
    let offset = shared[first + 42..first + 46].to_vec();
    shared[second + 42..second + 46].copy_from_slice(&offset);
    let (_, summary) = unpack(&shared, &Limits::default());
    assert!(summary.fault.unwrap().contains("overlap"));
}

#[test]
fn an_entry_with_bytes_is_a_file_whatever_it_says_it_is() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: u8, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_path(path).unwrap();
        header.set_size(bytes.len() as u64);
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_cksum();
        builder.append(&header, bytes).unwrap();
    };
    for (path, kind) in [("Z.json", b'Z'), ("1.json", b'1'), ("5.json", b'5'), ("6.json", b'6')] {
        add(path, kind, b"{}");
    }
    add("._junk", b'0', b"{}");
    add("folder", b'5', b"");
    add("link", b'2', b"");
    add("fifo", b'6', b"");
    let archive = builder.into_inner().unwrap();
    check(&archive, &[("Z.json", "{}"), ("1.json", "{}"), ("5.json", "{}"), ("6.json", "{}")]);
    let mut skipped = Vec::new();
    entries(&mut Cursor::new(archive), &Limits::default(), &mut |entry| {
        if let Entry::Skipped { path, why } = entry {
            skipped.push((path, why));
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    let expected = [("._junk", Skipped::Junk), ("link", Skipped::Link), ("fifo", Skipped::Special)];
    assert_eq!(skipped, expected.map(|(path, why)| (path.to_owned(), why)));

    check(&zip(&[("b.json/", b"{}"), ("c\\", b"[]")]), &[("b.json/", "{}"), ("c\\", "[]")]);
}

#[test]
fn a_bomb_of_many_entries_is_one() {
    // No entry is large enough to be judged alone; four of them make the 16 MB that are free.
    let part = vec![b' '; 4 << 20];
    let files: Vec<String> = (0..8).map(|number| format!("{number}.json")).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|name| (name.as_str(), &part[..])).collect();
    let (found, _) = unpack(&zip(&files), &Limits::default());
    let read = found.iter().filter(|(_, content)| content.is_ok()).count();
    assert_eq!((read, found.len()), (4, 8));
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
