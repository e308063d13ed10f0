//! Commits that replace files, against one another and against rounds.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::TimeDelta;
use object_store::path::Path;
use traillake_store::{Error, Expiry, Result, StoreWriter, TableSnapshot};
use traillake_testkit::faults::{Counted, Faults, Reply, Trouble};

use crate::expiry::set;
use crate::upkeep::{behind, lake_in, later, rounds, upkeep};
use crate::world::{
    self, Disk, Ledger, Object, at, audit, check_truth, commit, commit_path, objects, read,
    table_rows, told,
};

async fn lake_of_three_rounds() -> (Disk, StoreWriter, Vec<Object>) {
    three_rounds_in(Disk::memory()).await
}

async fn three_rounds_in(disk: Disk) -> (Disk, StoreWriter, Vec<Object>) {
    let writer = world::writer(&disk).await.unwrap();
    let all = objects("a", 0, 3, 4);
    for object in &all {
        commit(&writer, std::slice::from_ref(object), 1).await.unwrap();
    }
    (disk, writer, all)
}

/// All files of a table, and their rows without the partition column.
async fn whole(table: &TableSnapshot) -> (Vec<Path>, Vec<RecordBatch>) {
    let files = table.files().await.unwrap();
    (files.iter().map(|file| file.path.clone()).collect(), table_rows(table).await)
}

#[tokio::test]
async fn two_rewrites_of_the_same_files_never_both_publish() {
    for step in 0..8 {
        let disk = if step < 4 { Disk::memory() } else { Disk::bucket() };
        let (disk, ann, all) = three_rounds_in(disk).await;
        let bob = world::writer(&disk).await.unwrap();
        let seen: Vec<&Object> = all.iter().collect();
        let (snapshot, other) = (ann.snapshot(), bob.snapshot());
        let (events, theirs) = (snapshot.table("events").unwrap(), other.table("events").unwrap());
        let (inputs, rows) = whole(events).await;
        let published = match step % 4 {
            0 => {
                let first = ann.rewrite(events, &inputs, rows.clone(), at(5)).await;
                vec![first, bob.rewrite(theirs, &inputs, rows, at(6)).await]
            }
            1 => {
                let half: usize = inputs.len() / 2;
                let some = some_rows(events, &inputs[..half]).await;
                let first = ann.rewrite(events, &inputs[..half], some, at(5)).await;
                vec![first, bob.rewrite(theirs, &inputs, rows, at(6)).await]
            }
            2 => {
                let first = ann.rewrite(events, &inputs, rows.clone(), at(5));
                let second = bob.rewrite(theirs, &inputs, rows.clone(), at(5));
                let (first, second) = tokio::join!(first, second);
                vec![first, second]
            }
            // Planned on a state that came after the other's.
            _ => {
                let first = ann.rewrite(events, &inputs, rows.clone(), at(5)).await;
                let now = read(&disk).await;
                let now = now.table("events").unwrap();
                vec![first, bob.rewrite(now, &inputs, rows, at(6)).await]
            }
        };
        let refused = |result: &&Result<u64, Error>| matches!(result, Err(Error::NotLive { .. }));
        assert_eq!(published.iter().filter(|result| result.is_ok()).count(), 1, "{published:?}");
        assert_eq!(published.iter().filter(refused).count(), 1, "{published:?}");
        assert_eq!(check_truth(&disk, &seen).await, 3);
    }
}

async fn some_rows(table: &TableSnapshot, inputs: &[Path]) -> Vec<RecordBatch> {
    let mut rows = Vec::new();
    for path in inputs {
        let bytes = object_store::ObjectStoreExt::get(table.object_store().as_ref(), path);
        let bytes = bytes.await.unwrap().bytes().await.unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes);
        rows.extend(reader.unwrap().build().unwrap().map(|batch| batch.unwrap()));
    }
    rows
}

#[tokio::test]
async fn a_rewrite_and_a_round_both_succeed_whoever_is_first() {
    let (disk, ann, mut all) = lake_of_three_rounds().await;
    let bob = world::writer(&disk).await.unwrap();
    // A rewrite planned before a round of somebody else.
    let snapshot = ann.snapshot();
    let events = snapshot.table("events").unwrap();
    let (inputs, rows) = whole(events).await;
    let more = objects("b", 2, 1, 12);
    commit(&bob, &more, 2).await.unwrap();
    ann.rewrite(events, &inputs, rows, at(3)).await.unwrap();
    all.extend(more);
    check_truth(&disk, &all.iter().collect::<Vec<_>>()).await;
    // A round planned before a rewrite of somebody else.
    let now = read(&disk).await;
    let events = now.table("events").unwrap();
    let (inputs, rows) = whole(events).await;
    ann.rewrite(events, &inputs, rows, at(4)).await.unwrap();
    let more = objects("c", 3, 1, 20);
    let receipt = commit(&bob, &more, 5).await.unwrap();
    assert!(receipt.rebased > 0);
    all.extend(more);
    assert_eq!(check_truth(&disk, &all.iter().collect::<Vec<_>>()).await, 5);
}

