//! A lake that stays open: it sees what a lake opened anew sees, and asks for no more than is new.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use traillake_store::{At, Lake, Result};
use traillake_testkit::faults::{Counted, Faults};

use crate::upkeep::{behind, later, rounds, upkeep};
use crate::world::{self, Disk, STORE, commit};

/// Everything that a reader can learn of a store, or what it hears.
async fn seen(lake: &Lake, at: Option<At>) -> String {
    let told = async {
        let snapshot = lake.store(STORE).await?.snapshot(at).await?;
        let mut told = format!("round {} of {:?}\n", snapshot.token, snapshot.committed_at);
        for table in snapshot.tables() {
            told += &format!("{} {} {:?}\n", table.name(), table.version(), table.schema());
            for file in table.files().await?.iter() {
                told += &format!("  {file:?}\n");
            }
        }
        Ok(told)
    };
    let told: Result<String> = told.await;
    told.unwrap_or_else(|error| format!("{:?} {error}", error.kind()))
}

async fn open(disk: &Disk) -> Lake {
    Lake::open_with(&disk.location, disk.options.clone()).await.unwrap()
}

/// What `kept` sees now, which is what a lake opened now sees.
async fn check_same(kept: &Lake, disk: &Disk) -> String {
    let anew = open(disk).await;
    for at in [Some(At::Token(1)), Some(At::Token(3)), Some(At::Time(world::at(2)))] {
        assert_eq!(seen(kept, at).await, seen(&anew, at).await, "{at:?}");
    }
    let now = seen(kept, None).await;
    assert_eq!(now, seen(&anew, None).await);
    assert_eq!(now, seen(kept, None).await, "asked again");
    now
}

fn log(disk: &Disk, table: &str) -> PathBuf {
    Path::new(&disk.location).join(format!("stores/{STORE}/{table}/_delta_log"))
}

fn commit_file(disk: &Disk, table: &str, version: u64) -> PathBuf {
    log(disk, table).join(format!("{version:020}.json"))
}

pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// A question about events, and what it asked of the storage.
async fn asked(lake: &Lake, faults: &Faults) -> Vec<String> {
    let before = faults.trace().len();
    let pin = lake.store(STORE).await.unwrap().pin(None).await.unwrap();
    let snapshot = pin.open(&BTreeSet::from(["events".to_owned()])).await.unwrap();
    snapshot.table("events").unwrap().files().await.unwrap();
    faults.trace().split_off(before)
}

#[tokio::test]
async fn a_question_about_an_unchanged_lake_asks_who_the_store_is_and_lists_two_logs() {
    let disk = Disk::folder();
    let writer = world::writer(&disk).await.unwrap();
    for (n, round) in (1..).zip(rounds(5)) {
        commit(&writer, &round, n).await.unwrap();
    }
    let faults = Arc::new(Faults::none(Counted::All));
    let lake = open(&behind(&disk, &faults)).await;
    asked(&lake, &faults).await;
    let again = asked(&lake, &faults).await;
    let expected = [
        format!("get stores/{STORE}/store.json"),
        "list stores".to_string(), // what it is set to
        format!("list stores/{STORE}/objects/_delta_log"),
        format!("list stores/{STORE}/events/_delta_log"),
    ];
    assert_eq!(again, expected);
    // Of what came since, only that is read.
    commit(&writer, &rounds(6)[5], 6).await.unwrap();
    let advanced = asked(&lake, &faults).await;
    let is_old = |step: &&String| (0..=5).any(|version| step.contains(&format!("{version:020}.")));
    assert_eq!(advanced.iter().find(is_old), None, "{advanced:#?}");
    assert_eq!(asked(&lake, &faults).await, expected);
    check_same(&lake, &disk).await;
}

#[tokio::test]
async fn a_checkpoint_of_what_is_known_is_not_read() {
    let disk = Disk::bucket();
    let writer = world::writer(&disk).await.unwrap();
    let all = rounds(12);
    commit(&writer, &all[0], 1).await.unwrap();
    let faults = Arc::new(Faults::none(Counted::All));
    let lake = open(&behind(&disk, &faults)).await;
    asked(&lake, &faults).await;
    for (n, round) in (2..).zip(&all[1..]) {
        commit(&writer, round, n).await.unwrap();
        let advanced = asked(&lake, &faults).await;
        let is_checkpoint = |step: &&String| step.contains(".checkpoint.");
        assert_eq!(advanced.iter().find(is_checkpoint), None, "round {n}: {advanced:#?}");
    }
    let checkpoint = format!("stores/{STORE}/events/_delta_log/{:020}.checkpoint.parquet", 12);
    assert!(disk.holds(&checkpoint).await);
    check_same(&lake, &disk).await;
}

