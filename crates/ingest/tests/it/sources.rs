//! Folders, files, standard input: what is taken, what is passed over, what is refused.

use std::io::Cursor;
use std::path::Path;

use traillake_ingest::{CancelFlag, Error, Source, check_sources, plan};

use crate::{Bench, gzip, key, log};

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn links_and_special_files_are_counted_not_followed() {
    let bench = Bench::new();
    bench.put("sub/log.json", log(0..1));
    std::os::unix::fs::symlink(bench.logs(), bench.logs().join("sub/loop")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", bench.logs().join("link.json")).unwrap();
    let fifo = bench.logs().join("fifo.json");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    bench.put("sub/._log.json", log(1..2));
    bench.put("__MACOSX/sub/log.json", log(2..3));
    bench.put(".DS_Store", "x");
    bench.put("AWSLogs/111122223333/Config/eu-west-1/2024/5/6/config.json.gz", gzip(log(3..4)));
    let report = bench.ingest().await;
    assert_eq!((report.objects.read, report.records.stored), (1, 1));
    let ignored = |reason: &str| report.ignored.get(reason).copied().unwrap_or(0);
    assert_eq!(ignored("symbolic link"), 2);
    assert_eq!(ignored("special file"), 1);
    assert_eq!(ignored("file manager's leftovers"), 3);
    assert_eq!(ignored("another service's log"), 1);
    assert!(report.is_clean(), "what is passed over is no fault");
    let names =
        [".DS_Store", "._log.json", "__MACOSX", "config.json.gz", "fifo.json", "link.json", "loop"];
    let ignored = bench.ignored();
    assert_eq!(ignored.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
    assert!(ignored.contains(&("fifo.json".to_owned(), "special file".to_owned())));
    let fifo = check_sources(vec![Source::Path(fifo)], None).await;
    assert!(matches!(fifo, Err(Error::SpecialSource { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn overlapping_sources_are_read_once() {
    let bench = Bench::new();
    let file = bench.put("a/b/log.json", log(0..1));
    bench.put("a-b/log.json", log(1..2));
    let logs = bench.logs();
    let roundabout = logs.join("a/../a/b");
    let report =
        bench.ingest_from(&[&roundabout, &logs, &logs.join("a"), &file, &logs.join("a-b")]).await;
    assert_eq!((report.objects.found, report.objects.read), (2, 2));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_not_utf8_come_in() {
    use std::os::unix::ffi::OsStrExt;
    let bench = Bench::new();
    for (byte, ids) in [(b'\xff', 0..1), (b'\xfe', 1..2)] {
        let name = [b"log-", &[byte][..], b".json"].concat();
        let path = bench.logs().join(std::ffi::OsStr::from_bytes(&name));
        std::fs::write(path, log(ids)).unwrap();
    }
    assert_eq!(bench.ingest().await.records.stored, 2);
    assert_eq!(bench.ingest().await.objects.known, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_and_its_source_stay_apart() {
    let bench = Bench::new();
    let check = async |source: &Path, lake: &Path| {
        let checked = check_sources(vec![Source::Path(source.to_path_buf())], Some(lake)).await;
        matches!(checked, Err(Error::LakeInSource { .. }))
    };
    let logs = bench.logs();
    assert!(check(&logs, &logs.join("lake")).await);
    assert!(check(&logs, &logs.join("not/yet/there/lake")).await);
    assert!(check(&logs, &logs).await, "the lake itself");
    assert!(check(&logs, &bench.root()).await, "a source inside the lake");
    assert!(check(&logs, &logs.join("x/../lake")).await || !logs.join("x").exists());
    assert!(!check(&logs, &bench.root().join("logs-lake")).await, "a name that only begins alike");
    assert!(!check(&logs, &bench.root().join("lake")).await);
    let absent = check_sources(vec![Source::Path(logs.join("absent"))], None).await;
    assert!(matches!(absent, Err(Error::Source { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_is_known_by_its_bytes() {
    let bench = Bench::new();
    let pipe = |bytes: Vec<u8>| vec![Source::Stdin(Box::new(Cursor::new(bytes)))];
    let cancel = CancelFlag::default();
    let report = bench.run(pipe(gzip(log(0..9))), &*bench.lines, &cancel).await;
    assert_eq!((report.objects.read, report.records.stored), (1, 9));
    let again = bench.run(pipe(gzip(log(0..9))), &*bench.lines, &cancel).await;
    assert_eq!((again.objects.known, again.rounds), (1, 0));
    let more = bench.run(pipe(log(5..15).into_bytes()), &*bench.lines, &cancel).await;
    assert_eq!((more.records.stored, more.records.duplicates), (6, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_would_be_read() {
    let mut bench = Bench::new();
    let known = bench.put(&key(1, "known"), gzip(log(0..1)));
    bench.put(&key(2, "changed"), gzip(log(1..2)));
    bench.ingest().await;
    bench.put(&key(2, "changed"), gzip(log(1..4)));
    bench.put(&key(3, "new"), gzip(log(4..5)));
    bench.put("undated.json", log(5..6));
    let writer = bench.writer().await;
    let sources = || vec![Source::Path(bench.logs())];
    let cancel = CancelFlag::default();
    let state = writer.snapshot();
    let planned = plan(Some(&state), sources(), &bench.options, &cancel).await.unwrap();
    let cells: Vec<_> = planned
        .cells
        .iter()
        .map(|cell| {
            let tally = cell.tally;
            let counts = (tally.new_objects, tally.changed_objects, tally.known_objects);
            (cell.account.as_deref(), cell.region.as_deref(), cell.day.as_deref(), counts)
        })
        .collect();
    assert_eq!(
        cells,
        [
            (None, None, None, (1, 0, 0)),
            (Some("111122223333"), Some("eu-west-1"), Some("2024-05-06"), (1, 1, 1)),
        ]
    );
    assert_eq!(planned.total.known_bytes, known.metadata().unwrap().len());
    assert_eq!(bench.rows("objects").await, 2, "a plan writes nothing");

    bench.options.selection.accounts.insert("444455556666".to_owned());
    let sources = || vec![Source::Path(bench.logs())];
    let planned = plan(None, sources(), &bench.options, &cancel).await.unwrap();
    assert_eq!(
        (planned.left_out, planned.total.new_objects),
        (3, 1),
        "a key that says nothing stays"
    );
}
