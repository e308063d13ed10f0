//! Upkeep that is cut off, fails, or has others beside it: after each, exactly the truth.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{TimeDelta, Utc};
use futures::FutureExt;
use traillake_store::{Step, UpkeepOptions};
use traillake_testkit::faults::{Counted, Faults, Outcome, Reply, Trouble};
use traillake_testkit::random::Random;

use crate::power::{scratch, watched_disk};
use crate::turns::Turns;
use crate::upkeep::{TABLES, behind, lake_of, later, of, rounds, upkeep};
use crate::world::{self, Disk, Object, check_truth, commit, object, record};

/// What a lake must be after upkeep was cut off: the truth, for those who read it and for those who
/// bring the same in again; and upkeep can be done.
async fn check_aftermath(disk: &Disk, rounds: &[Vec<Object>], why: &str) {
    let all = of(rounds);
    assert_eq!(check_truth(disk, &all).await, rounds.len() as i64, "{why}");
    let writer = world::writer(disk).await.unwrap();
    let again: Vec<Object> = rounds[..3].iter().flatten().cloned().collect();
    let receipt = commit(&writer, &again, 1000).await.unwrap();
    assert_eq!(receipt.known.len(), again.len(), "{why}");
    let report = upkeep(&writer, later() + TimeDelta::days(60)).await.unwrap();
    assert!(report.is_clean(), "{why}: {report:?}");
    assert_eq!(check_truth(disk, &all).await, rounds.len() as i64, "{why}");
}

/// One of so many: all of them where `TRAILLAKE_FAULTS` is `all`.
fn one_of(many: usize) -> usize {
    if std::env::var("TRAILLAKE_FAULTS").is_ok_and(|faults| faults == "all") { 1 } else { many }
}

/// A lake in which everything is due: rounds to fold, replaced files to remove, a log to shorten;
/// with `checkpoint` set its checkpoints are still to be written.
async fn neglected_lake(rounds: &[Vec<Object>], checkpoint: bool) -> Disk {
    let (old, new) = rounds.split_at(rounds.len() - 4);
    let (disk, writer) = lake_of(old).await;
    upkeep(&writer, Utc::now()).await.unwrap(); // too early for the log
    for round in new {
        commit(&writer, round, 200).await.unwrap();
    }
    for table in TABLES.iter().filter(|_| checkpoint) {
        for path in disk.paths(&format!("stores/default/{table}/_delta_log")).await {
            if path.contains("checkpoint") {
                disk.delete(&path).await;
            }
        }
    }
    disk
}

#[tokio::test]
async fn upkeep_stopped_at_every_step_leaves_exactly_the_truth() {
    let rounds = rounds(104);
    let now = later() + TimeDelta::days(10);
    let mut faults = 0;
    for checkpoint in [false, true] {
        let lake = neglected_lake(&rounds, checkpoint).await;
        let plain = Arc::new(Faults::none(Counted::Changes));
        let disk = lake.fork();
        let writer = world::writer(&behind(&disk, &plain)).await.unwrap();
        let report = upkeep(&writer, now).await.unwrap();
        for table in &report.tables {
            assert!(table.files_folded > 1 && table.files_removed > 20, "{table:?}");
            let every_round = ["events", "notes", "objects"].contains(&table.table.as_str());
            // The other tables may have as many commits by chance of the rounds.
            let due = checkpoint && (every_round || table.checkpoint.is_some());
            assert_eq!(table.checkpoint.is_some(), due, "{table:?}");
            assert!(!every_round || table.log_files_removed > 20, "{table:?}");
        }
        // Deletes are many and alike: of each folder's the first, and some.
        let trace = plain.trace();
        let of = |at: usize| trace[at].rsplit_once('/').map(|(folder, _)| folder);
        let alike =
            |at: &usize| *at > 0 && trace[*at].starts_with("delete") && of(*at) == of(at - 1);
        // All of them take minutes: a part is tried, another of each lake, and all when asked for.
        let part = one_of(if checkpoint { 12 } else { 4 });
        for step in (0..trace.len()).filter(|at| !alike(at) || at % 83 == 0).step_by(part) {
            let outcomes = [Outcome::Applied, Outcome::NotApplied, Outcome::AppliedUnheard];
            for outcome in outcomes.into_iter().skip(step % one_of(3)).step_by(one_of(3)) {
                let stop = Arc::new(Faults::stop_at(step as u64, Counted::Changes, outcome));
                let disk = lake.fork();
                if let Ok(writer) = world::writer(&behind(&disk, &stop)).await {
                    let _ = upkeep(&writer, now).await;
                }
                assert!(stop.stopped());
                let why = format!("{outcome:?} at {step} `{}`", trace[step]);
                check_aftermath(&disk, &rounds, &why).await;
                faults += 1;
            }
        }
    }
    println!("{faults} faults");
    assert!(faults > 12, "{faults}");
}