#[tokio::test]
async fn a_lake_that_stays_open_follows_rounds_rewrites_checkpoints_and_clean_ups() {
    let disk = Disk::memory();
    let writer = world::writer(&disk).await.unwrap();
    let rounds = rounds(106);
    commit(&writer, &rounds[0], 1).await.unwrap();
    let kept = open(&disk).await;
    let mut before = check_same(&kept, &disk).await;
    for (n, round) in (2..).zip(&rounds[1..]) {
        commit(&writer, round, n).await.unwrap();
        if ![2, 3, 40, 41].contains(&n) && n < 98 {
            continue;
        }
        let now = check_same(&kept, &disk).await;
        assert_ne!(now, before, "round {n}");
        before = now;
        if [3, 40, 104].contains(&n) {
            assert!(upkeep(&writer, later()).await.unwrap().is_clean());
            assert_ne!(check_same(&kept, &disk).await, before, "upkeep after round {n}");
        }
    }
    assert!(disk.holds(&format!("stores/{STORE}/events/_delta_log/_last_checkpoint")).await);
    assert!(!disk.holds(&world::commit_path("events", 1)).await);
}

#[tokio::test]
async fn another_lake_in_the_same_place_is_seen_at_once() {
    let disk = Disk::folder();
    let here = PathBuf::from(&disk.location);
    let all = rounds(6);
    let writer = world::writer(&disk).await.unwrap();
    for (n, round) in (1..=3).zip(&all) {
        commit(&writer, round, n).await.unwrap();
    }
    let copied = tempfile::tempdir().unwrap();
    let copied = copied.path().join("lake");
    copy(&here, &copied);
    commit(&writer, &all[3], 4).await.unwrap();
    let kept = open(&disk).await;
    let fourth = check_same(&kept, &disk).await;
    // The copy takes its place, and goes on another way.
    std::fs::remove_dir_all(&here).unwrap();
    copy(&copied, &here);
    let third = check_same(&kept, &disk).await;
    assert!(third.starts_with("round 3"), "{third}");
    let writer = world::writer(&disk).await.unwrap();
    commit(&writer, &all[5], 4).await.unwrap();
    let other = check_same(&kept, &disk).await;
    assert!(other.starts_with("round 4") && other != fourth, "{other}");
    // So does a lake of its own.
    std::fs::remove_dir_all(&here).unwrap();
    let gone = seen(&kept, None).await;
    assert!(!gone.starts_with("round"), "{gone}");
    let writer = world::writer(&disk).await.unwrap();
    for (n, round) in (1..=4).zip(&all[1..]) {
        commit(&writer, round, n).await.unwrap();
    }
    let own = check_same(&kept, &disk).await;
    assert!(own.starts_with("round 4") && own != other, "{own}");
}

#[tokio::test]
async fn what_is_torn_away_under_a_lake_that_stays_open_is_told() {
    let disk = Disk::folder();
    let writer = world::writer(&disk).await.unwrap();
    for (n, round) in (1..).zip(rounds(4)) {
        commit(&writer, &round, n).await.unwrap();
    }
    let kept = open(&disk).await;
    let whole = check_same(&kept, &disk).await;
    for (table, version) in
        [("events", 2), ("events", 4), ("objects", 2), ("objects", 4), ("rejects", 1)]
    {
        let file = commit_file(&disk, table, version);
        let bytes = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let torn = check_same(&kept, &disk).await;
        assert_ne!(torn, whole, "{table} {version}");
        std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
        let cut = check_same(&kept, &disk).await;
        assert_ne!(cut, whole, "{table} {version}");
        std::fs::write(&file, &bytes).unwrap();
        assert_eq!(check_same(&kept, &disk).await, whole, "{table} {version}");
    }
    // The checkpoint of a commit that is lost.
    for table in ["events", "objects"] {
        let hint = commit_file(&disk, table, 1).with_file_name("_last_checkpoint");
        std::fs::write(&hint, "{\"version\":9,\"size\":1}").unwrap();
        let ends_early = check_same(&kept, &disk).await;
        assert_ne!(ends_early, whole, "{table}");
        std::fs::remove_file(&hint).unwrap();
        assert_eq!(check_same(&kept, &disk).await, whole, "{table}");
    }
}
