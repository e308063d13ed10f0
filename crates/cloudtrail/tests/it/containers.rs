//! Containers: what is sound is taken off, what is not refuses the object with a reason.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use traillake_cloudtrail::log_file::is_foreign;
use traillake_cloudtrail::{Container, Decoder, Kind, Limits, ObjectFault, decode_object, inspect};

use crate::support::{decode, decode_within, event};

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn body(events: usize) -> Vec<u8> {
    let events: Vec<String> = (0..events).map(|n| event(&format!(r#""eventID":"{n}""#))).collect();
    format!("{{\"Records\":[{}]}}", events.join(",")).into_bytes()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    <sha2::Sha256 as sha2::Digest>::digest(bytes).into()
}

#[test]
fn both_sides_of_a_container_are_hashed() {
    let body = body(5);
    let zstd = zstd::encode_all(&body[..], 3).unwrap();
    for (stored, container) in
        [(body.clone(), Container::Plain), (gzip(&body), Container::Gzip), (zstd, Container::Zstd)]
    {
        let found = inspect(&mut &stored[..], &Limits::default()).unwrap();
        assert_eq!((found.container, found.fault), (container, None));
        assert_eq!((found.sha256, found.inflated_sha256), (sha256(&stored), sha256(&body)));
        assert_eq!(found.compressed_bytes, stored.len() as u64);
        assert_eq!(found.inflated_bytes, body.len() as u64);
        assert_eq!(found.inflated.as_deref(), Some(&body[..]));
        assert_eq!(decode(&stored).summary.rows, 5);
    }
}

#[test]
fn an_unsound_container_refuses_the_object() {
    let check = |stored: &[u8], expected: &str| {
        for limits in [Limits::default(), Limits { in_memory_bytes_max: 64, ..Limits::default() }] {
            let summary = decode_within(stored, &limits).summary;
            let fault = summary.fault.expect(expected).to_string();
            assert!(fault.contains(expected), "{fault}");
            assert_eq!((summary.records, summary.rows, summary.rejected), (1, 0, 1));
            assert_eq!(summary.rejects[0].reason, fault);
            assert_eq!(summary.sha256, sha256(stored));
            assert_eq!(summary.compressed_bytes, stored.len() as u64);
        }
    };
    let (whole, other) = (gzip(&body(40)), gzip(&body(1)));
    for cut in [2, 9, 12, whole.len() / 2, whole.len() - 9, whole.len() - 8, whole.len() - 1] {
        check(&whole[..cut], "gzip stream cut short");
    }
    let at = format!("bytes after the first gzip member, at byte {}", whole.len());
    check(&[whole.clone(), other.clone()].concat(), &at);
    check(&[whole.clone(), b"\0".to_vec()].concat(), &at);
    let mut flipped = whole.clone();
    let crc = flipped.len() - 6;
    flipped[crc] ^= 1;
    check(&flipped, "gzip stream corrupt");
    let zstd = zstd::encode_all(&body(40)[..], 3).unwrap();
    check(&zstd[..zstd.len() - 3], "zstd stream cut short");
    check(b"", "empty object");
    assert!(decode(&whole[..whole.len() - 8]).summary.recognised);
}

#[test]
fn a_compression_that_is_not_taken_off_is_named() {
    let (log, zstd) = (body(3), |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap());
    for (stored, expected) in [
        (b"\xfd7zXZ\0\0\x04\xe6\xd6".to_vec(), "compressed with xz, which is not read"),
        (b"BZh91AY&SY\xcc".to_vec(), "compressed with bzip2, which is not read"),
        (b"BZh9\x17rE8P\x90\0\0\0\0".to_vec(), "compressed with bzip2"),
        (gzip(b"\xfd7zXZ\0\0\x04"), "compressed with xz"),
        (gzip(&gzip(&log)), "compressed twice, the inner time with gzip: unpack it once"),
        (zstd(&gzip(&log)), "compressed twice, the inner time with gzip"),
        (gzip(&zstd(&log)), "compressed twice, the inner time with zstd"),
    ] {
        assert!(!is_foreign(&stored), "{expected}");
        for limits in [Limits::default(), Limits { in_memory_bytes_max: 8, ..Limits::default() }] {
            let summary = decode_within(&stored, &limits).summary;
            let fault = summary.fault.as_ref().expect(expected).to_string();
            assert!(fault.starts_with(expected), "{fault}");
            assert_eq!((summary.recognised, summary.suspect), (false, true));
            assert_eq!((summary.records, summary.rejected), (1, 1));
            assert_eq!(summary.rejects[0].reason, fault);
        }
    }
    for text in [&b"BZh, said the bee"[..], b"BZh1 is a name", b"\xfd7zX"] {
        assert!(is_foreign(text) && decode(text).summary.fault.is_none(), "{text:?}");
    }
}

#[test]
fn what_costs_too_much_is_refused() {
    let zeros = gzip(&vec![b' '; 40 << 20]);
    let bomb = decode(&zeros).summary;
    assert_eq!(bomb.fault, Some(ObjectFault::Bomb { limit: 500 }));
    let limits = Limits { inflated_bytes_max: 1_000, ..Limits::default() };
    let large = decode_within(&gzip(&body(100)), &limits).summary;
    assert_eq!(large.fault, Some(ObjectFault::TooLarge { limit: 1_000 }));
}

#[test]
fn a_record_that_is_too_large_is_passed_over() {
    let big = event(&format!(r#""requestParameters":"{}""#, "x".repeat(5 << 20)));
    let (first, last) = (event(r#""eventID":"a""#), event(r#""eventID":"b""#));
    let held = Limits { record_bytes_max: 1 << 20, reject_bytes_max: 100, ..Limits::default() };
    let streamed = Limits { in_memory_bytes_max: 64, ..held.clone() };
    for (body, limits) in [
        (format!("{{\"Records\":[{first},{big},{last}]}}"), &held),
        (format!("{{\"Records\":[{first},{big},{last}]}}"), &streamed),
        (format!("{first}\n{big}\n{last}\n"), &held),
        (format!("{first}\n{big}\n{last}\n"), &streamed),
    ] {
        let decoded = decode_within(body.as_bytes(), limits);
        let ids: Vec<_> = decoded.text(Kind::Events, "eventID").into_iter().flatten().collect();
        assert_eq!(ids, ["a", "b"]);
        let reject = &decoded.summary.rejects[0];
        assert!(reject.reason.contains("larger than 1048576 bytes"));
        assert_eq!((reject.bytes.as_slice(), reject.truncated), (&big.as_bytes()[..100], true));
        assert!(body[reject.offset as usize..].starts_with(&big));
    }
}

#[test]
fn a_large_object_streams_to_the_same_rows() {
    // Several windows long, with records that straddle their edges.
    let stored = gzip(&body(40_000));
    let held = decode(&stored);
    let limits =
        Limits { in_memory_bytes_max: 1_000, inflation_ratio_max: 100_000, ..Limits::default() };
    let streamed = decode_within(&stored, &limits);
    assert_eq!(streamed.summary.rows, 40_000);
    assert!(streamed.batches.len() > 2 && streamed.batches[0].rows.num_rows() <= 8_192);
    assert_eq!(held.rows(Kind::Events), streamed.rows(Kind::Events));
    assert_eq!(held.summary.inflated_sha256, streamed.summary.inflated_sha256);
    assert_eq!(held.summary.last_event_at, streamed.summary.last_event_at);
}

#[test]
fn a_second_reading_must_find_the_same_bytes() {
    let stored = gzip(&body(30));
    for in_memory_bytes_max in [1_000, 1 << 20] {
        let limits = Limits { in_memory_bytes_max, ..Limits::default() };
        let mut inspected = inspect(&mut &stored[..], &limits).unwrap();
        inspected.inflated = None;
        for (second, fault) in
            [(stored.clone(), None), (gzip(&body(29)), Some(ObjectFault::Changed))]
        {
            let mut rows = 0;
            let mut decoder = Decoder::new(limits.clone());
            let mut again = || Ok(Box::new(io::Cursor::new(second.clone())) as Box<dyn Read>);
            let mut sink = |batch: traillake_cloudtrail::Batch| {
                rows += batch.rows.num_rows();
                std::ops::ControlFlow::Continue(())
            };
            let summary = decoder.decode(0, &inspected, &mut again, &mut sink).unwrap();
            decoder.finish(&mut sink);
            assert_eq!(summary.fault, fault);
            assert_eq!(rows, if fault.is_none() { 30 } else { 0 });
        }
    }
}

#[test]
fn a_failing_reader_says_nothing_about_content() {
    struct Failing(usize);
    impl Read for Failing {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::Error::other("disk on fire"));
            }
            self.0 -= 1;
            out[0] = if self.0 == 19 { 0x1f } else { 0x8b };
            Ok(1)
        }
    }
    for bytes in [0, 1, 20] {
        let limits = Limits::default();
        let error = inspect(&mut Failing(bytes), &limits).unwrap_err();
        assert_eq!(error.to_string(), "disk on fire");
        let mut sink = |_| std::ops::ControlFlow::Continue(());
        assert!(decode_object(&mut Failing(bytes), &limits, &mut sink).is_err());
    }
}

#[test]
fn foreign_objects_are_told_by_their_head() {
    for head in [&b"hello"[..], b"\x7fELF", &gzip(b"hello"), b"PK\x03\x04", b"<xml/>"] {
        assert!(is_foreign(head), "{head:?}");
    }
    let record = event(r#""eventVersion":"1.08""#);
    let commented = format!("# comment\n{}\n{record}\n", "-".repeat(60_000));
    let wide: Vec<u8> =
        format!("\u{feff}{record}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for head in [commented.as_bytes(), &gzip(commented.as_bytes()), &wide, &gzip(&wide)] {
        assert!(!is_foreign(head), "{}", String::from_utf8_lossy(head));
    }
    assert!(is_foreign(
        &"# comment\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()
    ));
    for head in [
        &b""[..],
        b"{}",
        b" \n[",
        b"\xef\xbb\xbf{",
        b"2024-01-02",
        &gzip(b"{}"),
        &gzip(&body(50))[..40],
    ] {
        assert!(!is_foreign(head), "{head:?}");
    }
}
