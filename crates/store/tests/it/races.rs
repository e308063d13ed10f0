//! Several writers at once: as tasks, and interleaved call by call.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use traillake_store::{ObjectState, Result, StoreWriter};
use traillake_testkit::faults::{Counted, Faults, Reply, Trouble};
use traillake_testkit::random::Random;

use crate::meanwhile::Meanwhile;
use crate::turns::Turns;
use crate::upkeep::behind;
use crate::world::{self, Disk, Object, check_truth, commit, object, objects, read, record};

/// Commits rounds of these objects in an order of its own; returns how often it was rebased.
async fn ingest(writer: StoreWriter, mut rounds: Vec<Vec<Object>>, seed: u64) -> Result<u32> {
    let mut random = Random::new(seed);
    let mut rebased = 0;
    while !rounds.is_empty() {
        let next = random.below(rounds.len() as u64) as usize;
        rebased += commit(&writer, &rounds.swap_remove(next), 5).await?.rebased;
    }
    Ok(rebased)
}

/// Rounds that overlap in every way: same objects, same bytes under other keys, same records in
/// other objects, other spellings, other values.
fn rounds_of(who: &str) -> Vec<Vec<Object>> {
    let shared = objects("shared", 0, 4, 3);
    let copies: Vec<Object> = objects("own", 100, 3, 2)
        .into_iter()
        .map(|object| Object { key: format!("{who}/{}", object.key), ..object })
        .collect();
    let mixed = vec![
        object(&format!("{who}/mixed"), vec![record("m", 0, who), record("id-00001", 1, "v1")]),
        object(&format!("{who}/again"), vec![record("m", 0, &who.to_uppercase())]),
    ];
    vec![shared[..2].to_vec(), shared[2..].to_vec(), copies, mixed]
}