#[tokio::test]
async fn a_storage_that_fails_often_costs_upkeep_no_row() {
    let rounds = rounds(20);
    let (lake, _) = lake_of(&rounds).await;
    let mut folded = 0;
    for seed in (0..60).step_by(one_of(10)) {
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
    assert!(folded > 6 * 10, "{folded}");
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
    assert!(problems.iter().all(|told| told.contains("no storage space")), "{problems:?}");
    assert!(report.tables.iter().map(|table| table.files_removed).sum::<u64>() > 12);
    let all: Vec<Vec<Object>> = rounds.into_iter().chain([more]).collect();
    check_aftermath(&lake, &all, "full").await;
}

#[tokio::test]
async fn two_upkeeps_of_one_lake_and_an_ingest_beside_them() {
    let rounds = rounds(14);
    let (lake, _) = lake_of(&rounds[..10]).await;
    let (mut refused, mut rebased, mut folded) = (0, 0, 0);
    for seed in (0..60).step_by(one_of(5)) {
        let disk = lake.fork();
        let turns = Turns::new(seed, 3);
        let reached = |number: usize| {
            let turns = turns.clone();
            disk.wrapped(Arc::new(move |inner| turns.wrap(number, inner)))
        };
        let tend = |number: usize| {
            let (disk, turns) = (reached(number), turns.clone());
            async move {
                let mut reports = Vec::new();
                for n in 0..2 {
                    let writer = world::writer(&disk).await.unwrap();
                    let now = Utc::now() + TimeDelta::days(3 * n);
                    reports.push(upkeep(&writer, now).await.unwrap());
                }
                turns.leave(number);
                reports
            }
        };
        let ingest = async {
            let writer = world::writer(&reached(2)).await.unwrap();
            let mut rebased = 0;
            for (n, round) in (50..).zip(&rounds[10..]) {
                rebased += commit(&writer, round, n).await.unwrap().rebased;
            }
            turns.leave(2);
            rebased
        };
        let (ann, bob, lost) = tokio::join!(tend(0), tend(1), ingest);
        rebased += lost;
        for table in ann.iter().chain(&bob).flat_map(|report| &report.tables) {
            folded += table.files_folded;
            // Who was not first plans again: nothing is left undone.
            assert!(table.problems.is_empty(), "seed {seed}: {:?}", table.problems);
        }
        refused += turns.lost(0) + turns.lost(1);
        check_aftermath(&disk, &rounds, &format!("seed {seed}")).await;
    }
    println!("{refused} commits of folds lost, {rebased} rounds rebased, {folded} files folded");
    assert!(
        refused > 2 && rebased > 2,
        "{refused} commits of folds lost, {rebased} rounds rebased"
    );
}

#[tokio::test]
async fn clocks_that_jump_cost_nothing() {
    let rounds = rounds(9);
    let disk = Disk::memory();
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
async fn upkeep_by_a_clock_far_ahead_breaks_no_round_under_way() {
    let rounds = rounds(8);
    let moments = [
        Step::DataWritten,
        Step::ManifestWritten,
        Step::BeforeCommit("events".into()), // its files are known to be there
        Step::AfterCommit("events".into()),
    ];
    for when in moments {
        let (disk, _) = lake_of(&rounds[..6]).await;
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

#[tokio::test]
async fn power_lost_during_upkeep_loses_no_row() {
    let rounds = rounds(6);
    let syncs = {
        let folder = scratch();
        let (disk, power) = watched_disk(folder.path());
        let writer = world::writer(&disk).await.unwrap();
        for (n, round) in (1..).zip(&rounds) {
            commit(&writer, round, n).await.unwrap();
        }
        let before = power.syncs();
        upkeep(&writer, later()).await.unwrap();
        before..power.syncs()
    };
    assert!(syncs.end > syncs.start + 20, "{syncs:?}");
    for (seed, cut) in syncs.step_by(one_of(7)).enumerate() {
        let folder = scratch();
        let (disk, power) = watched_disk(folder.path());
        let writer = world::writer(&disk).await.unwrap();
        for (n, round) in (1..).zip(&rounds) {
            commit(&writer, round, n).await.unwrap();
        }
        power.cut_at(cut);
        let _ = upkeep(&writer, later()).await;
        let _ = upkeep(&writer, later() + TimeDelta::days(8)).await;
        power.crash(seed as u64).unwrap();
        check_aftermath(&disk, &rounds, &format!("cut at {cut}")).await;
    }
}

#[tokio::test]
async fn upkeep_that_nobody_polls_any_more_leaves_a_whole_store() {
    let rounds = rounds(10);
    let (lake, _) = lake_of(&rounds).await;
    for polls in (0..400).step_by(3 * one_of(12)) {
        let disk = lake.fork();
        let writer = world::writer(&disk).await.unwrap();
        let options = UpkeepOptions::default();
        let mut work = Box::pin(writer.upkeep(&options, later()).fuse());
        for _ in 0..polls {
            let _ = futures::poll!(&mut work);
            tokio::task::yield_now().await;
        }
        drop(work);
        check_aftermath(&disk, &rounds, &format!("{polls} polls")).await;
    }
}

#[tokio::test]
async fn a_fold_whose_answer_is_lost_is_published_once() {
    let rounds = rounds(8);
    let (lake, _) = lake_of(&rounds).await;
    for reply in [Reply::Exists, Reply::Precondition, Reply::Busy] {
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
}
