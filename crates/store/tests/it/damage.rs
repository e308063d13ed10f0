//! Lakes that were damaged, or copied piece by piece: what is gone is told, never passed over.

use std::sync::Arc;

use traillake_store::{Error, ErrorKind, Lake};
use traillake_testkit::faults::{Counted, Faults};

use crate::world::{
    self, Disk, Object, check_snapshot, check_truth, commit, commit_path, object, objects, read,
    record, try_read,
};

const TABLES: [&str; 6] = ["events", "extras", "notes", "objects", "rejects", "variants"];

/// What is committed round by round: every table gets a file in every round.
fn rounds() -> Vec<Vec<Object>> {
    let round = |n: usize| {
        let mut extra = record("e", n as i64, "e");
        extra.table = "extras";
        let records = vec![
            record("1", 0, &format!("value {n}")),
            record("1", 0, &format!("another {n}")),
            record(&format!("own {n}"), n as i64, "own"),
            record("x", 0, "!x"),
            extra,
        ];
        vec![object(&format!("object {n}"), records)]
    };
    (0..4).map(round).collect()
}

async fn lake() -> Disk {
    let disk = Disk::memory();
    let writer = world::writer(&disk).await.unwrap();
    for (n, round) in (1..).zip(rounds()) {
        commit(&writer, &round, n).await.unwrap();
    }
    disk
}

async fn check_whole(disk: &Disk) {
    let rounds = rounds();
    let objects = rounds.iter().flatten().collect::<Vec<_>>();
    assert_eq!(check_snapshot(&read(disk).await, &objects).await, 4);
}

/// Reads everything there is to read of a store's logs.
async fn read_all(disk: &Disk) -> Result<(), Error> {
    let snapshot = try_read(disk).await?;
    for table in snapshot.tables() {
        table.files().await?;
    }
    Ok(())
}

/// Neither a reader nor a writer takes it for a lake that holds less, and both say all of `said`.
async fn check_refused(disk: &Disk, said: &[&str]) {
    let written = world::writer(disk).await.map(drop);
    for (who, result) in [("reader", read_all(disk).await), ("writer", written)] {
        let Err(error) = result else { panic!("the {who} hears nothing of {said:?}") };
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{who}: {error}");
        for said in said {
            assert!(error.to_string().contains(said), "{who}: `{error}` does not say `{said}`");
        }
    }
}

#[tokio::test]
async fn a_commit_that_is_missing_is_told() {
    let lake = lake().await;
    for table in TABLES {
        for version in 0..4 {
            let disk = lake.fork();
            disk.delete(&commit_path(table, version)).await;
            let missing = format!("version {version} is missing");
            check_refused(&disk, &[table, &missing]).await;
        }
        let disk = lake.fork();
        disk.delete(&commit_path(table, 4)).await;
        if table != "objects" {
            check_refused(&disk, &[table, "ends with round 3"]).await;
        } else {
            // Round 4 is unfinished, says the ledger; its manifest has gone with its end.
            let error = world::writer(&disk).await.err().unwrap();
            assert!(matches!(error, Error::Torn { .. }), "{error}");
            assert!(error.hint().is_some());
        }
    }
}

