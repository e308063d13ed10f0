//! Upkeep that is cut off, fails, or has others beside it: after each, exactly the truth.

mod cut_off;
mod failures;

mod beside;
mod clocks;

use chrono::{TimeDelta, Utc};
use traillake_testkit::faults::Outcome;

use crate::upkeep::{TABLES, lake_in, later, long_lake, of, rounds, upkeep};
use crate::world::{self, Disk, Object, check_snapshot, check_truth, commit, read};

/// What a lake must be after upkeep was cut off: the truth, for those who read it and for those who
/// bring the same in again; and upkeep can be done. Every byte is audited in the end.
pub async fn check_aftermath(disk: &Disk, rounds: &[Vec<Object>], why: &str) {
    let all = of(rounds);
    assert_eq!(check_snapshot(&read(disk).await, &all).await, rounds.len() as i64, "{why}");
    let writer = world::writer(disk).await.unwrap();
    let again: Vec<Object> = rounds[..3].iter().flatten().cloned().collect();
    let receipt = commit(&writer, &again, 1000).await.unwrap();
    assert_eq!(receipt.known.len(), again.len(), "{why}");
    let report = upkeep(&writer, later() + TimeDelta::days(60)).await.unwrap();
    assert!(report.is_clean(), "{why}: {report:?}");
    assert_eq!(check_truth(disk, &all).await, rounds.len() as i64, "{why}");
}

/// One of so many: all of them where `TRAILLAKE_FAULTS` is `all`.
pub fn one_of(many: usize) -> usize {
    if std::env::var("TRAILLAKE_FAULTS").is_ok_and(|faults| faults == "all") { 1 } else { many }
}

/// How each of these steps can end, each end once: stopped behind a step is stopped before the next,
/// so that is tried only where the next is not.
pub fn ends(steps: &[usize]) -> Vec<(usize, Outcome)> {
    let of_step = |(n, step): (usize, &usize)| {
        let is_next_tried = steps.get(n + 1) == Some(&(step + 1));
        let applied = (!is_next_tried).then_some(Outcome::Applied);
        let ends = [Outcome::NotApplied, Outcome::AppliedUnheard].into_iter().chain(applied);
        ends.map(|end| (*step, end)).collect::<Vec<_>>()
    };
    steps.iter().enumerate().flat_map(of_step).collect()
}

/// A lake in which everything is due: rounds to fold, replaced files to remove, a log to shorten;
/// with `checkpoint` set its checkpoints are still to be written.
async fn neglected_lake(checkpoint: bool) -> (Disk, Vec<Vec<Object>>) {
    let (disk, mut all) = long_lake().await;
    let writer = world::writer(&disk).await.unwrap();
    upkeep(&writer, Utc::now()).await.unwrap(); // too early for the log
    for (n, round) in (200..).zip(rounds(108).split_off(104)) {
        commit(&writer, &round, n).await.unwrap();
        all.push(round);
    }
    for table in TABLES.iter().filter(|_| checkpoint) {
        for path in disk.paths(&format!("stores/default/{table}/_delta_log")).await {
            if path.contains("checkpoint") {
                disk.delete(&path).await;
            }
        }
    }
    (disk, all)
}

/// As [`neglected_lake`], of few rounds: a lake in a bucket has a checkpoint after two commits.
async fn neglected_bucket() -> (Disk, Vec<Vec<Object>>) {
    let all = rounds(10);
    let (disk, writer) = lake_in(Disk::bucket(), &all[..7]).await;
    upkeep(&writer, Utc::now()).await.unwrap(); // too early for the log
    for (n, round) in (20..).zip(&all[7..]) {
        commit(&writer, round, n).await.unwrap();
    }
    for path in disk.paths("stores").await {
        if path.contains("checkpoint") {
            disk.delete(&path).await;
        }
    }
    (disk, all)
}

/// What upkeep changes on the way through a lake in which everything is due.
const PARTS: [&str; 7] = [
    "/events/month=2023-11/part-",
    "/events/_delta_log/0",
    ".checkpoint.parquet",
    "/_last_checkpoint",
    "/objects/deliveredMonth=2023-11/part-",
    "/rejects/part-",
    "/variants/",
];