async fn check_race(disk: &Disk, who: &[&str]) {
    let mut all: Vec<Object> = who.iter().flat_map(|who| rounds_of(who)).flatten().collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all.dedup_by(|a, b| a.key == b.key);
    check_truth(disk, &all.iter().collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ingesters_at_once_bring_everything_in_exactly_once() {
    let mut rebased = 0;
    for seed in 0..12 {
        let disk = Disk::memory();
        let who = ["ann", "bob", "eve"];
        let mut tasks = Vec::new();
        for (n, name) in (0u64..).zip(who) {
            let delays =
                Faults::none(Counted::All).with_delays(seed * 3 + n, Duration::from_micros(300));
            let faults = Arc::new(delays);
            let disk = disk.wrapped(Arc::new(move |objects| faults.wrap(objects)));
            tasks.push(tokio::spawn(async move {
                let writer = world::writer(&disk).await?;
                ingest(writer, rounds_of(name), seed + n).await
            }));
        }
        for task in tasks {
            rebased += task.await.unwrap().unwrap();
        }
        check_race(&disk, &who).await;
    }
    assert!(rebased > 0, "no race was lost");
}

#[tokio::test]
async fn two_ingesters_interleaved_call_by_call() {
    let mut rebased = 0;
    for seed in 0..40 {
        let disk = Disk::memory();
        world::writer(&disk).await.unwrap();
        let turns = Turns::new(seed, 2);
        let run = |who: &'static str, number: usize| {
            let (turns, disk) = (turns.clone(), disk.clone());
            async move {
                let behind = turns.clone();
                let disk = disk.wrapped(Arc::new(move |inner| behind.wrap(number, inner)));
                let rounds = rounds_of(who);
                let result = match world::writer(&disk).await {
                    Ok(writer) => ingest(writer, rounds, seed + number as u64).await,
                    Err(error) => Err(error),
                };
                turns.leave(number);
                result
            }
        };
        let (a, b) = tokio::join!(run("ann", 0), run("bob", 1));
        rebased += a.unwrap() + b.unwrap();
        check_race(&disk, &["ann", "bob"]).await;
    }
    assert!(rebased > 20, "{rebased} races were lost");
}

#[tokio::test]
async fn a_loser_gives_way_and_keeps_what_is_its_own() {
    let disk = Disk::memory();
    let (ann, bob) = (world::writer(&disk).await.unwrap(), world::writer(&disk).await.unwrap());
    let a = object("a", vec![record("1", 0, "one"), record("2", 0, "two")]);
    let copy = Object { key: "copy".to_string(), ..a.clone() };
    let b = object("b", vec![record("1", 0, "uno"), record("2", 0, "two"), record("3", 0, "drei")]);
    commit(&ann, std::slice::from_ref(&a), 1).await.unwrap();
    // Bob has not seen Ann's round.
    assert_eq!(bob.token(), 0);
    let mut input = world::round(&[a.clone(), copy.clone(), b.clone()]);
    input.planned_at = Some(0);
    let receipt = bob.commit_round(input, &world::Words, world::at(2)).await.unwrap();
    assert_eq!((receipt.token, receipt.rebased), (2, 1));
    assert_eq!(receipt.known, [0]);
    assert_eq!(receipt.objects[0].state, ObjectState::Copy);
    let counts = receipt.objects[1].counts;
    assert_eq!((counts.stored, counts.duplicates, counts.variants), (1, 1, 1));
    assert_eq!(check_truth(&disk, &[&a, &copy, &b]).await, 2);
}

#[tokio::test]
async fn a_rebase_writes_again_only_what_changed() {
    let disk = Disk::memory();
    let (ann, bob) = (world::writer(&disk).await.unwrap(), world::writer(&disk).await.unwrap());
    let far = object("far", vec![record("1", 200, "far away")]);
    let near = object("near", vec![record("2", 0, "here")]);
    commit(&ann, std::slice::from_ref(&far), 1).await.unwrap();
    let mut input = world::round(std::slice::from_ref(&near));
    input.planned_at = Some(0);
    let receipt = bob.commit_round(input, &world::Words, world::at(2)).await.unwrap();
    assert_eq!((receipt.token, receipt.rebased), (2, 1));
    check_truth(&disk, &[&far, &near]).await;
    // One file of events and one of notes; of the ledger one for each attempt, as it names the round.
    let snapshot = read(&disk).await;
    let mut sizes = 0;
    for (table, times) in [("events", 1), ("notes", 1), ("objects", 2)] {
        let files = snapshot.table(table).unwrap().files().await.unwrap();
        let added = files
            .iter()
            .filter(|file| table != "events" || file.partition.as_deref() == Some("2023-11"));
        sizes += added.map(|file| file.size).max().unwrap() * times;
    }
    assert!(receipt.bytes_written <= sizes + 64, "{} of {sizes}", receipt.bytes_written);
}

#[tokio::test]
async fn a_look_up_that_nobody_polls_any_more_holds_up_no_round() {
    for polls in 0..12 {
        let disk = Disk::memory();
        let first = objects("a", 0, 3, 4);
        commit(&world::writer(&disk).await.unwrap(), &first, 1).await.unwrap();
        // Opened anew, so that no list of files is made yet.
        let writer = world::writer(&disk).await.unwrap();
        let snapshot = writer.snapshot();
        let tables = snapshot.tables().iter();
        let mut lists: Vec<_> = tables.map(|table| Box::pin(table.files().fuse())).collect();
        let mut look_up = Box::pin(writer.find_inflated(&[[7; 32]]).fuse());
        for _ in 0..polls {
            for list in &mut lists {
                let _ = futures::poll!(list);
            }
            let _ = futures::poll!(&mut look_up);
            tokio::task::yield_now().await;
        }
        // They stand where they stand, like a stage of a pipeline whose sink waits for the commit.
        let more = objects("b", 8, 2, 6);
        let committed = tokio::time::timeout(Duration::from_secs(60), commit(&writer, &more, 2));
        committed.await.expect("the round waits for ever").unwrap();
        let all: Vec<&Object> = first.iter().chain(&more).collect();
        assert_eq!(check_truth(&disk, &all).await, 2);
        drop((lists, look_up));
    }
}

/// Removes the commits behind the newest checkpoint of each table, as clean-up of a log does;
/// returns how many.
async fn clean_up(disk: &Disk) -> usize {
    let mut removed = 0;
    for table in ["events", "extras", "notes", "variants", "rejects", "objects"] {
        let log = format!("stores/default/{table}/_delta_log");
        let names = disk.paths(&log).await;
        let checkpoint = names.iter().rev().find(|name| name.ends_with(".checkpoint.parquet"));
        let Some(checkpoint) = checkpoint else { continue };
        let behind = names.iter().filter(|name| name.ends_with(".json"));
        for name in behind.filter(|name| name[..log.len() + 21] < checkpoint[..log.len() + 21]) {
            disk.delete(name).await;
            removed += 1;
        }
    }
    removed
}

#[tokio::test]
async fn who_slept_while_the_log_was_cleaned_up_never_commits_into_the_past() {
    let disk = Disk::memory();
    let ann = world::writer(&disk).await.unwrap();
    let mut all = objects("a", 0, 102, 2);
    commit(&ann, &all[..1], 1).await.unwrap();
    // Three who see the first round, and nothing of what comes then.
    let bob = world::writer(&disk).await.unwrap();
    let eve = world::writer(&disk).await.unwrap();
    let (young, early, now) = (disk.fork(), eve.snapshot(), read(&disk).await);
    // They have planned something: a list that was never made cannot be once commits are gone.
    for snapshot in [&*bob.snapshot(), &*early, &now] {
        for table in snapshot.tables() {
            table.files().await.unwrap();
        }
    }
    for (n, object) in (2..).zip(&all[1..]) {
        commit(&ann, std::slice::from_ref(object), n).await.unwrap();
    }
    assert!(clean_up(&disk).await > 3 * 90);
    let gone = world::commit_path("events", 2);
    assert!(!disk.holds(&gone).await, "the next name is free");
    let more = objects("b", 3, 2, 110);
    let mut input = world::round(&more);
    input.planned_at = Some(bob.token());
    let receipt = bob.commit_round(input, &world::Words, world::at(120)).await.unwrap();
    assert_eq!((receipt.token, receipt.rebased), (103, 1));
    all.extend(more);
    let seen: Vec<&Object> = all.iter().collect();
    assert_eq!(check_truth(&disk, &seen).await, 103);
    // So with a rewrite that was planned then.
    let events = early.table("events").unwrap();
    let inputs: Vec<_> = events.files().await.unwrap().iter().map(|f| f.path.clone()).collect();
    let rows = world::table_rows(events).await;
    eve.rewrite(events, &inputs, rows, world::at(130)).await.unwrap();
    assert_eq!(check_truth(&disk, &seen).await, 103);
    assert!(!disk.holds(&gone).await, "nobody put it again");
    // What was listed then still stands there, for whoever reads that state.
    assert_eq!(world::check_snapshot(&now, &seen[..1]).await, 1);
    who_sleeps_while_a_commit_is_put(&young, &disk, &seen).await;
}

/// Between looking whether a commit can follow and putting it, `young` becomes `old`, whose log was
/// cleaned up: the name is free, and nobody would ever see the commit.
async fn who_sleeps_while_a_commit_is_put(young: &Disk, old: &Disk, seen: &[&Object]) {
    let late = objects("late", 7, 1, 3);
    let put = format!("put {}", world::commit_path("events", 2));
    let plain = Meanwhile::nothing();
    let writer = world::writer(&plain.on(&young.fork())).await.unwrap();
    list_files(&writer).await;
    commit(&writer, &late, 140).await.unwrap();
    let call = plain.calls().iter().position(|call| *call == put).unwrap();
    let changes = Arc::new(Faults::none(Counted::Changes));
    let writer = world::writer(&behind(&young.fork(), &changes)).await.unwrap();
    commit(&writer, &late, 140).await.unwrap();
    let change = changes.trace().iter().position(|step| *step == put).unwrap() as u64;
    // While the first attempt is put, and after it has failed.
    for failed in [false, true] {
        let disk = young.fork();
        let (to, of) = (disk.clone(), old.clone());
        let meanwhile = Meanwhile::before(call + usize::from(failed), move || async move {
            become_as(&to, &of).await;
        });
        let mut faults = Faults::none(Counted::Changes);
        if failed {
            faults = faults.with(change, Trouble::Fail { reply: Reply::Busy, applied: false });
        }
        let inner = behind(&disk, &Arc::new(faults));
        let writer = world::writer(&meanwhile.on(&inner)).await.unwrap();
        list_files(&writer).await;
        let receipt = commit(&writer, &late, 140).await.unwrap();
        assert!(meanwhile.happened());
        assert_eq!((receipt.token, receipt.rebased), (104, 1), "failed: {failed}");
        assert!(!disk.holds(&world::commit_path("events", 2)).await, "failed: {failed}");
        let all: Vec<&Object> = seen.iter().copied().chain(&late).collect();
        assert_eq!(check_truth(&disk, &all).await, 104);
    }
}

/// Has the lists of live files made: they cannot be once commits are gone.
async fn list_files(writer: &StoreWriter) {
    for table in writer.snapshot().tables() {
        table.files().await.unwrap();
    }
}

/// Makes a disk hold what another does.
async fn become_as(disk: &Disk, other: &Disk) {
    for path in disk.paths("").await {
        if !other.holds(&path).await {
            disk.delete(&path).await;
        }
    }
    for path in other.paths("").await {
        disk.put(&path, other.bytes(&path).await).await;
    }
}

#[tokio::test]
async fn who_saw_more_than_a_restored_lake_holds_is_refused() {
    let disk = Disk::memory();
    let writer = world::writer(&disk).await.unwrap();
    let all = objects("a", 0, 3, 2);
    commit(&writer, &all[..1], 1).await.unwrap();
    let backup = disk.fork();
    commit(&writer, &all[1..2], 2).await.unwrap();
    // The backup comes back while the writer lives on.
    for path in disk.paths("stores").await {
        if !backup.holds(&path).await {
            disk.delete(&path).await;
        }
    }
    let mut input = world::round(&all[2..]);
    input.planned_at = Some(writer.token());
    let error = writer.commit_round(input, &world::Words, world::at(3)).await.unwrap_err();
    assert!(error.to_string().contains("version 2 was there and is gone"), "{error}");
    assert_eq!(check_truth(&disk, &[&all[0]]).await, 1);
    let again = world::writer(&disk).await.unwrap();
    commit(&again, &all, 4).await.unwrap();
    assert_eq!(check_truth(&disk, &all.iter().collect::<Vec<_>>()).await, 2);
}
