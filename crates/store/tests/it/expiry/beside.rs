//! An expiry beside upkeep, ingest, another expiry and those who set a hold.

use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};

use chrono::Utc;
use traillake_store::{Error, Settings, UpkeepOptions};

use super::{before, check, check_sums, expire, from, rows, set};
use crate::interruptions::one_of;
use crate::meanwhile::Meanwhile;
use crate::turns::Turns;
use crate::upkeep::{lake_in, rounds};
use crate::world::{self, Disk, Object, commit, object, read, record};

#[tokio::test]
async fn beside_upkeep_ingest_and_another_expiry() {
    beside_all(Disk::memory()).await;
}

#[tokio::test]
async fn in_a_bucket_beside_upkeep_ingest_and_another_expiry() {
    beside_all(Disk::bucket()).await;
}

/// Leaves when it goes, also where a check has failed: the others would wait for ever.
struct Leaving(Arc<Turns>, usize);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leave(self.1);
    }
}

/// Does the work of a caller on a thread of its own: a checkpoint, which a lake in a bucket has
/// every few commits, is written with its thread blocked, and its calls wait for their turns too.
fn aside<W: Future + 'static>(
    turns: &Arc<Turns>,
    caller: usize,
    work: impl FnOnce() -> W + Send + 'static,
) -> JoinHandle<W::Output>
where
    W::Output: Send + 'static,
{
    let leaving = Leaving(turns.clone(), caller);
    spawn(move || {
        let _leaving = leaving;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(work())
    })
}

async fn beside_all(disk: Disk) {
    let rounds = rounds(14);
    let (lake, _) = lake_in(disk, &rounds[..10]).await;
    let (mut overtaken, mut rebased) = (0, 0);
    for seed in 0..5 {
        let disk = lake.fork();
        let turns = Turns::new(seed, 4);
        let reached = |number: usize| {
            let turns = turns.clone();
            disk.wrapped(Arc::new(move |inner| turns.wrap(number, inner)))
        };
        let expiring = |number: usize| {
            let disk = reached(number);
            aside(&turns, number, move || async move {
                let mut lost = 0;
                loop {
                    let writer = world::writer(&disk).await.unwrap();
                    match expire(&writer, &before(6)).await {
                        Ok(_) => break lost,
                        Err(Error::NotLive { .. }) => lost += 1,
                        Err(error) => panic!("seed {seed}: {error}"),
                    }
                }
            })
        };
        let (ann, bob) = (expiring(0), expiring(1));
        let reached_by_upkeep = reached(2);
        let tending = aside(&turns, 2, move || async move {
            let writer = world::writer(&reached_by_upkeep).await.unwrap();
            writer.upkeep(&UpkeepOptions::default(), Utc::now()).await.unwrap()
        });
        let (reached_by_ingest, more) = (reached(3), rounds[10..].to_vec());
        let ingest = aside(&turns, 3, move || async move {
            let writer = world::writer(&reached_by_ingest).await.unwrap();
            let mut rebased = 0;
            for (n, round) in (50..).zip(&more) {
                rebased += commit(&writer, round, n).await.unwrap().rebased;
            }
            rebased
        });
        overtaken += ann.join().unwrap() + bob.join().unwrap();
        let report = tending.join().unwrap();
        assert!(report.is_clean(), "seed {seed}: {report:?}");
        rebased += ingest.join().unwrap();
        check_sums(&disk, &read(&disk).await, &format!("seed {seed}")).await;
        // What came in after the others had looked leaves the next time.
        let writer = world::writer(&disk).await.unwrap();
        expire(&writer, &before(6)).await.unwrap();
        let snapshot = read(&disk).await;
        let found = rows(&snapshot).await;
        assert_eq!(from(&found, &before(6)), found, "seed {seed}");
        check_sums(&disk, &snapshot, &format!("seed {seed}")).await;
    }
    assert!(overtaken > 2 && rebased > 2, "{overtaken} overtaken, {rebased} rebased");
}

#[tokio::test]
async fn a_hold_at_any_moment_keeps_all_that_has_not_left_by_then() {
    a_hold_at_any_moment(Disk::memory(), 2).await;
}

