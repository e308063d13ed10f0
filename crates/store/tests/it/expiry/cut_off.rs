//! An expiry that is stopped, killed, without space or power, or given up: whole tables or nothing.
//!
//! Long sweeps run on a runtime with a worker: without one the engine that reads logs starts a thread
//! with a runtime of its own at every call.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use futures::FutureExt;
use traillake_testkit::faults::{Counted, Faults, Outcome, Trouble};

use super::{Row, before, check, check_sums, check_whole_or_nothing, expire, from, rows};
use crate::interruptions::{ends, one_of};
use crate::power::{scratch, until_off, watched_disk};
use crate::upkeep::{behind, lake_in, lake_of, later, rounds, upkeep};
use crate::world::{self, Disk, commit, object, read, record};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn stopped_at_every_step_each_table_has_lost_all_it_should_or_nothing() {
    stopped_at_every_step(Disk::memory(), 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn in_a_bucket_each_table_has_lost_all_it_should_or_nothing() {
    stopped_at_every_step(Disk::bucket(), 2).await;
}

/// A lake with one file for each month.
async fn folded_lake(disk: Disk) -> (Disk, BTreeSet<Row>) {
    let (lake, writer) = lake_in(disk, &rounds(16)).await;
    upkeep(&writer, later()).await.unwrap();
    let all = rows(&read(&lake).await).await;
    (lake, all)
}

/// At each step in one of `part` ways, and in all when asked for: in a bucket each takes a second.
async fn stopped_at_every_step(disk: Disk, part: usize) {
    let (lake, all) = folded_lake(disk).await;
    let expiry = before(6);
    let left = from(&all, &expiry);
    let plain = Arc::new(Faults::none(Counted::Changes));
    let disk = lake.fork();
    expire(&world::writer(&behind(&disk, &plain)).await.unwrap(), &expiry).await.unwrap();
    check(&disk, &left, "undisturbed").await;
    let steps = plain.trace().len();
    assert!(steps >= 8, "{:?}", plain.trace());
    let mut half_way = 0;
    let steps: Vec<usize> = (0..steps).collect();
    let is_dealt = |(step, end): &(usize, Outcome)| {
        (step + usize::from(*end == Outcome::AppliedUnheard)).is_multiple_of(one_of(part))
    };
    for (step, outcome) in ends(&steps).into_iter().filter(is_dealt) {
        let why = format!("{outcome:?} at `{}`", plain.trace()[step]);
        let stop = Arc::new(Faults::stop_at(step as u64, Counted::Changes, outcome));
        let disk = lake.fork();
        if let Ok(writer) = world::writer(&behind(&disk, &stop)).await {
            let _ = expire(&writer, &expiry).await;
        }
        assert!(stop.stopped());
        half_way += usize::from(check_whole_or_nothing(&disk, &all, &left, &why).await);
        let writer = world::writer(&disk).await.unwrap();
        expire(&writer, &expiry).await.unwrap();
        check(&disk, &left, &why).await;
        // What was written for nothing goes, and so do tombstones of what never happened.
        upkeep(&writer, later() + TimeDelta::days(60)).await.unwrap();
        check(&disk, &left, &why).await;
    }
    assert!(half_way > 5, "{half_way}");
}

/// Full at each step of an expiry: what it has done of a table is done, and it says why it ends.
#[tokio::test]
async fn a_disk_that_fills_up_in_an_expiry_is_told_and_costs_no_row() {
    let (lake, all) = folded_lake(Disk::memory()).await;
    let expiry = before(6);
    let left = from(&all, &expiry);
    let plain = Arc::new(Faults::none(Counted::Changes));
    expire(&world::writer(&behind(&lake.fork(), &plain)).await.unwrap(), &expiry).await.unwrap();
    let mut refused = 0;
    for (step, what) in plain.trace().iter().enumerate() {
        let why = format!("full at `{what}`");
        let full = Faults::none(Counted::Changes).with(step as u64, Trouble::Fill);
        let disk = lake.fork();
        let writer = world::writer(&behind(&disk, &Arc::new(full))).await.unwrap();
        match expire(&writer, &expiry).await {
            Ok(_) => check(&disk, &left, &why).await,
            Err(error) => {
                refused += 1;
                let error: &dyn std::error::Error = &error;
                let mut causes = std::iter::successors(Some(error), |error| error.source());
                let told =
                    |cause: &dyn std::error::Error| cause.to_string().contains("no storage space");
                assert!(causes.any(told), "{why}: {error}");
            }
        }
        check_whole_or_nothing(&disk, &all, &left, &why).await;
        expire(&world::writer(&disk).await.unwrap(), &expiry).await.unwrap();
        check(&disk, &left, &why).await;
    }
    assert!(refused > 5, "{refused}");
}

#[tokio::test]
async fn power_lost_during_an_expiry_loses_no_row_and_brings_none_back() {
    let rounds = rounds(6);
    let expiry = before(3);
    let filled = async |disk: &Disk| {
        let writer = world::writer(disk).await.unwrap();
        for (n, round) in (1..).zip(&rounds) {
            commit(&writer, round, n).await.unwrap();
        }
        writer
    };
    let syncs = {
        let folder = scratch();
        let (disk, power) = watched_disk(folder.path());
        let writer = filled(&disk).await;
        let before = power.syncs();
        expire(&writer, &expiry).await.unwrap();
        before..power.syncs()
    };
    assert!(syncs.end > syncs.start + 8, "{syncs:?}");
    for (seed, cut) in syncs.enumerate() {
        let why = format!("cut at {cut}");
        let folder = scratch();
        let (disk, power) = watched_disk(folder.path());
        // Objects are numbered by chance: each lake has rows of its own.
        let (all, left) = until_off(async || {
            let writer = filled(&disk).await;
            let all = rows(&read(&disk).await).await;
            let left = from(&all, &expiry);
            assert!(left.len() < all.len());
            power.cut_at(cut);
            let _ = expire(&writer, &expiry).await;
            (all, left)
        });
        power.crash(seed as u64).unwrap();
        check_whole_or_nothing(&disk, &all, &left, &why).await;
        expire(&world::writer(&disk).await.unwrap(), &expiry).await.unwrap();
        check(&disk, &left, &why).await;
    }
}

#[tokio::test]
async fn an_expiry_that_nobody_polls_any_more_leaves_a_whole_store() {
    let (lake, all) = folded_lake(Disk::memory()).await;
    let expiry = before(6);
    let left = from(&all, &expiry);
    let (mut not_begun, mut done) = (0, 0);
    for polls in (0..14).map(|n| 1 << n) {
        let disk = lake.fork();
        let writer = world::writer(&disk).await.unwrap();
        let mut work = Box::pin(expire(&writer, &expiry).fuse());
        for _ in 0..polls {
            if futures::poll!(&mut work).is_ready() {
                break;
            }
            // Logs are read on threads of their own.
            tokio::time::sleep(std::time::Duration::from_micros(200)).await;
        }
        drop(work);
        let why = format!("{polls} polls");
        check_whole_or_nothing(&disk, &all, &left, &why).await;
        let found = rows(&read(&disk).await).await;
        (not_begun, done) =
            (not_begun + usize::from(found == all), done + usize::from(found == left));
        expire(&world::writer(&disk).await.unwrap(), &expiry).await.unwrap();
        check(&disk, &left, &why).await;
    }
    assert!(not_begun > 1 && done > 0, "{not_begun} not begun, {done} done");
}

#[tokio::test]
async fn a_tombstone_for_nothing_is_told_from_others_however_short_the_log() {
    let (disk, writer) = lake_of(&rounds(3)).await;
    // Killed between a tombstone and its commit; another commit takes that version.
    let version = writer.snapshot().table("events").unwrap().version() + 1;
    let plain = Arc::new(Faults::none(Counted::Changes));
    expire(&world::writer(&behind(&disk.fork(), &plain)).await.unwrap(), &before(1)).await.unwrap();
    let commit_of = format!("put {}", world::commit_path("events", version));
    let step = plain.trace().iter().position(|step| *step == commit_of).unwrap();
    let stop = Faults::stop_at(step as u64, Counted::Changes, Outcome::NotApplied);
    let killed = world::writer(&behind(&disk, &Arc::new(stop))).await.unwrap();
    expire(&killed, &before(1)).await.unwrap_err();
    assert_eq!(disk.paths("stores/default/expired").await.len(), 1);
    for n in 100..202 {
        let one = [object(&format!("later {n}"), vec![record(&format!("{n}"), 39, "v")])];
        commit(&writer, &one, n).await.unwrap();
    }
    // Killed after the log was shortened and before anything else.
    let plain = Arc::new(Faults::none(Counted::Changes));
    upkeep(&world::writer(&behind(&disk.fork(), &plain)).await.unwrap(), later()).await.unwrap();
    let of_log = |step: &String| step.starts_with("delete") && step.contains("/_delta_log/");
    let step = plain.trace().iter().rposition(of_log).unwrap();
    let stop = Arc::new(Faults::stop_at(step as u64, Counted::Changes, Outcome::Applied));
    let _ = upkeep(&world::writer(&behind(&disk, &stop)).await.unwrap(), later()).await;
    assert!(stop.stopped());
    check_sums(&disk, &read(&disk).await, "killed").await;
    for _ in 0..2 {
        let writer = world::writer(&disk).await.unwrap();
        upkeep(&writer, later() + TimeDelta::days(60)).await.unwrap();
        check_sums(&disk, &read(&disk).await, "tended").await;
    }
    assert!(disk.paths("stores/default/expired").await.is_empty());
    assert!(!disk.holds(&world::commit_path("events", version)).await, "the log is short");
}
