//! Storages that fail at random, fill up, or lose the answer to a commit.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use chrono::TimeDelta;
use traillake_testkit::faults::{Counted, Faults, Reply, Trouble};

use super::{PARTS, check_aftermath, neglected_bucket, one_of};
use crate::upkeep::{TABLES, behind, lake_in, lake_of, later, of, rounds, upkeep};
use crate::world::{self, Disk, Object, check_truth, commit, object, record};

/// Behind a storage that fails a fifth of what it is asked to change, rounds are tried again until
/// each is in, and upkeep after them: a thousand faults, counted where they are made.
#[tokio::test]
async fn a_thousand_faults_cost_no_row() {
    let rounds = rounds(4);
    let mut injected = 0;
    for seed in 0..60 {
        let disk = Disk::memory();
        world::writer(&disk).await.unwrap();
        let faults = Faults::none(Counted::Changes).with_random_failures(seed, 0.2);
        let faults = Arc::new(faults);
        let faulty = behind(&disk, &faults);
        let writer = loop {
            if let Ok(writer) = world::writer(&faulty).await {
                break writer;
            }
        };
        for (n, round) in (1..).zip(&rounds) {
            let mut tries = 1;
            while let Err(error) = commit(&writer, round, n).await {
                assert!(tries < 10_000, "seed {seed}, round {n}: {error}");
                tries += 1;
            }
        }
        let _ = upkeep(&writer, later()).await;
        check_truth(&disk, &of(&rounds)).await;
        injected += faults.injected();
        if injected >= 1_000 {
            break;
        }
    }
    assert!(injected >= 1_000, "{injected} faults");
}

#[tokio::test]
async fn a_storage_that_fails_often_costs_upkeep_no_row() {
    storage_fails(0..30).await;
}

#[tokio::test]
async fn another_storage_that_fails_often_costs_upkeep_no_row() {
    storage_fails(30..60).await;
}

async fn storage_fails(seeds: Range<u64>) {
    let rounds = rounds(20);
    let (lake, _) = lake_of(&rounds).await;
    let mut folded = 0;
    for seed in seeds.step_by(one_of(10)) {
        let disk = lake.fork();
        let faults = Faults::none(Counted::Changes).with_random_failures(seed, 0.2);
        let faulty = behind(&disk, &Arc::new(faults));
        for days in 0..4 {
            let Ok(writer) = world::writer(&faulty).await else { continue };
            let report = upkeep(&writer, later() + TimeDelta::days(10 * days)).await;
            folded += report.map_or(0, |report| report.tables[0].files_folded);
        }
        check_aftermath(&disk, &rounds, &format!("seed {seed}")).await;
    }
    assert!(folded > 3 * 10, "{folded}");
}

/// Upkeep behind a storage that fails two fifths of what it is asked to change, in every way that one
/// can: a thousand faults in all it does.
#[tokio::test]
async fn a_thousand_faults_of_every_kind_in_every_part_of_upkeep_cost_no_row() {
    let (lake, rounds) = neglected_bucket().await;
    let (mut injected, mut struck) = (0, BTreeSet::new());
    for seed in 0..200 {
        let disk = lake.fork();
        let faults = Faults::none(Counted::Changes).with_random_trouble(seed, 0.4);
        let faults = Arc::new(faults);
        let faulty = behind(&disk, &faults);
        for days in 10..20 {
            let Ok(writer) = world::writer(&faulty).await else { continue };
            let _ = upkeep(&writer, later() + TimeDelta::days(days)).await;
        }
        check_aftermath(&disk, &rounds, &format!("seed {seed}")).await;
        injected += faults.injected();
        struck.extend(faults.struck());
        if injected >= 1_000 {
            break;
        }
    }
    assert!(injected >= 1_000, "{injected} faults");
    for part in PARTS {
        assert!(struck.iter().any(|step| step.contains(part)), "nothing struck `{part}`");
    }
    for deleted in ["/_delta_log/", "/part-"] {
        let is = |step: &String| step.starts_with("delete") && step.contains(deleted);
        assert!(struck.iter().any(is), "no removal of `{deleted}`");
    }
}

#[tokio::test]
async fn a_disk_that_is_full_is_told_and_vacuum_makes_space() {
    let rounds = rounds(12);
    let (lake, writer) = lake_of(&rounds).await;
    let now = later();
    upkeep(&writer, now).await.unwrap();
    let late = record("late", 2, "late");
    let more = vec![object("late", vec![late.clone(); 3])];
    commit(&writer, &more, 500).await.unwrap();
    let full = Arc::new(Faults::none(Counted::Changes).with(0, Trouble::Fill));
    let writer = world::writer(&behind(&lake, &full)).await.unwrap();
    let report = upkeep(&writer, now + TimeDelta::days(8)).await.unwrap();
    let problems: Vec<&String> = report.tables.iter().flat_map(|table| &table.problems).collect();
    assert!(!problems.is_empty(), "{report:?}");
    assert!(problems.iter().all(|told| told.contains("no storage space")), "{problems:?}");
    assert!(report.tables.iter().map(|table| table.files_removed).sum::<u64>() > 12);
    let all: Vec<Vec<Object>> = rounds.into_iter().chain([more]).collect();
    check_aftermath(&lake, &all, "full").await;
}