#[tokio::test]
async fn a_table_that_lost_its_log_is_told() {
    let lake = lake().await;
    for table in TABLES {
        let disk = lake.fork();
        for path in disk.paths(&format!("stores/default/{table}")).await {
            disk.delete(&path).await;
        }
        if table == "objects" {
            assert!(read_all(&disk).await.is_err());
        } else {
            let error = read_all(&disk).await.unwrap_err();
            assert!(error.to_string().contains(&format!("`{table}` is missing")), "{error}");
        }
        let error = world::writer(&disk).await.err().expect("an empty table is no table");
        assert!(matches!(error, Error::Torn { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_commit_that_was_cut_short_is_told_wherever_the_cut_is() {
    let lake = lake().await;
    for (table, version) in [("events", 4), ("events", 2), ("objects", 4), ("variants", 3)] {
        let path = commit_path(table, version);
        let whole = lake.bytes(&path).await;
        let lines = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let mut cuts: Vec<usize> = lines.flat_map(|(at, _)| [at, at + 1]).collect();
        cuts.extend((0..whole.len()).step_by(97));
        for cut in cuts {
            let disk = lake.fork();
            disk.put(&path, whole[..cut].to_vec()).await;
            if cut + 1 >= whole.len() {
                check_whole(&disk).await; // nothing is lost but the last line's end
            } else {
                check_refused(&disk, &[&path, "damaged"]).await;
            }
        }
    }
}

#[tokio::test]
async fn a_commit_of_somebody_else_is_told() {
    let (ours, other) = (lake().await, lake().await);
    let theirs = other.bytes(&commit_path("events", 4)).await;
    let spark = br#"{"commitInfo":{"timestamp":1700000000000,"operation":"DELETE"}}
{"remove":{"path":"x","deletionTimestamp":1,"dataChange":true}}
"#;
    for bytes in [theirs, spark.to_vec()] {
        for version in [2, 5] {
            let disk = ours.fork();
            let path = commit_path("events", version);
            disk.put(&path, bytes.clone()).await;
            check_refused(&disk, &[&path, "no commit of this store"]).await;
        }
    }
}

#[tokio::test]
async fn a_writer_that_lives_on_tells_it_too() {
    for foreign in [false, true] {
        let disk = lake().await;
        let (ann, bob) = (world::writer(&disk).await.unwrap(), world::writer(&disk).await.unwrap());
        commit(&bob, &objects("b", 50, 1, 3), 8).await.unwrap();
        let path = commit_path("events", 5);
        let bytes = disk.bytes(&path).await;
        match foreign {
            true => disk.put(&path, "{\"commitInfo\":{\"operation\":\"WRITE\"}}\n").await,
            false => disk.put(&path, bytes[..bytes.len() / 2].to_vec()).await,
        }
        let error = commit(&ann, &objects("a", 60, 1, 3), 9).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains(&path), "{error}");
        assert!(!disk.holds(&commit_path("events", 6)).await);
    }
}

#[tokio::test]
async fn files_that_are_no_commits_are_passed_over() {
    let disk = lake().await;
    for table in TABLES {
        for name in [
            "notes.txt",
            ".DS_Store",
            "00000000000000000004.json.bak",
            "00000000000000000005.json.tmp",
            "00000000000000000007.txt",
            "5.json",
            "folder/00000000000000000005.json",
        ] {
            disk.put(&format!("stores/default/{table}/_delta_log/{name}"), "{\"add\":1}").await;
        }
    }
    disk.put("stores/default/rounds/notes.txt", "mine").await;
    disk.put("stores/readme.txt", "mine").await;
    check_whole(&disk).await;
    let more = objects("more", 90, 1, 2);
    let writer = world::writer(&disk).await.unwrap();
    assert_eq!(commit(&writer, &more, 9).await.unwrap().token, 5);
    let rounds = rounds();
    let objects = rounds.iter().flatten().chain(&more).collect::<Vec<_>>();
    check_snapshot(&read(&disk).await, &objects).await;
}

#[tokio::test]
async fn a_checkpoint_that_is_not_there_is_told_and_a_name_that_cannot_be_read_is_not_needed() {
    let lake = lake().await;
    let path = "stores/default/events/_delta_log/_last_checkpoint";
    for garbage in ["", "{", "[]", "{\"version\":\"x\"}"] {
        let disk = lake.fork();
        disk.put(path, garbage).await;
        check_whole(&disk).await;
        let writer = world::writer(&disk).await.unwrap();
        commit(&writer, &objects("more", 90, 1, 2), 9).await.unwrap();
    }
    let disk = lake.fork();
    let writer = world::writer(&disk).await.unwrap();
    disk.put(path, "{\"version\":99,\"size\":1}").await;
    check_refused(&disk, &["events", "it ends at version 4, its checkpoint is of 99"]).await;
    let error = commit(&writer, &objects("more", 90, 1, 2), 9).await.unwrap_err();
    assert!(error.to_string().contains("it ends at version 4"), "{error}");
}

#[tokio::test]
async fn a_store_that_lost_its_file_is_the_same_store_again() {
    let disk = lake().await;
    let before = world::writer(&disk).await.unwrap().info().clone();
    disk.delete("stores/default/store.json").await;
    assert!(matches!(try_read(&disk).await, Err(Error::NoStore { .. })));
    let writer = world::writer(&disk).await.unwrap();
    assert_eq!((&writer.info().id, &writer.info().arn), (&before.id, &before.arn));
    check_whole(&disk).await;
    let rounds = rounds();
    assert_eq!(commit(&writer, &rounds[0], 9).await.unwrap().known, [0]);
}

#[tokio::test]
async fn a_backup_of_an_hour_ago_is_ingested_into_like_any_lake() {
    let disk = lake().await;
    let backup = disk.fork();
    let (lost, rounds) = (objects("lost", 70, 3, 3), rounds());
    let writer = world::writer(&disk).await.unwrap();
    for (n, object) in (5..).zip(&lost) {
        commit(&writer, std::slice::from_ref(object), n).await.unwrap();
    }
    // Restored beside what was written since, as a copy over the lake leaves it: data files and
    // manifests of rounds that the logs do not know.
    for path in disk.paths("stores").await {
        if !path.contains("_delta_log") && !backup.holds(&path).await {
            backup.put(&path, disk.bytes(&path).await).await;
        }
    }
    check_whole(&backup).await;
    let all: Vec<&Object> = rounds.iter().flatten().chain(&lost).collect();
    let again: Vec<Object> = all.iter().map(|object| (*object).clone()).collect();
    let writer = world::writer(&backup).await.unwrap();
    let receipt = commit(&writer, &again, 99).await.unwrap();
    assert_eq!((receipt.token, receipt.known.len()), (5, 4));
    assert_eq!(check_truth(&backup, &all).await, 5);
}

#[tokio::test]
async fn a_lake_that_lost_its_file_is_no_empty_place() {
    let disk = lake().await;
    disk.delete("traillake.json").await;
    for opened in [
        Lake::open_with(&disk.location, disk.options.clone()).await,
        Lake::open_or_create_with(&disk.location, disk.options.clone()).await,
    ] {
        assert!(matches!(opened.err(), Some(Error::NotALake { .. })));
    }
}

/// A fifth round, as the disk was after each of its changes. It is one run: another would draw other
/// ids for the same objects.
async fn moments_of_a_round() -> Vec<Disk> {
    let lake = lake().await;
    let done = lake.fork();
    let faults = Arc::new(Faults::none(Counted::Changes));
    let behind = faults.clone();
    let traced = done.wrapped(Arc::new(move |inner| behind.wrap(inner)));
    let writer = world::writer(&traced).await.unwrap();
    commit(&writer, &fifth_round(), 5).await.unwrap();

    let mut moments = vec![lake.fork()];
    let disk = lake;
    for step in faults.trace() {
        let (verb, path) = step.split_once(' ').unwrap();
        match (done.holds(path).await, disk.holds(path).await) {
            (true, _) => disk.put(path, done.bytes(path).await).await,
            (false, true) if verb == "delete" => disk.delete(path).await,
            (false, _) => continue,
        }
        if !path.ends_with(".parquet") {
            moments.push(disk.fork());
        }
    }
    moments
}

fn fifth_round() -> Vec<Object> {
    let mut records = rounds()[3][0].records.clone();
    records.push(record("1", 0, "a fifth value"));
    records.push(record("fifth", 3, "own"));
    vec![object("fifth", records)]
}

/// The folders of a store up to `split` as in one lake, the others as in another.
async fn torn_copy(up_to: &Disk, from: &Disk, split: &str) -> Disk {
    let copy = Disk::memory();
    for (lake, up_to) in [(up_to, true), (from, false)] {
        for path in lake.paths("stores/default").await {
            let folder = path.split('/').nth(2).unwrap();
            if (folder < split) == up_to {
                copy.put(&path, lake.bytes(&path).await).await;
            }
        }
    }
    copy.put("traillake.json", from.bytes("traillake.json").await).await;
    copy
}

/// A reader and a writer take a copy for what it is.
async fn check_copy(copy: &Disk, before: &[&Object], after: &[&Object]) -> bool {
    match try_read(copy).await {
        Ok(snapshot) if snapshot.token == 4 => drop(check_snapshot(&snapshot, before).await),
        Ok(snapshot) => drop(check_snapshot(&snapshot, after).await),
        Err(error) => assert!(matches!(error, Error::Torn { .. }), "{error}"),
    }
    match world::writer(copy).await {
        Ok(writer) => {
            commit(&writer, &fifth_round(), 6).await.unwrap();
            assert_eq!(check_truth(copy, after).await, 5);
            true
        }
        Err(error) => {
            assert!(matches!(error, Error::Torn { .. }), "{error}");
            false
        }
    }
}

#[tokio::test]
async fn a_copy_made_during_a_round_is_whole_or_refused() {
    let moments = moments_of_a_round().await;
    assert!(moments.len() > 7, "{} moments", moments.len());
    let (before, fifth) = (rounds(), fifth_round());
    let before: Vec<&Object> = before.iter().flatten().collect();
    let after: Vec<&Object> = before.iter().copied().chain(&fifth).collect();
    let (mut whole, mut refused) = (0, 0);
    for (at, early) in moments.iter().enumerate() {
        for (later, late) in moments[at..].iter().enumerate() {
            let split = ["extras", "objects", "rounds", "variants"][(at + later) % 4];
            // In the order of names, and against it.
            for (up_to, from) in [(early, late), (late, early)] {
                match check_copy(&torn_copy(up_to, from, split).await, &before, &after).await {
                    true => whole += 1,
                    false => refused += 1,
                }
            }
        }
    }
    assert!(whole > 0 && refused > 0, "{whole} whole, {refused} refused");
}

#[tokio::test]
async fn an_emptied_folder_of_manifests_matters_only_to_a_round_under_way() {
    let moments = moments_of_a_round().await;
    let (before, fifth) = (rounds(), fifth_round());
    let before: Vec<&Object> = before.iter().flatten().collect();
    let after: Vec<&Object> = before.iter().copied().chain(&fifth).collect();
    let mut refused = 0;
    for moment in moments {
        for path in moment.paths("stores/default/rounds").await {
            moment.delete(&path).await;
        }
        let unfinished =
            moment.holds(&commit_path("events", 5)).await && read(&moment).await.token == 4;
        match world::writer(&moment).await {
            Ok(writer) => {
                assert!(!unfinished);
                commit(&writer, &fifth, 6).await.unwrap();
                check_truth(&moment, &after).await;
            }
            Err(error) => {
                assert!(unfinished && matches!(error, Error::Torn { .. }), "{error}");
                check_snapshot(&read(&moment).await, &before).await;
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
}
