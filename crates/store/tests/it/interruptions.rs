//! Upkeep that is cut off, fails, or has others beside it: after each, exactly the truth.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{TimeDelta, Utc};
use futures::FutureExt;
use traillake_store::{At, ErrorKind, Step, UpkeepOptions};
use traillake_testkit::faults::{Counted, Faults, Outcome, Reply, Trouble};
use traillake_testkit::random::Random;

use crate::power::{scratch, watched_disk};
use crate::turns::Turns;
use crate::upkeep::{
    TABLES, behind, files, lake_in, lake_of, later, long_lake, of, rounds, upkeep,
};
use crate::world::{self, Disk, Object, check_snapshot, check_truth, commit, object, read, record};

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

#[tokio::test]
async fn upkeep_stopped_at_every_step_leaves_exactly_the_truth() {
    upkeep_stopped(false, 4, 0..2).await;
}

#[tokio::test]
async fn upkeep_stopped_at_every_other_step_leaves_exactly_the_truth() {
    upkeep_stopped(false, 4, 2..4).await;
}

#[tokio::test]
async fn upkeep_with_checkpoints_stopped_at_every_step_leaves_exactly_the_truth() {
    upkeep_stopped(true, 12, 0..4).await;
}

#[tokio::test]
async fn upkeep_in_a_bucket_stopped_at_every_step_leaves_exactly_the_truth() {
    upkeep_in_a_bucket_stopped(Outcome::Applied).await;
}

#[tokio::test]
async fn upkeep_in_a_bucket_refused_at_every_step_leaves_exactly_the_truth() {
    upkeep_in_a_bucket_stopped(Outcome::NotApplied).await;
}

#[tokio::test]
async fn upkeep_in_a_bucket_unheard_at_every_step_leaves_exactly_the_truth() {
    upkeep_in_a_bucket_stopped(Outcome::AppliedUnheard).await;
}

/// As [`neglected_lake`], of few rounds: a lake in a bucket has a checkpoint after eight commits.
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

async fn upkeep_in_a_bucket_stopped(outcome: Outcome) {
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
    for step in (0..trace.len()).filter(|at| !alike(at) || at % 11 == 0) {
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
async fn two_upkeeps_of_one_lake_and_an_ingest_beside_them() {
    two_upkeeps(0..30).await;
}

#[tokio::test]
async fn two_other_upkeeps_of_one_lake_and_an_ingest_beside_them() {
    two_upkeeps(30..60).await;
}

async fn two_upkeeps(seeds: Range<u64>) {
    let rounds = rounds(14);
    let (lake, _) = lake_of(&rounds[..10]).await;
    let (mut refused, mut rebased, mut folded) = (0, 0, 0);
    for seed in seeds.step_by(one_of(5)) {
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
    assert!(
        refused > 2 && rebased > 2 && folded > 0,
        "{refused} commits of folds lost, {rebased} rounds rebased, {folded} files folded"
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

/// After a clock that was far ahead, once, every commit says a time to come. By clocks that are right
/// files are folded and removed all the same, and not too early.
#[tokio::test]
async fn a_clock_that_was_ahead_once_keeps_nothing_young_for_ever() {
    let rounds = rounds(18);
    let (disk, writer) = lake_of(&rounds[..12]).await;
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