#[tokio::test]
async fn a_rewrite_that_loses_rows_or_names_no_live_file_is_refused() {
    let (disk, writer, all) = lake_of_three_rounds().await;
    let snapshot = writer.snapshot();
    let events = snapshot.table("events").unwrap();
    let (inputs, rows) = whole(events).await;
    let lost = rows[1..].to_vec();
    assert!(matches!(events_error(&writer, events, &inputs, lost).await, Error::Input { .. }));
    let twice = vec![inputs[0].clone(), inputs[0].clone()];
    assert!(matches!(
        events_error(&writer, events, &twice, rows.clone()).await,
        Error::NotLive { .. }
    ));
    let foreign = vec![Path::from("stores/default/events/nothing.parquet")];
    assert!(matches!(events_error(&writer, events, &foreign, rows).await, Error::NotLive { .. }));
    check_truth(&disk, &all.iter().collect::<Vec<_>>()).await;
}

async fn events_error(
    writer: &StoreWriter,
    table: &TableSnapshot,
    inputs: &[Path],
    rows: Vec<RecordBatch>,
) -> Error {
    writer.rewrite(table, inputs, rows, at(9)).await.unwrap_err()
}

#[tokio::test]
async fn a_rewrite_whose_answer_is_lost_is_published_once() {
    for applied in [true, false] {
        let (disk, _, all) = lake_of_three_rounds().await;
        let faults = Arc::new(
            Faults::none(Counted::Changes).with(100, Trouble::Fail { reply: Reply::Busy, applied }),
        );
        let plain = faults.clone();
        let writer =
            world::writer(&disk.wrapped(Arc::new(move |inner| plain.wrap(inner)))).await.unwrap();
        let snapshot = writer.snapshot();
        let events = snapshot.table("events").unwrap();
        for step in 0..6 {
            let trouble = Trouble::Fail { reply: Reply::Exists, applied };
            let faults = Arc::new(Faults::none(Counted::Changes).with(step, trouble));
            let faulty = disk.wrapped(Arc::new(move |inner| faults.wrap(inner)));
            let writer = world::writer(&faulty).await.unwrap();
            let now = writer.snapshot();
            let now = now.table("events").unwrap();
            let (inputs, rows) = whole(now).await;
            let _ = writer.rewrite(now, &inputs, rows, at(5)).await;
            check_truth(&disk, &all.iter().collect::<Vec<_>>()).await;
        }
        assert!(events.version() > 0);
    }
}

#[tokio::test]
async fn what_nothing_needs_is_listed_and_nothing_else() {
    let (disk, writer, all) = lake_of_three_rounds().await;
    let later = chrono::Utc::now() + chrono::TimeDelta::days(1);
    assert_eq!(writer.orphans(later, later).await.unwrap(), []);
    let snapshot = writer.snapshot();
    let events = snapshot.table("events").unwrap();
    let (inputs, rows) = whole(events).await;
    writer.rewrite(events, &inputs, rows, later).await.unwrap();
    // Removed just now, as the commit says: still needed by whoever reads an older state.
    let earlier = later - chrono::TimeDelta::hours(1);
    assert_eq!(writer.orphans(earlier, later).await.unwrap(), []);
    let after = later + chrono::TimeDelta::hours(1);
    let orphans = writer.orphans(after, after).await.unwrap();
    let mut paths: Vec<Path> = orphans.into_iter().map(|orphan| orphan.path).collect();
    paths.sort();
    let mut expected = inputs.clone();
    expected.sort();
    assert_eq!(paths, expected);
    for path in &paths {
        object_store::ObjectStoreExt::delete(events.object_store().as_ref(), path).await.unwrap();
    }
    check_truth(&disk, &all.iter().collect::<Vec<_>>()).await;
}

/// What is from before this day leaves.
const KEPT_FROM: i64 = 6;
/// The last day of the first month.
const LAST_OF_MONTH: i64 = 16;

async fn expire(writer: &StoreWriter) -> Result<()> {
    let before = at(86_400 * KEPT_FROM);
    let expiry = Expiry { before, held: None, memory_bytes: 64 << 20 };
    let due = writer.expiry_due(&writer.latest().await?, expiry).await?;
    writer.expire(&due, later()).await
}

