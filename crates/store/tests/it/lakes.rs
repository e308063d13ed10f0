//! Opening, creating and refusing.

use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use futures::TryStreamExt;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory};
use traillake_store::{Error, ErrorKind, Fsync, Lake, OpenOptions};
use traillake_testkit::s3::{S3, Spoiled};

use crate::world::{self, Disk, STORE, at, check_truth, commit, object, record, spec};

#[tokio::test]
async fn opening_creates_nothing_and_a_folder_of_somebody_else_is_never_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let location = missing.to_str().unwrap();
    assert!(matches!(Lake::open(location).await, Err(Error::NoLake { .. })));
    let is_lake = Lake::is_lake_with(location, OpenOptions::default()).await.unwrap();
    assert!(!missing.exists() && !is_lake);

    let theirs = folder.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("thesis.txt"), "mine").unwrap();
    let location = theirs.to_str().unwrap();
    for opened in [Lake::open(location).await, Lake::open_or_create(location).await] {
        let error = opened.err().unwrap();
        assert!(matches!(error, Error::NotALake { .. }), "{error}");
        assert!(error.hint().is_some());
    }
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), 1);
    // Where nobody can look it is not known that there is none.
    let below = theirs.join("thesis.txt").join("lake");
    let hidden = Lake::open(below.to_str().unwrap()).await.err().unwrap();
    assert!(matches!(hidden, Error::Storage { .. }), "{hidden}");

    for odd in ["", "s3://bucket/lake", "https://example.com", "file://host/x/y"] {
        assert!(matches!(Lake::open_or_create(odd).await, Err(Error::Location { .. })), "{odd}");
    }
}

#[tokio::test]
async fn three_at_once_create_one_lake_and_one_store() {
    for _ in 0..10 {
        let disk = Disk::folder();
        let (a, b, c) =
            tokio::join!(world::writer(&disk), world::writer(&disk), world::writer(&disk));
        let (a, b, c) = (a.unwrap(), b.unwrap(), c.unwrap());
        assert!(a.info() == b.info() && b.info() == c.info());
        let lake = Lake::open(&disk.location).await.unwrap();
        assert_eq!(lake.stores().await.unwrap(), [a.info().clone()]);
        let error = lake.create_store(STORE, &spec(), at(0)).await.unwrap_err();
        assert!(matches!(error, Error::StoreExists { .. }));
    }
}

