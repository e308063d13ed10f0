//! A writer that goes on: after an error, with the same objects again, or after a long sleep.

use std::sync::Arc;

use chrono::TimeDelta;
use traillake_store::{Error, RoundInput};
use traillake_testkit::faults::{Counted, Faults, Reply, Trouble};

use crate::upkeep::{behind, lake_of, later, of, rounds, upkeep};
use crate::world::{self, Disk, Object, Words, at, check_truth, commit, object, read, record};

/// A laptop that was closed for a week: what its ingest saw is replaced and removed.
#[tokio::test]
async fn a_writer_that_slept_through_a_vacuum_goes_on_with_the_state_of_now() {
    let rounds = rounds(12);
    let (disk, asleep) = lake_of(&rounds[..10]).await;
    let asked = world::writer(&disk).await.unwrap();
    let planned_at = Some(asleep.token());
    let writer = world::writer(&disk).await.unwrap();
    commit(&writer, &rounds[10], 50).await.unwrap();
    upkeep(&writer, later()).await.unwrap();
    let report = upkeep(&writer, later() + TimeDelta::days(10)).await.unwrap();
    assert!(report.tables[0].files_removed > 9, "{report:?}");
    let known = asked.known(Some("2023-11"), &["object 003", "object 010"]).await.unwrap();
    assert!(known.len() == 2 && known.iter().all(Option::is_some), "{known:?}");
    // One round of its own beside one that somebody else has brought meanwhile.
    let both: Vec<Object> = rounds[10..].iter().flatten().cloned().collect();
    let input = RoundInput { planned_at, ..world::round(&both) };
    let receipt = asleep.commit_round(input, &Words, at(60)).await.unwrap();
    assert_eq!(receipt.known.len(), rounds[10].len());
    assert_eq!(check_truth(&disk, &of(&rounds)).await, 12);
}

/// A file of the ledger that is lost is told of: it is not taken for one that upkeep has replaced, for
/// which the state of now is looked at again and again while others go on.
#[tokio::test]
async fn a_lost_file_of_the_ledger_is_told_and_not_looked_for_for_ever() {
    let (lake, _) = lake_of(&rounds(6)).await;
    let writer = world::writer(&lake).await.unwrap();
    let ledger = read(&lake).await.table("objects").unwrap().files().await.unwrap();
    for file in ledger.iter() {
        lake.delete(file.path.as_ref()).await;
    }
    let error = writer.known(Some("2023-11"), &["object 000"]).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}

/// Whoever brings the same in again, after an error and with the same writer, doubles nothing.
#[tokio::test]
async fn a_round_that_is_tried_again_by_its_writer_is_committed_once() {
    let rounds = rounds(3);
    let (lake, _) = lake_of(&rounds[..2]).await;
    let plain = Arc::new(Faults::none(Counted::Changes));
    let writer = world::writer(&behind(&lake.fork(), &plain)).await.unwrap();
    commit(&writer, &rounds[2], 9).await.unwrap();
    let mut heard = 0;
    for (step, applied) in (0..plain.trace().len()).flat_map(|step| [(step, false), (step, true)]) {
        let why = format!("applied {applied} at `{}`", plain.trace()[step]);
        // As many as one commit is tried.
        let fail = |faults: Faults, step: usize| {
            faults.with(step as u64, Trouble::Fail { reply: Reply::Busy, applied })
        };
        let faults = (step..step + 3).fold(Faults::none(Counted::Changes), fail);
        let disk = lake.fork();
        let writer = world::writer(&behind(&disk, &Arc::new(faults))).await.unwrap();
        let planned_at = Some(writer.token());
        let input = || RoundInput { planned_at, ..world::round(&rounds[2]) };
        let mut tries = 1;
        while let Err(error) = writer.commit_round(input(), &Words, at(9)).await {
            assert!(tries < 4, "{why}: {error}");
            tries += 1;
        }
        heard += tries - 1;
        assert_eq!(check_truth(&disk, &of(&rounds)).await, 3, "{why}");
    }
    assert!(heard > plain.trace().len(), "{heard} errors");
}

/// A writer that could not look at what it has committed knows of it all the same.
#[tokio::test]
async fn a_failure_anywhere_between_two_rounds_of_a_writer_doubles_nothing() {
    let before = rounds(2);
    let (lake, _) = lake_of(&before).await;
    // Two objects of one event, of which the lake has none yet.
    let pair = ["left", "right"].map(|key| vec![object(key, vec![record("same", 2, "same")])]);
    let all: Vec<&Object> = before.iter().chain(&pair).flatten().collect();
    let both = async |disk: &Disk, faults: &Arc<Faults>| {
        let writer = world::writer(&behind(disk, faults)).await.unwrap();
        let planned_at = Some(writer.token());
        for round in &pair {
            let input = || RoundInput { planned_at, ..world::round(round) };
            while writer.commit_round(input(), &Words, at(9)).await.is_err() {}
        }
    };
    let plain = Arc::new(Faults::none(Counted::All));
    world::writer(&behind(&lake.fork(), &plain)).await.unwrap();
    let opened = plain.trace().len();
    let plain = Arc::new(Faults::none(Counted::All));
    both(&lake.fork(), &plain).await;
    for step in opened..plain.trace().len() {
        let trouble = Trouble::Fail { reply: Reply::Busy, applied: true };
        let faults = Faults::none(Counted::All).with(step as u64, trouble);
        let disk = lake.fork();
        both(&disk, &Arc::new(faults)).await;
        let seen = check_truth(&disk, &all).await;
        assert_eq!(seen, 4, "failed at `{}`", plain.trace()[step]);
    }
}
