//! A source that does not hold still, and one that does not want to be read.

use std::fs;
use std::path::PathBuf;

use traillake_ingest::{CancelFlag, Progress, Source};

use crate::{Bench, files, gzip, key, log};

/// Does something to the source between its listing and its reading.
struct Meanwhile<F: Fn() + Send + Sync>(F);

impl<F: Fn() + Send + Sync> Progress for Meanwhile<F> {
    fn planned(&self, _objects: u64, _bytes: u64) {
        (self.0)();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_vanishes_or_changes_is_not_committed_and_stays_new() {
    let bench = Bench::new();
    let vanishes = bench.put(&key(1, "vanishes"), gzip(log(0..3)));
    let changes = bench.put(&key(2, "changes"), gzip(log(3..6)));
    bench.put(&key(3, "stays"), gzip(log(10..13)));
    let meanwhile = Meanwhile(|| {
        fs::remove_file(&vanishes).unwrap();
        fs::write(&changes, gzip(log(3..7))).unwrap();
    });
    let sources = vec![Source::Path(bench.logs())];
    let report = bench.run(sources, &meanwhile, &CancelFlag::default()).await;
    assert_eq!((report.objects.read, report.objects.failed), (1, 2));
    let mut kinds: Vec<_> = report.faults.iter().map(|fault| fault.kind.to_string()).collect();
    kinds.sort();
    assert_eq!(kinds, ["changed", "vanished"]);
    assert!(!report.is_clean());
    assert_eq!(bench.rows("objects").await, 1);

    let next = bench.ingest().await;
    assert_eq!((next.objects.read, next.objects.changed, next.records.stored), (1, 0, 4));
    assert!(next.is_clean());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_read_is_reported_and_the_rest_comes_in() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    bench.put("open.json", log(0..1));
    bench.put("closed/log.json", log(1..2));
    let file = bench.put("closed.json", log(2..3));
    let folder = bench.logs().join("closed");
    let forbid = |path: &PathBuf, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    forbid(&folder, 0);
    forbid(&file, 0);
    if fs::read_dir(&folder).is_ok() {
        return as_nobody("faults::what_may_not_be_read_is_reported_and_the_rest_comes_in");
    }
    let report = bench.ingest().await;
    forbid(&folder, 0o700);
    assert_eq!((report.objects.read, report.objects.failed), (1, 1));
    assert_eq!(report.faults_total, 2);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_could_be_read_after_its_listing_only_is_left_to_the_next_run() {
    use crate::archives::tar_of;
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let archive = bench.put("logs.tar", tar_of("log.json", log(0..3)));
    let loose = bench.put("loose.json", log(3..5));
    let set = |mode| {
        for path in [&archive, &loose] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    set(0);
    if fs::read(&loose).is_ok() {
        return as_nobody(
            "faults::an_archive_that_could_be_read_after_its_listing_only_is_left_to_the_next_run",
        );
    }
    let meanwhile = Meanwhile(|| set(0o600));
    let sources = vec![Source::Path(bench.logs())];
    let report = bench.run(sources, &meanwhile, &CancelFlag::default()).await;
    let objects = report.objects;
    assert_eq!((objects.read, objects.failed, objects.ignored), (1, 1, 0), "{report:#?}");
    let fault = &report.faults[0];
    assert_eq!(fault.kind.to_string(), "unreadable");
    assert!(fault.object.ends_with("logs.tar") && fault.reason.contains("archive"), "{fault:?}");

    let next = bench.ingest().await;
    assert!(next.is_clean(), "{next:#?}");
    assert_eq!((next.objects.known, next.objects.read, next.records.stored), (1, 1, 3));
}

/// Runs a test of this binary again, for this user may read everything and nobody may not.
#[cfg(unix)]
fn as_nobody(test: &str) {
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let mut command = std::process::Command::new("setpriv");
    command.args(nobody).arg(std::env::current_exe().unwrap()).args([test, "--exact"]);
    let ran = command.output();
    // It says so where it is not there, may not or cannot run the binary.
    let ran = ran.ok().filter(|ran| !matches!(ran.status.code(), Some(126 | 127)));
    let Some(ran) = ran else {
        eprintln!("SKIPPED: `setpriv` cannot run `{test}` as nobody");
        return;
    };
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

/// A path that is too long is one that nobody can read, whatever they may.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_no_path_leads_to_is_told_and_the_rest_comes_in() {
    let bench = Bench::new();
    bench.put("before.json", log(0..1));
    bench.put("outer/beside.json", log(1..3));
    // Two trees that can be named, and then one in the other.
    let name = "d".repeat(200);
    let tree = |root: PathBuf| {
        let deepest = std::iter::repeat_n(&name, 14).fold(root, |path, name| path.join(name));
        fs::create_dir_all(&deepest).unwrap();
        deepest
    };
    let inner = bench.root().join("inner");
    fs::write(tree(inner.clone()).join("log.json"), log(3..4)).unwrap();
    let outer = tree(bench.logs().join("outer"));
    fs::rename(inner, outer.join("inner")).unwrap();
    for (read, known) in [(2, 0), (0, 2)] {
        let report = bench.ingest().await;
        let objects = &report.objects;
        assert_eq!((objects.read, objects.known, objects.failed), (read, known, 0), "{report:?}");
        assert_eq!((report.faults_total, report.is_clean()), (1, false));
        let fault = &report.faults[0];
        assert_eq!(fault.kind.to_string(), "unreadable");
        assert!(fault.object.starts_with(outer.join("inner").to_str().unwrap()), "{fault:?}");
        assert!(fault.reason.contains("too long"), "{fault:?}");
    }
    assert_eq!(bench.rows("events").await, 3);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_only_read() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    bench.put(&key(1, "log"), gzip(log(0..5)));
    bench.put("sub/log.json", log(5..9));
    for path in files(&bench.logs()) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o400)).unwrap();
    }
    fs::set_permissions(bench.logs().join("sub"), fs::Permissions::from_mode(0o500)).unwrap();
    let stamps = || -> Vec<_> {
        let stamp = |path: PathBuf| (path.metadata().unwrap().modified().unwrap(), path);
        files(&bench.logs()).into_iter().map(stamp).collect()
    };
    let before = stamps();
    assert_eq!(bench.ingest().await.records.stored, 9);
    assert_eq!(stamps(), before);
    fs::set_permissions(bench.logs().join("sub"), fs::Permissions::from_mode(0o700)).unwrap();
}