#[tokio::test]
async fn stores_have_names_of_their_own() {
    let disk = Disk::memory();
    let lake = Lake::open_or_create_with(&disk.location, disk.options.clone()).await.unwrap();
    for name in ["b", "a-1", "2021_07"] {
        lake.create_store(name, &spec(), at(0)).await.unwrap();
    }
    let names: Vec<String> = lake.stores().await.unwrap().into_iter().map(|s| s.name).collect();
    assert_eq!(names, ["2021_07", "a-1", "b"]);
    let long = "x".repeat(65);
    for name in ["", "system", "information_schema", "A", "../x", "a/b", "-a", &long] {
        let error = lake.create_store(name, &spec(), at(0)).await.unwrap_err();
        assert!(matches!(error, Error::StoreName { .. }), "{name}");
        assert!(error.hint().unwrap().contains("`information_schema`"), "{name}");
        assert!(matches!(lake.store(name).await, Err(Error::NoStore { .. })), "{name}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn everything_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let disk = Disk::folder();
    let writer = world::writer(&disk).await.unwrap();
    commit(&writer, &[object("a", vec![record("1", 0, "one")])], 1).await.unwrap();
    let mut paths = vec![std::path::PathBuf::from(&disk.location)];
    let mut files = 0;
    while let Some(path) = paths.pop() {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        if path.is_dir() {
            paths.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            assert!(!path.to_str().unwrap().contains('#'), "{} is left over", path.display());
            files += 1;
        }
    }
    assert!(files > 10);
}

/// A file system without hard links, as exFAT and FAT are.
#[derive(Debug)]
struct NoLinks;

impl Fsync for NoLinks {
    fn file(&self, _: &fs::File, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn link(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

#[tokio::test]
async fn a_file_system_without_hard_links_is_refused_also_for_a_lake_copied_there() {
    for exists in [false, true] {
        let mut disk = Disk::folder();
        if exists {
            world::writer(&disk).await.unwrap();
        }
        disk.options.fsync = Arc::new(NoLinks);
        let opened = Lake::open_or_create_with(&disk.location, disk.options.clone()).await;
        let error = opened.err().unwrap();
        assert!(matches!(error, Error::NoHardLinks { .. }), "{error}");
        assert!(error.hint().unwrap().contains("exFAT"));
        let files = fs::read_dir(&disk.location).unwrap().count();
        assert_eq!(files, if exists { 2 } else { 0 }, "nothing is left behind");
        let read = Lake::open_with(&disk.location, disk.options.clone()).await;
        assert_eq!(read.is_ok(), exists, "reading needs no links");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_without_conditional_writes_is_refused_by_whoever_writes() {
    let s3 = S3::start(&["home"]).await.unwrap();
    let bucket: Arc<dyn ObjectStore> = Arc::new(s3.client("home").unwrap());
    let options = OpenOptions { bucket: Some(bucket.clone()), ..OpenOptions::default() };
    let refuse = |opened: Option<Error>, what: &str| {
        assert!(matches!(opened, Some(Error::NoConditionalWrites { .. })), "{what}: {opened:?}");
    };
    // One does not look at the condition, the other does not know it.
    for spoiled in [Spoiled::Agreed, Spoiled::Refused(501, "NotImplemented")] {
        s3.heal();
        let lake = Lake::open_or_create_with("s3://home", options.clone()).await.unwrap();
        if lake.stores().await.unwrap().is_empty() {
            lake.create_store(STORE, &spec(), at(0)).await.unwrap();
        }
        s3.spoil(move |_, asked| (asked.method == "PUT").then_some(spoiled));
        let again = Lake::open_or_create_with("s3://home", options.clone()).await;
        refuse(again.err(), "opened");
        let lake = Lake::open_with("s3://home", options.clone()).await.unwrap();
        refuse(lake.writer(STORE, &spec(), at(0)).await.err(), "a writer");
        refuse(lake.create_store("other", &spec(), at(0)).await.err(), "a store");
        refuse(lake.delete_store(STORE, at(0)).await.err(), "settings");
        refuse(lake.add_source("trail", "{}".to_string()).await.err(), "a source");
        assert!(lake.store(STORE).await.is_ok(), "reading needs no conditions");

        let options = OpenOptions {
            bucket: Some(Arc::new(PrefixStore::new(bucket.clone(), "new"))),
            ..OpenOptions::default()
        };
        refuse(Lake::open_or_create_with("s3://home/new", options).await.err(), "a new lake");
        let left = bucket.list(Some(&"new".into())).try_collect::<Vec<_>>().await.unwrap();
        assert!(left.is_empty(), "nothing is left behind: {left:?}");
    }
}

async fn memory_lake() -> (Disk, Arc<dyn ObjectStore>) {
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let inner = memory.clone();
    let disk = Disk::folder().wrapped(Arc::new(move |_| inner.clone()));
    world::writer(&disk).await.unwrap();
    (disk, memory)
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    for file in ["traillake.json", "stores/default/store.json"] {
        let (disk, memory) = memory_lake().await;
        memory.put(&file.into(), r#"{"format": 2, "id": 7}"#.into()).await.unwrap();
        let error = world::writer(&disk).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Newer, "{error}");
        assert!(error.to_string().contains('2') && error.hint().is_some());
    }
}

#[tokio::test]
async fn a_table_feature_we_do_not_know_is_refused_by_reader_and_writer() {
    for protocol in [
        r#"{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors"]}"#,
        r#"{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["timeMachine"],"writerFeatures":["timeMachine"]}"#,
        r#"{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["rowTracking","domainMetadata"]}"#,
    ] {
        let (disk, memory) = memory_lake().await;
        let path = "stores/default/events/_delta_log/00000000000000000001.json";
        memory.put(&path.into(), format!("{{\"protocol\":{protocol}}}\n").into()).await.unwrap();
        let lake = Lake::open_with(&disk.location, disk.options.clone()).await.unwrap();
        let read = lake.store(STORE).await.unwrap().snapshot(None).await.map(|_| ());
        for refused in [read, world::writer(&disk).await.map(|_| ())] {
            let error = refused.unwrap_err();
            assert!(matches!(error, Error::TableFeatures { .. }), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_table_added_by_a_later_version_is_created_on_opening_for_write() {
    let disk = Disk::memory();
    let mut smaller = spec();
    smaller.plain.clear();
    smaller.records.truncate(1);
    let lake = Lake::open_or_create_with(&disk.location, disk.options.clone()).await.unwrap();
    lake.writer(STORE, &smaller, at(0)).await.unwrap();
    let writer = world::writer(&disk).await.unwrap();
    let a = object("a", vec![record("1", 0, "one")]);
    commit(&writer, std::slice::from_ref(&a), 1).await.unwrap();
    assert_eq!(check_truth(&disk, &[&a]).await, 1);
}