/// Asserts that of `events` are there the records from a day on, each once; that rows present and
/// expired are the rows ever stored; and that an audit finds nothing.
async fn check_kept(disk: &Disk, rounds: &[Vec<Object>], from: i64, why: &str) {
    let snapshot = read(disk).await;
    let records = rounds.iter().flatten().flat_map(|object| &object.records);
    let kept = records.filter(|record| {
        record.table == "events" && record.day >= from && !record.value.starts_with('!')
    });
    let day = |record: &world::Record| at(86_400 * record.day).timestamp_micros();
    let expected: BTreeSet<_> = kept.map(|record| (record.id.clone(), day(record))).collect();
    let (mut found, mut present) = (BTreeSet::new(), 0);
    for batch in table_rows(snapshot.table("events").unwrap()).await {
        let ids = batch.column_by_name("id").unwrap().as_string::<i32>();
        let times = batch.column_by_name("at").unwrap();
        let times = times.as_primitive::<TimestampMicrosecondType>();
        present += batch.num_rows();
        found.extend((0..batch.num_rows()).map(|n| (ids.value(n).to_string(), times.value(n))));
    }
    assert_eq!((found.len(), &found), (present, &expected), "{why}");
    let mut stored = 0;
    for name in ["events", "extras"] {
        let table = snapshot.table(name).unwrap();
        stored += table.files().await.unwrap().iter().map(|file| file.rows).sum::<u64>();
        stored += table.expired().await.unwrap().rows;
    }
    assert_eq!(stored, Ledger::of(&snapshot).await.stored as u64, "{why}: rows ever stored");
    let audit = audit(disk, true).await;
    assert!(audit.is_sound(), "{why}: {}", told(&audit));
}

/// A fold and an expiry of the same files. Each has written its files and is about to commit when the
/// other does: who is second publishes nothing of that, looks again, and gets it done.
#[tokio::test]
async fn a_fold_and_an_expiry_of_the_same_files_never_both_publish() {
    let rounds = rounds(24);
    for (fold_is_first, disk) in [
        (true, Disk::memory()),
        (false, Disk::memory()),
        (true, Disk::bucket()),
        (false, Disk::bucket()),
    ] {
        let (disk, _) = lake_in(disk, &rounds).await;
        // Folds leave the last time that a row may be rewritten to the expiry.
        set(&disk, |settings| settings.retention_days = Some(36_500)).await;
        let version = read(&disk).await.table("events").unwrap().version();
        let first = disk.clone();
        let faults = Faults::none(Counted::Changes);
        let commit = format!("put {}", commit_path("events", version + 1));
        let second = Arc::new(faults.with_before(commit, move || {
            // On a runtime of its own: this is called in the middle of a commit.
            let work = std::thread::spawn(move || {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(async {
                    let writer = world::writer(&first).await.unwrap();
                    if fold_is_first {
                        let report = upkeep(&writer, later()).await.unwrap();
                        assert!(report.tables[0].files_folded > 2, "{report:?}");
                    } else {
                        expire(&writer).await.unwrap();
                    }
                });
            });
            work.join().unwrap();
        }));
        let writer = world::writer(&behind(&disk, &second)).await.unwrap();
        if fold_is_first {
            let refused = expire(&writer).await.unwrap_err();
            assert!(matches!(refused, Error::NotLive { .. }), "{refused}");
            check_kept(&disk, &rounds, 0, "an expiry that was second").await;
            expire(&writer).await.unwrap();
        } else {
            let report = upkeep(&writer, later()).await.unwrap();
            assert!(report.is_clean(), "{report:?}");
            assert!(report.tables[0].files_folded > 2, "{report:?}");
        }
        // What an expiry wrote of rounds is folded when a day is over; what it left of a month, a file
        // a day, stays so.
        let report = upkeep(&writer, later() + TimeDelta::days(2)).await.unwrap();
        assert!(report.is_clean(), "{report:?}");
        let events = read(&disk).await;
        let events = events.table("events").unwrap();
        assert!(events.version() > version + 2, "an expiry and a fold of each month");
        let days = if fold_is_first { (LAST_OF_MONTH - KEPT_FROM) as usize } else { 0 };
        let files = events.files().await.unwrap().len();
        assert_eq!(files, days + 2, "fold first: {fold_is_first}");
        check_kept(&disk, &rounds, KEPT_FROM, &format!("fold first: {fold_is_first}")).await;
    }
}
