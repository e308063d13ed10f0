//! A process that dies, or whose storage fails, at every step there is.

use std::sync::{Arc, Mutex};

use traillake_store::{Result, Step, StoreWriter};
use traillake_testkit::faults::{Counted, Faults, Outcome, Reply, Stops, Trouble};

use crate::world::{self, Disk, Object, check_truth, commit, object, objects, read, record};

/// Two rounds: one that stands, one that meets the fault. They share identities, spellings,
/// variants, and the second has a reject.
fn two_rounds() -> (Vec<Object>, Vec<Object>) {
    let first = objects("first", 0, 2, 3);
    let mut second = objects("second", 3, 2, 3);
    second.push(object(
        "second/odd",
        vec![record("id-00000", 0, "V0"), record("id-00001", 1, "other"), record("x", 0, "!x")],
    ));
    (first, second)
}

fn behind(disk: &Disk, faults: &Arc<Faults>) -> Disk {
    let faults = faults.clone();
    disk.wrapped(Arc::new(move |objects| faults.wrap(objects)))
}

/// A lake in which the first round stands; to be forked, one for each fault.
async fn lake_with_first_round() -> Disk {
    let disk = Disk::memory();
    let writer = world::writer(&disk).await.unwrap();
    commit(&writer, &two_rounds().0, 1).await.unwrap();
    disk
}

/// Opens and commits the second round, which may die at any point.
async fn second_round(disk: &Disk) -> Result<StoreWriter> {
    let writer = world::writer(disk).await?;
    commit(&writer, &two_rounds().1, 2).await?;
    Ok(writer)
}

/// Whoever comes next: a reader sees the round whole or not at all; a writer completes it or does
/// it again; then exactly the truth stands.
async fn check_aftermath(disk: &Disk) {
    let (first, second) = two_rounds();
    let all: Vec<&Object> = first.iter().chain(&second).collect();
    match read(disk).await.token {
        1 => check_truth(disk, &first.iter().collect::<Vec<_>>()).await,
        _ => check_truth(disk, &all).await,
    };
    second_round(disk).await.unwrap();
    assert_eq!(check_truth(disk, &all).await, 2);
}

#[tokio::test]
async fn a_round_stopped_at_every_step_is_whole_or_never_happened() {
    let mut plans = 0;
    let lake = lake_with_first_round().await;
    for outcome in [Outcome::Applied, Outcome::NotApplied, Outcome::AppliedUnheard] {
        for faults in Stops::new(Counted::Changes, outcome) {
            let disk = lake.fork();
            if second_round(&behind(&disk, &faults)).await.is_ok() {
                assert_eq!(read(&disk).await.token, 2, "what is acknowledged is there");
            }
            check_aftermath(&disk).await;
            plans += 1;
        }
    }
    assert!(plans > 3 * 8, "a round has more steps than that");
}

#[tokio::test]
async fn a_reader_or_a_planner_that_dies_changes_nothing() {
    let lake = lake_with_first_round().await;
    for step in (0..).step_by(4) {
        let faults = Arc::new(Faults::stop_at(step, Counted::All, Outcome::NotApplied));
        let disk = lake.fork();
        let _ = second_round(&behind(&disk, &faults)).await;
        check_aftermath(&disk).await;
        if !faults.stopped() {
            break;
        }
    }
}

#[tokio::test]
async fn creating_a_lake_stopped_at_every_step_is_completed_by_the_next() {
    for outcome in [Outcome::Applied, Outcome::NotApplied, Outcome::AppliedUnheard] {
        for faults in Stops::new(Counted::Changes, outcome) {
            let disk = Disk::memory();
            let _ = world::writer(&behind(&disk, &faults)).await;
            let writer = world::writer(&disk).await.unwrap();
            let (first, _) = two_rounds();
            commit(&writer, &first, 1).await.unwrap();
            assert_eq!(check_truth(&disk, &first.iter().collect::<Vec<_>>()).await, 1);
        }
    }
}

#[tokio::test]
async fn a_recovery_stopped_at_every_step_is_completed_by_the_next() {
    let mut recoveries = 0;
    let lake = lake_with_first_round().await;
    for first_stop in Stops::new(Counted::Changes, Outcome::Applied) {
        let unfinished = lake.fork();
        let _ = second_round(&behind(&unfinished, &first_stop)).await;
        if !is_unfinished(&unfinished).await {
            continue;
        }
        for outcome in [Outcome::Applied, Outcome::NotApplied, Outcome::AppliedUnheard] {
            for second_stop in Stops::new(Counted::Changes, outcome) {
                let disk = unfinished.fork();
                let recovered = world::writer(&behind(&disk, &second_stop)).await;
                recoveries += usize::from(second_stop.steps() > 0);
                drop(recovered);
                check_aftermath(&disk).await;
            }
        }
    }
    assert!(recoveries > 20, "{recoveries} recoveries");
}