#[tokio::test]
async fn in_a_bucket_a_hold_at_any_moment_keeps_all_that_has_not_left_by_then() {
    a_hold_at_any_moment(Disk::bucket(), 3).await;
}

/// Before one of `part` calls, and before each when asked for: it takes up to a second.
async fn a_hold_at_any_moment(disk: Disk, part: usize) {
    let rounds = rounds(6);
    let (lake, _) = lake_in(disk, &rounds).await;
    let plain = Meanwhile::nothing();
    let writer = world::writer(&plain.on(&lake.fork())).await.unwrap();
    let opened = plain.calls().len();
    expire(&writer, &before(3)).await.unwrap();
    let calls = plain.calls();
    let (mut changed, mut overtaken, mut in_time) = (0, 0, 0);
    for (call, what) in calls.iter().enumerate().skip(opened).step_by(one_of(part)) {
        let why = format!("a hold before `{what}`");
        let disk = lake.fork();
        let there = Arc::new(Mutex::new(None));
        let (from, found) = (disk.clone(), there.clone());
        let meanwhile = Meanwhile::before(call, move || async move {
            set(&from, |settings| {
                settings.holds.insert("case".to_string(), "true".to_string());
            })
            .await;
            let rows = rows(&read(&from).await).await;
            *found.lock().unwrap() = Some(rows);
        });
        let writer = world::writer(&meanwhile.on(&disk)).await.unwrap();
        match expire(&writer, &before(3)).await {
            Err(Error::SettingsChanged { .. }) => changed += 1,
            Err(Error::NotLive { .. }) => overtaken += 1,
            Ok(_) => in_time += 1,
            Err(error) => panic!("{why}: {error}"),
        }
        let there = there.lock().unwrap().take().unwrap();
        check(&disk, &there, &why).await;
    }
    assert!(changed > 5 && overtaken > 2, "{changed} changed, {overtaken} overtaken, {in_time}");
}

#[tokio::test]
async fn what_leaves_while_a_round_is_made_does_not_come_back_with_it() {
    leaving_meanwhile(Disk::memory(), 1).await;
}

#[tokio::test]
async fn in_a_bucket_what_leaves_while_a_round_is_made_does_not_come_back_with_it() {
    leaving_meanwhile(Disk::bucket(), 3).await;
}

/// Before one of `part` calls, and before each when asked for.
async fn leaving_meanwhile(disk: Disk, part: usize) {
    let old: Vec<Object> = (0..4)
        .map(|n| object(&format!("old {n}"), vec![record(&format!("{n}"), n, "v")]))
        .collect();
    // The same events in another object, and one that is young.
    let records = vec![record("1", 1, "v"), record("2", 2, "other"), record("9", 9, "young")];
    let more = [object("more", records)];
    let (lake, writer) = lake_in(disk, &[old]).await;
    let settings = |settings: &mut Settings| settings.retention_days = Some(30);
    set(&lake, settings).await;
    drop(writer);
    let plain = Meanwhile::nothing();
    let writer = world::writer(&plain.on(&lake.fork())).await.unwrap();
    let opened = plain.calls().len();
    commit(&writer, &more, 50).await.unwrap();
    let (mut deselected, calls) = (0, plain.calls());
    for (call, what) in calls.iter().enumerate().skip(opened).step_by(one_of(part)) {
        let why = format!("an expiry before `{what}`");
        let disk = lake.fork();
        let from = disk.clone();
        let meanwhile = Meanwhile::before(call, move || async move {
            expire(&world::writer(&from).await.unwrap(), &before(5)).await.unwrap();
        });
        let writer = world::writer(&meanwhile.on(&disk)).await.unwrap();
        let receipt = commit(&writer, &more, 50).await.unwrap();
        assert!(meanwhile.happened(), "{why}");
        deselected += receipt.objects.iter().map(|object| object.deselected).sum::<u64>();
        let snapshot = read(&disk).await;
        let left = rows(&snapshot).await;
        let left: Vec<_> = left.iter().filter(|(table, ..)| *table == "events").collect();
        assert_eq!(left.len(), 1, "{why}: {left:?}");
        check_sums(&disk, &snapshot, &why).await;
    }
    assert!(deselected > 10, "{deselected}");
}
