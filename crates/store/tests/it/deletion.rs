//! What a store is set to, and how it goes.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use traillake_store::{Error, Lake, Settings, StoreInfo};
use traillake_testkit::faults::{Counted, Faults, Outcome};

use crate::meanwhile::Meanwhile;
use crate::turns::Turns;
use crate::upkeep::{behind, lake_in, lake_of, rounds};
use crate::world::{self, Disk, Object, STORE, audit, commit, object, objects, record, spec, told};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

async fn open(disk: &Disk) -> Lake {
    Lake::open_with(&disk.location, disk.options.clone()).await.unwrap()
}

async fn unprotect(lake: &Lake) -> StoreInfo {
    let change = |settings: &mut Settings| {
        settings.termination_protection = false;
        Ok(())
    };
    lake.set_store(STORE, now(), change).await.unwrap()
}

#[tokio::test]
async fn a_store_begins_protected_and_keeps_everything() {
    let (disk, _) = lake_of(&rounds(2)).await;
    let lake = open(&disk).await;
    let info = lake.store_info(STORE).await.unwrap();
    assert_eq!(info.settings, Settings::default());
    assert_eq!((info.settings.status(), info.settings.cutoff(now())), ("ENABLED", None));
    let refused = lake.delete_store(STORE, now()).await.unwrap_err();
    assert!(refused.to_string().contains("termination protection"), "{refused}");
    let refused = lake
        .set_store(STORE, now(), |settings| {
            settings.retention_days = Some(6);
            Ok(())
        })
        .await;
    assert!(matches!(refused, Err(Error::Setting { .. })), "{refused:?}");
    assert_eq!(lake.store_info(STORE).await.unwrap().settings, Settings::default());
}

#[tokio::test]
async fn a_cut_off_is_the_begin_of_a_day() {
    let settings = Settings { retention_days: Some(7), ..Settings::default() };
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let cutoff = settings.cutoff(at("2026-03-10T17:30:00Z"));
    assert_eq!(cutoff, Some(at("2026-03-03T00:00:00Z")));
}

#[tokio::test]
async fn changes_at_once_undo_nothing_of_one_another() {
    let (lake, _) = lake_of(&rounds(1)).await;
    for seed in 0..8 {
        let disk = lake.fork();
        let turns = Turns::new(seed, 3);
        let changing = |number: usize| {
            let turns_of = turns.clone();
            let disk = disk.wrapped(Arc::new(move |inner| turns_of.wrap(number, inner)));
            let turns = turns.clone();
            async move {
                let lake = open(&disk).await;
                for n in 0..3 {
                    let change = |settings: &mut Settings| {
                        settings.holds.insert(format!("{number} {n}"), "true".to_string());
                        Ok(())
                    };
                    lake.set_store(STORE, now(), change).await.unwrap();
                }
                turns.leave(number);
            }
        };
        tokio::join!(changing(0), changing(1), changing(2));
        let info = open(&disk).await.store_info(STORE).await.unwrap();
        assert_eq!((info.settings.holds.len(), info.settings.number), (9, 9), "seed {seed}");
        assert!(audit(&disk, false).await.is_sound(), "{}", told(&audit(&disk, false).await));
    }
}