/// The newest checkpoint of each table cannot be written; what an older one stands for goes all the
/// same, and makes space.
#[tokio::test]
async fn a_storage_that_is_full_at_a_checkpoint_is_told_and_logs_are_shortened() {
    let rounds = rounds(10);
    let (lake, writer) = lake_in(Disk::bucket(), &rounds[..6]).await;
    let logs = TABLES.map(|table| format!("stores/default/{table}/_delta_log"));
    let mut older = Vec::new();
    for log in &logs {
        let last = format!("{log}/_last_checkpoint");
        if lake.holds(&last).await {
            older.push((last.clone(), lake.bytes(&last).await, lake.paths(log).await));
        }
    }
    for (n, round) in (7..).zip(&rounds[6..]) {
        commit(&writer, round, n).await.unwrap();
    }
    // As if no round had written one since.
    for (last, bytes, paths) in older {
        let log = last.strip_suffix("/_last_checkpoint").unwrap();
        for path in lake.paths(log).await {
            if path.contains(".checkpoint.") && !paths.contains(&path) {
                lake.delete(&path).await;
            }
        }
        lake.put(&last, bytes).await;
    }
    let plain = Arc::new(Faults::none(Counted::Changes));
    let writer = world::writer(&behind(&lake.fork(), &plain)).await.unwrap();
    let told = upkeep(&writer, later()).await.unwrap();
    assert!(told.tables.iter().any(|table| table.checkpoint.is_some()), "{told:?}");
    let trace = plain.trace();
    let written = |at: &usize| trace[*at].starts_with("put") && trace[*at].contains(".checkpoint.");
    let steps: Vec<usize> = (0..trace.len()).filter(written).collect();
    assert!(steps.len() > 3, "{trace:?}");
    for step in steps {
        let why = format!("full at `{}`", trace[step]);
        let disk = lake.fork();
        let full = Arc::new(Faults::none(Counted::Changes).with(step as u64, Trouble::Fill));
        let writer = world::writer(&behind(&disk, &full)).await.unwrap();
        let report = upkeep(&writer, later()).await.unwrap();
        let problems: Vec<&String> =
            report.tables.iter().flat_map(|table| &table.problems).collect();
        assert!(problems.iter().any(|told| told.contains("no storage space")), "{why}: {report:?}");
        assert!(report.tables.iter().any(|table| table.log_files_removed > 0), "{why}: {report:?}");
        check_aftermath(&disk, &rounds, &why).await;
    }
}

/// Full at each file that a fold writes, and at the commit that would show it.
#[tokio::test]
async fn a_disk_that_fills_up_in_mid_fold_is_told_and_costs_no_row() {
    let rounds = rounds(12);
    let (lake, _) = lake_of(&rounds).await;
    let plain = Arc::new(Faults::none(Counted::Changes));
    let writer = world::writer(&behind(&lake.fork(), &plain)).await.unwrap();
    upkeep(&writer, later()).await.unwrap();
    let trace = plain.trace();
    let folded = |at: &usize| trace[*at].contains(".r1.parquet");
    let files: Vec<usize> = (0..trace.len()).filter(folded).collect();
    let commits = files.iter().map(|at| at + 1).filter(|at| trace[*at].contains("_delta_log"));
    let steps: BTreeSet<usize> = files.iter().copied().chain(commits).collect();
    assert!(steps.len() > files.len() && files.len() > 4, "{trace:?}");
    for step in steps.into_iter().step_by(one_of(3)) {
        let why = format!("full at `{}`", trace[step]);
        let disk = lake.fork();
        let full = Arc::new(Faults::none(Counted::Changes).with(step as u64, Trouble::Fill));
        let writer = world::writer(&behind(&disk, &full)).await.unwrap();
        let report = upkeep(&writer, later()).await.unwrap();
        let problems = report.tables.iter().flat_map(|table| &table.problems);
        let problems: Vec<&String> = problems.collect();
        assert!(!problems.is_empty(), "{why}");
        assert!(problems.iter().all(|told| told.contains("no storage space")), "{problems:?}");
        // Nothing half done is seen, while the disk is full and when it has space again.
        check_aftermath(&disk, &rounds, &why).await;
    }
}

#[tokio::test]
async fn a_fold_whose_name_is_taken_is_published_once() {
    fold_answer_lost(Reply::Exists).await;
}

#[tokio::test]
async fn a_fold_whose_condition_fails_is_published_once() {
    fold_answer_lost(Reply::Precondition).await;
}

#[tokio::test]
async fn a_fold_whose_answer_is_lost_is_published_once() {
    fold_answer_lost(Reply::Busy).await;
}

async fn fold_answer_lost(reply: Reply) {
    let rounds = rounds(8);
    let (lake, _) = lake_of(&rounds).await;
    for applied in [true, false] {
        for step in (0..40).step_by(one_of(9)) {
            let disk = lake.fork();
            let trouble = Trouble::Fail { reply, applied };
            let faults = Arc::new(Faults::none(Counted::Changes).with(step, trouble));
            let writer = world::writer(&behind(&disk, &faults)).await.unwrap();
            let _ = upkeep(&writer, later()).await;
            check_aftermath(&disk, &rounds, &format!("{reply:?} {applied} at {step}")).await;
        }
    }
}
