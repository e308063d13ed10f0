//! An expiry beside upkeep, ingest, another expiry and those who set a hold.

use std::sync::{Arc, Mutex};

use chrono::Utc;
use traillake_store::{Error, Lake, Settings, UpkeepOptions};

use super::{before, check, check_sums, expire, from, rows};
use crate::meanwhile::Meanwhile;
use crate::turns::Turns;
use crate::upkeep::{lake_of, later, rounds};
use crate::world::{self, Disk, Object, STORE, commit, object, read, record};

#[tokio::test]
async fn beside_upkeep_ingest_and_another_expiry() {
    let rounds = rounds(14);
    let (lake, _) = lake_of(&rounds[..10]).await;
    let (mut overtaken, mut rebased) = (0, 0);
    for seed in 0..5 {
        let disk = lake.fork();
        let turns = Turns::new(seed, 4);
        let reached = |number: usize| {
            let turns = turns.clone();
            disk.wrapped(Arc::new(move |inner| turns.wrap(number, inner)))
        };
        let expiring = |number: usize| {
            let (disk, turns) = (reached(number), turns.clone());
            async move {
                let mut lost = 0;
                loop {
                    let writer = world::writer(&disk).await.unwrap();
                    match expire(&writer, &before(6)).await {
                        Ok(_) => break,
                        Err(Error::NotLive { .. }) => lost += 1,
                        Err(error) => panic!("seed {seed}: {error}"),
                    }
                }
                turns.leave(number);
                lost
            }
        };
        let tending = async {
            let writer = world::writer(&reached(2)).await.unwrap();
            let report = writer.upkeep(&UpkeepOptions::default(), Utc::now()).await.unwrap();
            turns.leave(2);
            report
        };
        let ingest = async {
            let writer = world::writer(&reached(3)).await.unwrap();
            let mut rebased = 0;
            for (n, round) in (50..).zip(&rounds[10..]) {
                rebased += commit(&writer, round, n).await.unwrap().rebased;
            }
            turns.leave(3);
            rebased
        };
        let (ann, bob, report, lost) = tokio::join!(expiring(0), expiring(1), tending, ingest);
        assert!(report.is_clean(), "seed {seed}: {report:?}");
        overtaken += ann + bob;
        rebased += lost;
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

async fn set(disk: &Disk, change: impl Fn(&mut Settings)) {
    let lake = Lake::open_with(&disk.location, disk.options.clone()).await.unwrap();
    let change = |settings: &mut Settings| {
        change(settings);
        Ok(())
    };
    lake.set_store(STORE, later(), change).await.unwrap();
}

#[tokio::test]
async fn a_hold_at_any_moment_keeps_all_that_has_not_left_by_then() {
    let rounds = rounds(6);
    let (lake, _) = lake_of(&rounds).await;
    let plain = Meanwhile::nothing();
    let writer = world::writer(&plain.on(&lake.fork())).await.unwrap();
    let opened = plain.calls().len();
    expire(&writer, &before(3)).await.unwrap();
    let calls = plain.calls();
    let (mut changed, mut overtaken, mut in_time) = (0, 0, 0);
    for (call, what) in calls.iter().enumerate().skip(opened) {
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
    let old: Vec<Object> = (0..4)
        .map(|n| object(&format!("old {n}"), vec![record(&format!("{n}"), n, "v")]))
        .collect();
    // The same events in another object, and one that is young.
    let records = vec![record("1", 1, "v"), record("2", 2, "other"), record("9", 9, "young")];
    let more = [object("more", records)];
    let (lake, writer) = lake_of(&[old]).await;
    let settings = |settings: &mut Settings| settings.retention_days = Some(30);
    set(&lake, settings).await;
    drop(writer);
    let plain = Meanwhile::nothing();
    let writer = world::writer(&plain.on(&lake.fork())).await.unwrap();
    let opened = plain.calls().len();
    commit(&writer, &more, 50).await.unwrap();
    let (mut deselected, calls) = (0, plain.calls());
    for (call, what) in calls.iter().enumerate().skip(opened) {
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