#[tokio::test]
async fn what_a_newer_version_has_set_is_kept() {
    let (disk, _) = lake_of(&rounds(1)).await;
    let lake = open(&disk).await;
    let info = unprotect(&lake).await;
    let text = format!(
        r#"{{"format": 1, "store": "{}", "termination_protection": false, "colour": "red"}}"#,
        info.id
    );
    disk.put(&format!("stores/{STORE}.00000002.json"), text).await;
    let change = |settings: &mut Settings| {
        settings.retention_days = Some(30);
        Ok(())
    };
    let info = lake.set_store(STORE, now(), change).await.unwrap();
    assert_eq!(info.settings.number, 3);
    let text = disk.bytes(&format!("stores/{STORE}.00000003.json")).await;
    assert!(String::from_utf8(text).unwrap().contains(r#""colour":"red""#));
    // Settings of a newer format say something that this version must not guess.
    disk.put(&format!("stores/{STORE}.00000004.json"), r#"{"format": 2}"#).await;
    assert!(matches!(lake.store_info(STORE).await, Err(Error::NewerFormat { .. })));
}

#[tokio::test]
async fn a_store_to_be_deleted_is_neither_read_nor_written_and_comes_back_whole() {
    let rounds = rounds(4);
    let (disk, _) = lake_of(&rounds).await;
    let lake = open(&disk).await;
    unprotect(&lake).await;
    let info = lake.delete_store(STORE, now()).await.unwrap();
    assert_eq!(info.settings.restorable_until(), Some(now() + TimeDelta::days(7)));
    let read = lake.store(STORE).await.unwrap().pin(None).await.map(drop);
    assert!(matches!(read, Err(Error::PendingDeletion { .. })), "{read:?}");
    let written = lake.writer(STORE, &spec(), now()).await.map(drop);
    assert!(matches!(written, Err(Error::PendingDeletion { .. })), "{written:?}");
    // Asked for again it is not put off.
    let again = lake.delete_store(STORE, now() + TimeDelta::days(3)).await.unwrap();
    assert_eq!(again.settings.restorable_until(), info.settings.restorable_until());
    assert!(!lake.remove_store(&info, now() + TimeDelta::days(6)).await.unwrap());
    let late = lake.restore_store(STORE, now() + TimeDelta::days(7)).await.unwrap_err();
    assert!(late.to_string().contains("it could be restored until 2027-01-22"), "{late}");
    lake.restore_store(STORE, now()).await.unwrap();
    assert!(!lake.remove_store(&info, now() + TimeDelta::days(60)).await.unwrap());
    world::check_truth(&disk, &crate::upkeep::of(&rounds)).await;
    assert!(lake.restore_store(STORE, now()).await.is_err(), "nobody wants it deleted");
}

#[tokio::test]
async fn a_hold_keeps_a_store_from_being_deleted() {
    let (disk, _) = lake_of(&rounds(1)).await;
    let lake = open(&disk).await;
    unprotect(&lake).await;
    let hold = |settings: &mut Settings| {
        settings.holds.insert("case".to_string(), "true".to_string());
        Ok(())
    };
    lake.set_store(STORE, now(), hold).await.unwrap();
    let refused = lake.delete_store(STORE, now()).await.unwrap_err();
    assert!(refused.to_string().contains("hold `case`"), "{refused}");
}

#[tokio::test]
async fn a_removal_that_is_cut_off_anywhere_goes_on_and_leaves_nothing() {
    cut_off_anywhere(Disk::memory()).await;
}

#[tokio::test]
async fn a_removal_from_a_bucket_that_is_cut_off_anywhere_goes_on_and_leaves_nothing() {
    cut_off_anywhere(Disk::bucket()).await;
}

async fn cut_off_anywhere(disk: Disk) {
    let (lake, _) = lake_in(disk, &rounds(2)).await;
    let info = {
        let lake = open(&lake).await;
        unprotect(&lake).await;
        lake.delete_store(STORE, now()).await.unwrap()
    };
    let due = now() + TimeDelta::days(8);
    let plain = Arc::new(Faults::none(Counted::Changes));
    open(&behind(&lake.fork(), &plain)).await.remove_store(&info, due).await.unwrap();
    let (trace, steps) = (plain.trace(), plain.trace().len());
    assert!(steps > 20, "{steps}");
    // A bucket is tried first, with a file that is there.
    let first = trace.iter().position(|step| step.contains("stores/")).unwrap();
    for step in first..steps {
        let stop = Arc::new(Faults::stop_at(step as u64, Counted::Changes, Outcome::Applied));
        let disk = lake.fork();
        let _ = open(&behind(&disk, &stop)).await.remove_store(&info, due).await;
        assert!(stop.stopped());
        let lake = open(&disk).await;
        // It is gone, or still one that is to be deleted: never one that somebody may read.
        for left in lake.stores().await.unwrap() {
            let read = lake.store_of(left.clone()).pin(None).await.map(drop);
            // The first change is the one that nobody takes back, whatever the clock says.
            assert!(matches!(read, Err(Error::BeingRemoved { .. })), "{step}: {read:?}");
            let written = lake.writer(STORE, &spec(), now()).await.map(drop);
            assert!(matches!(written, Err(Error::BeingRemoved { .. })), "{step}: {written:?}");
            let restored = lake.restore_store(STORE, now()).await;
            assert!(matches!(restored, Err(Error::BeingRemoved { .. })), "{step}: {restored:?}");
            let audit = audit(&disk, false).await;
            assert!(audit.is_sound() && told(&audit).contains("being removed"), "{}", told(&audit));
            assert_eq!(left.settings.status(), "PENDING_DELETION");
            assert_eq!(left.settings.removal_began_at, Some(due));
            assert!(lake.remove_store(&left, now()).await.unwrap());
        }
        assert!(lake.stores().await.unwrap().is_empty());
        // One of the same name is another store, and knows nothing of the first.
        let writer = lake.writer(STORE, &spec(), now()).await.unwrap();
        assert_ne!(writer.info().id, info.id);
        assert_eq!(writer.info().settings.status(), "ENABLED");
        assert_eq!(writer.token(), 0);
        let new = [object("a", vec![record("1", 0, "one")])];
        commit(&writer, &new, 1).await.unwrap();
        world::check_truth(&disk, &new.iter().collect::<Vec<_>>()).await;
    }
}

#[tokio::test]
async fn a_store_that_another_process_removed_is_made_again_under_its_name() {
    let disk = Disk::folder();
    let (ours, theirs) = (world::lake(&disk).await, world::lake(&disk).await);
    for n in 0..3 {
        let writer = ours.writer(STORE, &spec(), now()).await.unwrap();
        let new = [object(&format!("{n}"), vec![record("1", 0, "one")])];
        commit(&writer, &new, 1).await.unwrap();
        world::check_truth(&disk, &new.iter().collect::<Vec<_>>()).await;
        unprotect(&theirs).await;
        let info = theirs.delete_store(STORE, now()).await.unwrap();
        assert!(theirs.remove_store(&info, now() + TimeDelta::days(8)).await.unwrap());
    }
}

/// A lake whose store is to be deleted; who that is.
async fn deleted(rounds: &[Vec<Object>]) -> (Disk, StoreInfo) {
    let (disk, _) = lake_of(rounds).await;
    let lake = open(&disk).await;
    unprotect(&lake).await;
    let info = lake.delete_store(STORE, now()).await.unwrap();
    (disk, info)
}

/// The calls of an undisturbed removal.
async fn calls_of_removal(disk: &Disk, info: &StoreInfo, due: DateTime<Utc>) -> Vec<String> {
    let plain = Meanwhile::nothing();
    assert!(open(&plain.on(&disk.fork())).await.remove_store(info, due).await.unwrap());
    plain.calls()
}

#[tokio::test]
async fn a_restore_at_any_moment_of_a_removal_saves_the_whole_store_or_is_refused() {
    let rounds = rounds(2);
    let (lake, info) = deleted(&rounds).await;
    let due = now() + TimeDelta::days(8);
    let calls = calls_of_removal(&lake, &info, due).await;
    let (mut saved, mut refused) = (0, 0);
    for (call, name) in calls.iter().enumerate() {
        let disk = lake.fork();
        let answer = Arc::new(Mutex::new(None));
        let (from, told) = (disk.clone(), answer.clone());
        let meanwhile = Meanwhile::before(call, move || async move {
            // By a clock that is behind; by that of the removal it would be too late.
            let restored = open(&from).await.restore_store(STORE, now()).await;
            *told.lock().unwrap() = Some(restored);
        });
        let gone = open(&meanwhile.on(&disk)).await.remove_store(&info, due).await.unwrap();
        let restored = answer.lock().unwrap().take().unwrap();
        match restored {
            Ok(restored) => {
                assert!(!gone, "before `{name}`");
                assert_eq!(restored.settings.status(), "ENABLED");
                assert!(!open(&disk).await.remove_store(&info, due).await.unwrap());
                world::check_truth(&disk, &crate::upkeep::of(&rounds)).await;
                saved += 1;
            }
            Err(Error::BeingRemoved { .. } | Error::NoStore { .. }) => {
                assert!(gone, "before `{name}`");
                assert!(open(&disk).await.stores().await.unwrap().is_empty(), "before `{name}`");
                refused += 1;
            }
            Err(error) => panic!("before `{name}`: {error}"),
        }
    }
    assert!(saved >= 4 && refused > 20, "{saved} saved, {refused} refused of {calls:#?}");
}

#[tokio::test]
async fn the_end_of_a_removal_takes_nothing_of_the_next_store_of_that_name() {
    let (disk, info) = deleted(&rounds(1)).await;
    let due = now() + TimeDelta::days(8);
    let calls = calls_of_removal(&disk, &info, due).await;
    let end = format!("delete stores/{STORE}.00000001.json");
    let call = calls.iter().position(|call| *call == end).unwrap();
    let from = disk.clone();
    let meanwhile = Meanwhile::before(call, move || async move {
        let lake = open(&from).await;
        lake.writer(STORE, &spec(), now()).await.unwrap();
        unprotect(&lake).await;
    });
    assert!(open(&meanwhile.on(&disk)).await.remove_store(&info, due).await.unwrap());
    assert!(meanwhile.happened());
    let next = open(&disk).await.store_info(STORE).await.unwrap();
    assert_ne!(next.id, info.id);
    assert!(!next.settings.termination_protection, "{next:?}");
}

#[tokio::test]
async fn on_a_disk_no_folder_is_left() {
    let disk = Disk::folder();
    let writer = world::writer(&disk).await.unwrap();
    commit(&writer, &objects("a", 0, 2, 3), 1).await.unwrap();
    writer.add_look("what was listed".to_string(), &[]).await.unwrap();
    let lake = open(&disk).await;
    unprotect(&lake).await;
    let info = lake.delete_store(STORE, now()).await.unwrap();
    assert!(lake.remove_store(&info, now() + TimeDelta::days(8)).await.unwrap());
    for folder in ["stores", "looks"] {
        let left = std::fs::read_dir(format!("{}/{folder}", disk.location)).unwrap().count();
        assert_eq!(left, 0, "{folder}");
    }
    commit(&lake.writer(STORE, &spec(), now()).await.unwrap(), &objects("b", 0, 1, 1), 1)
        .await
        .unwrap();
}
