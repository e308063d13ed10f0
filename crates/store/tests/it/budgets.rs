//! What a lake in a bucket costs its readers, counted by the S3 itself.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::path::Path;
use serde_json::json;
use traillake_store::{CacheOptions, Error, Lake, OpenOptions, StoreSnapshot, StoreWriter};
use traillake_testkit::damage;
use traillake_testkit::random::Random;
use traillake_testkit::s3::{Asked, S3, Spoiled};
use traillake_testkit::table_log::commits_to_checkpoint;

use crate::world::{self, Object, STORE, at, objects, spec};

struct Bucket {
    s3: S3,
    /// What is kept of it here.
    kept: tempfile::TempDir,
}

impl Bucket {
    async fn new() -> Bucket {
        Bucket { s3: S3::start(&["home"]).await.unwrap(), kept: tempfile::tempdir().unwrap() }
    }

    fn options(&self) -> OpenOptions {
        let bucket = Some(Arc::new(self.s3.client("home").unwrap()) as Arc<_>);
        let folder = Some(self.kept.path().to_owned());
        let cache = Some(CacheOptions { folder, bytes_max: 64 << 20, now: chrono::Utc::now });
        OpenOptions { bucket, cache, ..OpenOptions::default() }
    }

    async fn writer(&self) -> StoreWriter {
        let lake = Lake::open_or_create_with("s3://home", self.options()).await.unwrap();
        lake.writer(STORE, &spec(), at(0)).await.unwrap()
    }

    async fn commit(&self, objects: &[Object], n: i64) {
        world::commit(&self.writer().await, objects, n).await.unwrap();
    }

    /// A lake opened by a process that has just begun.
    async fn open(&self) -> Lake {
        Lake::open_with("s3://home", self.options()).await.unwrap()
    }

    /// The lake, opened for a question about events; and what that asked of S3.
    async fn asked(&self) -> (StoreSnapshot, Vec<Asked>) {
        self.s3.asked();
        let snapshot = events_of(&self.open().await).await.unwrap();
        (snapshot, self.s3.asked())
    }

    /// Forgets what is kept of it here, as on another machine.
    fn forget(&self) {
        std::fs::remove_dir_all(self.kept.path()).unwrap();
        std::fs::create_dir(self.kept.path()).unwrap();
    }

    fn log(&self, table: &str) -> PathBuf {
        self.s3.bucket_folder("home").join(format!("stores/{STORE}/{table}/_delta_log"))
    }
}

/// The events of a lake with the list of their files: what a query about events opens.
async fn events_of(lake: &Lake) -> Result<StoreSnapshot, Error> {
    let stores = lake.known_stores().await?;
    let pin = lake.store_of(stores[0].clone()).pin(None).await?;
    let snapshot = pin.open(&BTreeSet::from(["events".to_owned()])).await?;
    for table in snapshot.tables() {
        table.files().await?;
    }
    Ok(snapshot)
}

/// Makes a commit name so many files more, which nobody reads.
fn add_files(commit: &std::path::Path, count: usize) {
    let mut actions = damage::actions(&std::fs::read(commit).unwrap()).unwrap();
    damage::multiply(&mut actions, count, |add, number| {
        add["path"] = json!(format!("month=2001-01/part-{number:08}.parquet"));
        add["partitionValues"] = json!({"month": "2001-01"});
    });
    std::fs::write(commit, damage::commit(&actions)).unwrap();
}

