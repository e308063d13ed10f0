//! Clocks that jump, or were far ahead.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{TimeDelta, Utc};
use traillake_store::Step;
use traillake_testkit::random::Random;

use crate::upkeep::{files, lake_in, of, rounds, upkeep};
use crate::world::{self, Disk, check_snapshot, check_truth, commit, read};

#[tokio::test]
async fn clocks_that_jump_cost_nothing() {
    jumping_clocks(Disk::memory()).await;
}

#[tokio::test]
async fn in_a_bucket_clocks_that_jump_cost_nothing() {
    jumping_clocks(Disk::bucket()).await;
}

async fn jumping_clocks(disk: Disk) {
    let rounds = rounds(9);
    let writer = world::writer(&disk).await.unwrap();
    let mut random = Random::new(7);
    for (n, round) in (1..).zip(&rounds) {
        let years = random.below(80) as i64 - 40;
        let report = upkeep(&writer, Utc::now() + TimeDelta::days(365 * years)).await.unwrap();
        assert!(report.is_clean(), "{report:?}");
        // So do the clocks of those who bring things in.
        let years = random.below(10) as i64;
        commit(&writer, round, 365 * 86_400 * years).await.unwrap();
        assert_eq!(check_truth(&disk, &of(&rounds[..n])).await, n as i64);
    }
}

#[tokio::test]
async fn a_clock_that_was_ahead_once_keeps_nothing_young_for_ever() {
    ahead_once(Disk::memory()).await;
}

#[tokio::test]
async fn in_a_bucket_a_clock_that_was_ahead_once_keeps_nothing_young_for_ever() {
    ahead_once(Disk::bucket()).await;
}

/// After a clock that was far ahead, once, every commit says a time to come. By clocks that are right
/// files are folded and removed all the same, and not too early.
async fn ahead_once(disk: Disk) {
    let rounds = rounds(18);
    let (disk, writer) = lake_in(disk, &rounds[..12]).await;
    let now = Utc::now();
    upkeep(&writer, now + TimeDelta::days(365 * 40)).await.unwrap();
    for (n, round) in (100..).zip(&rounds[12..]) {
        commit(&writer, round, n).await.unwrap();
    }
    let old = read(&disk).await;
    let most = async || files(&read(&disk).await).await.values().map(Vec::len).max().unwrap();
    // What is new is folded at once, and together with the old when no file came for a day.
    let mut folded = Vec::new();
    for days in [0, 2, 4] {
        let report = upkeep(&writer, now + TimeDelta::days(days)).await.unwrap();
        assert!(report.tables.iter().all(|table| table.files_removed == 0), "{report:?}");
        folded.push((report.tables[0].files_folded, most().await));
    }
    assert!(folded[0].0 > 2 && folded[0].1 == 2, "{folded:?}");
    assert_eq!(folded[1].1, 1, "{folded:?}");
    assert_eq!(folded[2], (0, 1), "{folded:?}");
    // Who reads the state before goes on while the grace lasts.
    upkeep(&writer, now + TimeDelta::days(6)).await.unwrap();
    check_snapshot(&old, &of(&rounds)).await;
    let report = upkeep(&writer, now + TimeDelta::days(8)).await.unwrap();
    assert!(report.tables[0].files_removed > 12, "{report:?}");
    for table in read(&disk).await.tables() {
        let there = disk.paths(table.prefix().as_ref()).await;
        let there = there.iter().filter(|path| path.ends_with(".parquet")).count();
        let checkpoints = disk.paths(&format!("{}/_delta_log", table.prefix())).await;
        let checkpoints = checkpoints.iter().filter(|path| path.ends_with(".parquet")).count();
        assert_eq!(there - checkpoints, table.files().await.unwrap().len(), "{}", table.name());
    }
    check_truth(&disk, &of(&rounds)).await;
}

#[tokio::test]
async fn upkeep_by_a_clock_far_ahead_breaks_no_round_under_way() {
    far_ahead_of_a_round(Disk::memory).await;
}

#[tokio::test]
async fn in_a_bucket_upkeep_by_a_clock_far_ahead_breaks_no_round_under_way() {
    far_ahead_of_a_round(Disk::bucket).await;
}

async fn far_ahead_of_a_round(empty: fn() -> Disk) {
    let rounds = rounds(8);
    let moments = [
        Step::DataWritten,
        Step::ManifestWritten,
        Step::BeforeCommit("events".into()), // its files are known to be there
        Step::AfterCommit("events".into()),
    ];
    for when in moments {
        let (disk, _) = lake_in(empty(), &rounds[..6]).await;
        let mut watched = disk.clone();
        let (beside, at_step, once) = (disk.clone(), when.clone(), AtomicBool::new(true));
        watched.options.steps = Some(Arc::new(move |step: &Step| {
            if *step == at_step && once.swap(false, Ordering::SeqCst) {
                let disk = beside.clone();
                // On a runtime of its own: this is called in the middle of a commit.
                let far = std::thread::spawn(move || {
                    let runtime = tokio::runtime::Runtime::new().unwrap();
                    runtime.block_on(async {
                        let writer = world::writer(&disk).await.unwrap();
                        upkeep(&writer, Utc::now() + TimeDelta::days(36_500)).await.unwrap();
                    });
                });
                far.join().unwrap();
            }
        }));
        let writer = world::writer(&watched).await.unwrap();
        let done = commit(&writer, &rounds[6], 60).await;
        let refused = matches!(when, Step::DataWritten | Step::ManifestWritten);
        assert_eq!(done.is_err(), refused, "{when:?}: {:?}", done.err());
        let seen = if refused { 6 } else { 7 };
        assert_eq!(check_truth(&disk, &of(&rounds[..seen])).await, seen as i64, "{when:?}");
        let writer = world::writer(&disk).await.unwrap();
        commit(&writer, &rounds[6], 61).await.unwrap();
        commit(&writer, &rounds[7], 62).await.unwrap();
        assert!(check_truth(&disk, &of(&rounds)).await >= 8, "{when:?}");
    }
}
