//! Archives of real files, made here.

use std::fs::File;
use std::io::{Cursor, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use traillake_ingest::{CancelFlag, Source};
use traillake_testkit::corpus::corpus;
use zip::write::SimpleFileOptions;

use crate::{Bench, files, gzip, key, log};

/// Writes the files below `folder` as a tar.
fn tar(folder: &Path, output: impl Write) {
    let mut builder = tar::Builder::new(output);
    for path in files(folder) {
        let name = path.strip_prefix(folder).unwrap();
        builder.append_path_with_name(&path, name).unwrap();
    }
    builder.into_inner().unwrap().flush().unwrap();
}

/// A tar of one file.
pub(crate) fn tar_of(name: &str, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.as_ref().len() as u64);
    header.set_mode(0o600);
    builder.append_data(&mut header, name, bytes.as_ref()).unwrap();
    builder.into_inner().unwrap()
}

fn zip(folder: &Path, output: &Path) {
    let mut writer = zip::ZipWriter::new(File::create(output).unwrap());
    for path in files(folder) {
        let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(&std::fs::read(&path).unwrap()).unwrap();
    }
    writer.finish().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_its_members() {
    let Some(folder) = corpus("invictus") else { return };
    let plain = Bench::new();
    let from_files = plain.ingest_from(&[&folder]).await;

    let bench = Bench::new();
    let gzipped = File::create(bench.logs().join("trail.tar.gz")).unwrap();
    tar(&folder, GzEncoder::new(gzipped, Compression::fast()));
    let report = bench.ingest().await;
    assert_eq!(report.records, from_files.records);
    assert_eq!(report.objects.read, from_files.objects.read);
    let line = bench.line("C1qUFaqvZS64BcIN.json.gz");
    let member = "/logs/trail.tar.gz!/AWSLogs/218007301253/CloudTrail/us-east-1/2023/07/10/";
    assert!(line.object.contains(member), "{}", line.object);
    assert!(line.logical_key.starts_with("AWSLogs/"));
    assert_eq!(line.account.as_deref(), Some("218007301253"));
    assert_eq!(line.sha256, plain.line("C1qUFaqvZS64BcIN.json.gz").sha256);
    assert_eq!(bench.ingest().await.objects.known, report.objects.logs());

    zip(&folder, &bench.logs().join("trail.zip"));
    let zipped = bench.ingest().await;
    assert_eq!(zipped.objects.copies, report.objects.read);
    assert_eq!(zipped.records.records, 0);

    let mut piped = Vec::new();
    tar(&folder, &mut piped);
    let sources = vec![Source::Stdin(Box::new(Cursor::new(piped)))];
    let piped = bench.run(sources, &*bench.lines, &CancelFlag::default()).await;
    assert_eq!(piped.objects.copies, report.objects.read);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_one_name_are_all_read() {
    let bench = Bench::new();
    let mut builder = tar::Builder::new(Vec::new());
    for id in 0..3 {
        let bytes = gzip(log(id..id + 1));
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        builder.append_data(&mut header, key(1, "same"), &*bytes).unwrap();
    }
    bench.put("twice.tar", builder.into_inner().unwrap());
    let report = bench.ingest().await;
    assert_eq!((report.objects.read, report.records.stored), (3, 3));
    assert_eq!(bench.ingest().await.objects.known, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_cut_short_gives_what_stands_before_the_cut() {
    let bench = Bench::new();
    for id in 0..20 {
        bench.put(&format!("in/{id:02}.json"), log(id * 10..id * 10 + 10));
    }
    let mut bytes = Vec::new();
    tar(&bench.logs().join("in"), &mut bytes);
    bytes.truncate(bytes.len() / 2);
    let folder = bench.root().join("out");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("cut.tar"), bytes).unwrap();
    let report = bench.ingest_from(&[&folder]).await;
    assert!(report.objects.read > 5, "{report:?}");
    assert!(!report.is_clean());
    let faults = bench.faults();
    assert!(faults.iter().any(|(kind, _)| kind == "damaged"), "{faults:?}");
}