/// Whether the main table shows the second round and the ledger does not.
async fn is_unfinished(disk: &Disk) -> bool {
    disk.holds("stores/default/events/_delta_log/00000000000000000002.json").await
        && read(disk).await.token == 1
}

#[tokio::test]
async fn an_error_is_never_taken_at_its_word() {
    let answers = [
        (Reply::Exists, true),
        (Reply::Precondition, true),
        (Reply::Busy, true),
        (Reply::Busy, false),
        (Reply::Full, false),
    ];
    let mut whole = 0;
    let lake = lake_with_first_round().await;
    for (reply, applied) in answers {
        for step in 0.. {
            let disk = lake.fork();
            let trouble = Trouble::Fail { reply, applied };
            let faults = Arc::new(Faults::none(Counted::Changes).with(step, trouble));
            let ended = second_round(&behind(&disk, &faults)).await;
            let path = faults.trace().get(step as usize).cloned();
            if applied && path.as_deref().is_some_and(|path| path.contains("_delta_log")) {
                // A commit that was applied is a commit, whatever the answer said.
                assert!(ended.is_ok(), "{reply:?} at {path:?}");
                whole += 1;
            }
            check_aftermath(&disk).await;
            if path.is_none() {
                break;
            }
        }
    }
    assert!(whole >= 3 * 5, "each of five tables has a commit: {whole}");
}

#[tokio::test]
async fn a_disk_that_is_full_is_named_and_the_next_run_completes() {
    let lake = lake_with_first_round().await;
    let mut named = 0;
    for step in 0.. {
        let disk = lake.fork();
        let faults = Arc::new(Faults::none(Counted::Changes).with(step, Trouble::Fill));
        let ended = second_round(&behind(&disk, &faults)).await;
        let Some(path) = faults.trace().get(step as usize).cloned() else { break };
        match ended {
            Ok(_) => assert!(path.starts_with("delete"), "{path} cannot have been done"),
            Err(error) => {
                let (_, path) = path.split_once(' ').unwrap();
                assert!(error.to_string().contains(path), "`{error}` does not name `{path}`");
                let why = std::error::Error::source(&error).unwrap().to_string();
                assert!(why.contains("no storage space"), "{why}");
                assert!(error.hint().unwrap().contains("space"));
                named += 1;
            }
        }
        check_aftermath(&disk).await;
    }
    assert!(named > 10, "{named} places");
}

#[tokio::test]
async fn a_storage_that_fails_often_loses_and_doubles_nothing() {
    let (first, second) = two_rounds();
    let all: Vec<&Object> = first.iter().chain(&second).collect();
    for seed in 0..40 {
        let disk = Disk::memory();
        let faults = Faults::none(Counted::Changes).with_random_failures(seed, 0.15);
        let faulty = behind(&disk, &Arc::new(faults));
        for _ in 0..200 {
            let Ok(writer) = world::writer(&faulty).await else { continue };
            if commit(&writer, &first, 1).await.is_ok() && commit(&writer, &second, 2).await.is_ok()
            {
                break;
            }
        }
        assert!(check_truth(&disk, &all).await >= 2, "seed {seed}");
    }
}

#[tokio::test]
async fn every_step_of_a_round_and_of_recovery_has_a_name() {
    let disk = lake_with_first_round().await;
    let names = Arc::new(Mutex::new(Vec::new()));
    let mut watched = disk.clone();
    let note = names.clone();
    watched.options.steps =
        Some(Arc::new(move |step: &Step| note.lock().unwrap().push(step.to_string())));
    // Dies at what follows the commit of the main table, then somebody recovers.
    let stop = Faults::none(Counted::Changes);
    let plain = Arc::new(stop);
    second_round(&behind(&lake_with_first_round().await, &plain)).await.unwrap();
    let main = plain
        .trace()
        .iter()
        .position(|step| step.contains("events/_delta_log/00000000000000000002"))
        .unwrap();
    let next = main as u64 + 1;
    let stop = Arc::new(Faults::stop_at(next, Counted::Changes, Outcome::NotApplied));
    let _ = second_round(&behind(&watched, &stop)).await;
    let tables = ["notes", "variants", "rejects", "objects"];
    let mut expected = vec!["data-written".to_string(), "manifest-written".to_string()];
    expected.push("commit-events:before".to_string());
    expected.push("commit-events:after".to_string());
    expected.push("commit-notes:before".to_string());
    assert_eq!(std::mem::take(&mut *names.lock().unwrap()), expected);
    world::writer(&watched).await.unwrap();
    let mut expected = vec!["recover:begin".to_string()];
    for table in tables {
        expected.push(format!("recover:commit-{table}:before"));
        expected.push(format!("recover:commit-{table}:after"));
    }
    expected.push("recover:end".to_string());
    assert_eq!(*names.lock().unwrap(), expected);
}
