//! Upkeep that is stopped at each of its steps, loses power or is given up.
//!
//! Long sweeps run on a runtime with a worker: without one the engine that reads logs starts a thread
//! with a runtime of its own at every call.

use std::ops::Range;
use std::sync::Arc;

use chrono::TimeDelta;
use futures::FutureExt;
use traillake_store::{At, ErrorKind, UpkeepOptions};
use traillake_testkit::faults::{Counted, Faults, Outcome};

use super::{PARTS, check_aftermath, ends, neglected_bucket, neglected_lake, one_of};
use crate::power::{scratch, until_off, watched_disk};
use crate::upkeep::{behind, lake_of, later, of, rounds, upkeep};
use crate::world::{self, check_snapshot, commit, read};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn upkeep_stopped_at_every_step_leaves_exactly_the_truth() {
    upkeep_stopped(false, 4, 0..2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn upkeep_stopped_at_every_other_step_leaves_exactly_the_truth() {
    upkeep_stopped(false, 4, 2..4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn upkeep_with_checkpoints_stopped_at_every_step_leaves_exactly_the_truth() {
    upkeep_stopped(true, 12, 0..4).await;
}

/// All steps take minutes: one of `part` is tried, and all when asked for. Steps and outcomes are dealt
/// out to four hands, so that cores share them: `hands` are those tried here.
async fn upkeep_stopped(checkpoint: bool, part: usize, hands: Range<usize>) {
    let (lake, rounds) = neglected_lake(checkpoint).await;
    let now = later() + TimeDelta::days(10);
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
    let alike = |at: &usize| *at > 0 && trace[*at].starts_with("delete") && of(*at) == of(at - 1);
    let steps = (0..trace.len()).filter(|at| !alike(at) || at % 83 == 0).step_by(one_of(part));
    let mut faults = 0;
    for (n, step) in steps.enumerate().filter(|(n, _)| hands.contains(&(n % 4))) {
        let outcomes = [Outcome::Applied, Outcome::NotApplied, Outcome::AppliedUnheard];
        for outcome in outcomes.into_iter().skip(n % one_of(3)).step_by(one_of(3)) {
            let stop = Arc::new(Faults::stop_at(step as u64, Counted::Changes, outcome));
            let disk = lake.fork();
            if let Ok(writer) = world::writer(&behind(&disk, &stop)).await {
                let _ = upkeep(&writer, now).await;
            }
            assert!(stop.stopped());
            let why = format!("{outcome:?} at {step} `{}`", trace[step]);
            check_aftermath(&disk, &rounds, &why).await;
            faults += stop.injected();
        }
    }
    assert!(faults > 3, "{faults}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn upkeep_in_a_bucket_stopped_at_every_step_leaves_exactly_the_truth() {
    upkeep_in_a_bucket_stopped(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn upkeep_in_a_bucket_unheard_at_every_step_leaves_exactly_the_truth() {
    upkeep_in_a_bucket_stopped(true).await;
}

/// At each step: unheard, or in every other way.
async fn upkeep_in_a_bucket_stopped(unheard: bool) {
    let (lake, rounds) = neglected_bucket().await;
    let now = later() + TimeDelta::days(10);
    let plain = Arc::new(Faults::none(Counted::Changes));
    upkeep(&world::writer(&behind(&lake.fork(), &plain)).await.unwrap(), now).await.unwrap();
    let trace = plain.trace();
    for part in PARTS {
        assert!(trace.iter().any(|step| step.contains(part)), "nothing of `{part}`: {trace:#?}");
    }
    for deleted in ["/_delta_log/", "/part-"] {
        let is = |step: &&String| step.starts_with("delete") && step.contains(deleted);
        assert!(trace.iter().filter(is).count() > 3, "{trace:#?}");
    }
    // Deletes are many and alike: of each folder's the first, and some.
    let of = |at: usize| trace[at].rsplit_once('/').map(|(folder, _)| folder);
    let alike = |at: &usize| *at > 0 && trace[*at].starts_with("delete") && of(*at) == of(at - 1);
    let steps: Vec<usize> = (0..trace.len()).filter(|at| !alike(at) || at % 11 == 0).collect();
    let is_meant = |end: &Outcome| (*end == Outcome::AppliedUnheard) == unheard;
    for (step, outcome) in ends(&steps).into_iter().filter(|(_, end)| is_meant(end)) {
        let stop = Arc::new(Faults::stop_at(step as u64, Counted::Changes, outcome));
        let disk = lake.fork();
        if let Ok(writer) = world::writer(&behind(&disk, &stop)).await {
            let _ = upkeep(&writer, now).await;
        }
        assert!(stop.stopped());
        check_aftermath(&disk, &rounds, &format!("{outcome:?} at `{}`", trace[step])).await;
    }
}

/// In a store that takes in nothing any more, the commits behind a checkpoint are those of upkeep: each
/// clean-up of them is cut off at each removal, and what still stands can be read, now and as of then.
#[tokio::test]
async fn a_clean_up_of_upkeeps_own_commits_that_was_cut_off_leaves_a_log_that_can_be_read() {
    let (lake, rounds) = neglected_bucket().await;
    let rows = of(&rounds);
    let mut cuts = 0;
    for days in (10..22).step_by(2) {
        let now = later() + TimeDelta::days(days);
        let before = lake.fork();
        let plain = Arc::new(Faults::none(Counted::Changes));
        upkeep(&world::writer(&behind(&lake, &plain)).await.unwrap(), now).await.unwrap();
        let of_log = |step: &String| step.starts_with("delete") && step.contains("/_delta_log/");
        let trace = plain.trace();
        for step in (0..trace.len()).filter(|at| of_log(&trace[*at])) {
            let stop = Faults::stop_at(step as u64, Counted::Changes, Outcome::NotApplied);
            let (stop, disk) = (Arc::new(stop), before.fork());
            let writer = world::writer(&behind(&disk, &stop)).await.unwrap();
            let _ = upkeep(&writer, now).await;
            assert!(stop.stopped());
            let last = check_snapshot(&read(&disk).await, &rows).await;
            assert_eq!(last, rounds.len() as i64, "day {days}, at `{}`", trace[step]);
            for earlier in [At::Token(last - 1), At::Time(later() + TimeDelta::days(11))] {
                match world::read_at(&disk, Some(earlier)).await {
                    Ok(then) => assert!([last - 1, last].contains(&then.token), "{earlier:?}"),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
                }
            }
            cuts += 1;
        }
    }
    assert!(cuts > 40, "{cuts} cuts");
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
        until_off(async || {
            let writer = world::writer(&disk).await.unwrap();
            for (n, round) in (1..).zip(&rounds) {
                commit(&writer, round, n).await.unwrap();
            }
            power.cut_at(cut);
            let _ = upkeep(&writer, later()).await;
            let _ = upkeep(&writer, later() + TimeDelta::days(8)).await;
        });
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