/// Asserts that a lake of so many files is opened with ten requests at most, and again with one.
async fn check_opening(bucket: &Bucket, files: usize) {
    // What takes long is asked for once, too.
    bucket.s3.spoil(|_, _| Some(Spoiled::Late(30)));
    bucket.forget();
    let (cold, asked) = bucket.asked().await;
    let found = cold.table("events").unwrap().files().await.unwrap();
    assert!(found.len() >= files, "{}", found.len());
    assert!(asked.len() <= 10, "{} requests: {asked:#?}", asked.len());
    let (warm, asked) = bucket.asked().await;
    assert_eq!(warm.table("events").unwrap().files().await.unwrap(), found);
    assert_eq!(asked.len(), 1, "{asked:#?}");
    assert!(asked[0].is_listing() && asked[0].query.contains("objects"), "{asked:#?}");
    bucket.s3.heal();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_of_ten_thousand_files_is_opened_with_ten_requests_and_again_with_one() {
    let bucket = Bucket::new().await;
    let more = |n: i64| objects(&format!("b{n}"), n as usize * 100, 1, 2);
    bucket.commit(&objects("a", 0, 2, 5), 1).await;
    add_files(&bucket.log("events").join("00000000000000000001.json"), 10_000);
    // The eighth round writes a checkpoint.
    for n in 2..=8 {
        bucket.commit(&more(n), n).await;
    }
    assert!(bucket.log("events").join("00000000000000000008.checkpoint.parquet").exists());
    check_opening(&bucket, 10_000 + 8).await;
    // It costs most just before the next checkpoint: commits that none holds are read each.
    let writer = bucket.writer().await;
    let commits = commits_to_checkpoint(&bucket.log("events")).unwrap() as i64 - 1;
    for n in 9..9 + commits {
        world::commit(&writer, &more(n), n).await.unwrap();
    }
    check_opening(&bucket, 10_000 + 8 + commits as usize).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_remembered_never_hides_a_round() {
    let bucket = Bucket::new().await;
    for n in 1..=5 {
        bucket.commit(&objects(&format!("a{n}"), n as usize * 100, 1, 3), n).await;
        let (snapshot, _) = bucket.asked().await;
        assert_eq!(snapshot.token, n);
        let files = snapshot.table("events").unwrap().files().await.unwrap();
        assert_eq!(files.iter().map(|file| file.rows).sum::<u64>(), n as u64 * 3);
        let (again, asked) = bucket.asked().await;
        assert_eq!((again.token, asked.len()), (n, 1), "{asked:#?}");
    }
    // One process sees the rounds of others.
    let lake = bucket.open().await;
    assert_eq!(events_of(&lake).await.unwrap().token, 5);
    bucket.commit(&objects("b", 0, 1, 3), 6).await;
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(events_of(&lake).await.unwrap().token, 6);
}

/// Reads ranges of a data file through the cache of a lake; which bytes S3 is asked for so.
async fn asked_for(bucket: &Bucket, file: &(Path, Vec<u8>), ranges: &[Range<u64>]) -> Vec<String> {
    let snapshot = events_of(&bucket.open().await).await.unwrap();
    let objects = snapshot.table("events").unwrap().object_store().clone();
    bucket.s3.asked();
    let read = objects.get_ranges(&file.0, ranges).await.unwrap();
    for (range, read) in ranges.iter().zip(&read) {
        let expected = &file.1[range.start as usize..(range.end as usize).min(file.1.len())];
        assert!(read == expected, "{range:?}: {} bytes", read.len());
    }
    let mut asked: Vec<String> =
        bucket.s3.asked_with("range").into_iter().filter_map(|(_, range)| range).collect();
    asked.sort();
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_a_large_data_file_are_asked_for_in_runs_of_blocks_and_kept() {
    const BLOCK: u64 = 1 << 20;
    let bucket = Bucket::new().await;
    bucket.commit(&objects("a", 0, 1, 3), 1).await;
    let mut random = Random::new(1);
    let bytes: Vec<u8> =
        (0..BLOCK * 37 / 2 / 8).flat_map(|_| random.next().to_le_bytes()).collect();
    let size = bytes.len() as u64;
    let path = Path::from(format!("stores/{STORE}/events/month=2023-11/part-large.parquet"));
    std::fs::write(bucket.s3.bucket_folder("home").join(path.as_ref()), &bytes).unwrap();
    let file = (path, bytes);
    // What is read, and what is asked for so: first bytes, and those behind the last.
    let check = async |read: &[(u64, u64)], expected: &[(u64, u64)]| {
        let ranges: Vec<Range<u64>> = read.iter().map(|(first, end)| *first..*end).collect();
        let header = |(first, end): &(u64, u64)| format!("bytes={first}-{}", end - 1);
        let expected: Vec<String> = expected.iter().map(header).collect();
        assert_eq!(asked_for(&bucket, &file, &ranges).await, expected, "{read:?}");
    };
    // What lies close together is one request, what lies apart another; inside blocks, over their edges.
    let apart = [(100, 200), (150, 300), (BLOCK - 10, BLOCK + 10), (3 * BLOCK, 3 * BLOCK + 1)];
    check(&apart, &[(0, 2 * BLOCK), (3 * BLOCK, 4 * BLOCK)]).await;
    check(&apart, &[]).await;
    // Of what is known in part only the rest is asked for.
    check(&[(10, 4 * BLOCK - 10)], &[(2 * BLOCK, 3 * BLOCK)]).await;
    check(&[(0, 4 * BLOCK), (BLOCK, 2 * BLOCK)], &[]).await;
    // The end of the file lies in the middle of a block.
    check(&[(size - 8, size)], &[(18 * BLOCK, 19 * BLOCK)]).await;
    check(&[(size - 100, size - 8), (18 * BLOCK, size)], &[]).await;
    // A scan is asked for as it is, and not kept.
    check(&[(5, 17 * BLOCK)], &[(5, 17 * BLOCK)]).await;
    check(&[(5, 17 * BLOCK)], &[(5, 17 * BLOCK)]).await;
    // A block that was lost here is asked for again.
    check(&[(3 * BLOCK, 3 * BLOCK + 1)], &[]).await;
    bucket.forget();
    check(&[(3 * BLOCK, 3 * BLOCK + 1)], &[(3 * BLOCK, 4 * BLOCK)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_lake_in_the_same_place_is_another_lake() {
    let bucket = Bucket::new().await;
    bucket.commit(&objects("a", 0, 1, 3), 1).await;
    let (first, _) = bucket.asked().await;
    std::fs::remove_dir_all(bucket.s3.bucket_folder("home")).unwrap();
    std::fs::create_dir(bucket.s3.bucket_folder("home")).unwrap();
    let gone = Lake::open_with("s3://home", bucket.options()).await.err();
    assert!(matches!(gone, Some(Error::NoLake { .. })), "{gone:?}");
    bucket.commit(&objects("b", 500, 1, 4), 1).await;
    let (second, _) = bucket.asked().await;
    let paths = async |snapshot: &StoreSnapshot| {
        let files = snapshot.table("events").unwrap().files().await.unwrap();
        files.iter().map(|file| file.path.clone()).collect::<Vec<_>>()
    };
    assert_eq!((first.token, second.token), (1, 1));
    assert_ne!(paths(&first).await, paths(&second).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_lacks_rounds_is_refused_when_it_is_named() {
    let bucket = Bucket::new().await;
    bucket.commit(&objects("a", 0, 1, 3), 1).await;
    bucket.commit(&objects("b", 100, 1, 3), 2).await;
    bucket.commit(&objects("c", 200, 1, 3), 3).await;
    // No checkpoint holds what the last round committed.
    std::fs::remove_file(bucket.log("events").join("00000000000000000003.json")).unwrap();
    let torn = events_of(&bucket.open().await).await.err();
    assert!(matches!(torn, Some(Error::Torn { .. })), "{torn:?}");
}
