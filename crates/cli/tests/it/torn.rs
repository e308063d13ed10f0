//! A lake in a bucket whose answers break off or take long: what comes of it is the truth, or an
//! error that says what went wrong.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use traillake_testkit::s3::{Asked, Spoiled};

use crate::buckets::{World, check_truth};
use crate::folder::{BINARY, Ran};

const LAKE: &str = "s3://home/lake";
/// Whether the ledger and the tables tell the same, and how many events there are.
const SUMS: &str = "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM insights) \
                    = (SELECT sum(stored) FROM system.objects), \
                    (SELECT count(*) FROM events), (SELECT count(DISTINCT eventID) FROM events)";
/// The account whose events are in the lake before anything goes wrong.
const FIRST: &str = "111122223333";

/// Which requests an answer is spoiled of.
type Hit = fn(&Asked) -> bool;

/// A bucket with a lake of one account's events.
fn world() -> World {
    let world = World::new();
    world.run(&["--lake", LAKE, "ingest", "s3://trail", "--account", FIRST]).done();
    world
}

/// Breaks the first of `every` answers of the lake's bucket off after so many bytes, and lets the
/// second take long, of those to requests that `hit` tells. Returns a count of those that broke off.
fn tear(world: &World, hit: Hit, every: usize, bytes: usize) -> Arc<AtomicUsize> {
    let torn = Arc::new(AtomicUsize::new(0));
    let counted = torn.clone();
    let reads = AtomicUsize::new(0);
    world.s3.spoil(move |_, asked| {
        if !hit(asked) || !asked.path.starts_with("/home") {
            return None;
        }
        match reads.fetch_add(1, Ordering::Relaxed) % every {
            0 => {
                counted.fetch_add(1, Ordering::Relaxed);
                Some(Spoiled::BrokenOff(bytes))
            }
            1 => Some(Spoiled::Late(50)),
            _ => None,
        }
    });
    torn
}

/// Forgets what was kept of the lake here.
fn forget(world: &World) {
    let _ = std::fs::remove_dir_all(world.here.path("home/.cache"));
}

fn ask(world: &World) -> Ran {
    world.run(&["--lake", LAKE, "query", "--format", "csv", "--no-header", SUMS])
}

/// Returns what a run said, which did all or failed in words.
#[track_caller]
fn told(ran: Ran) -> Option<String> {
    assert!([0, 1, 2].contains(&ran.code), "{ran:?}");
    if ran.code == 0 {
        return Some(ran.stdout);
    }
    assert!(!ran.stderr.is_empty(), "it failed without a word: {ran:?}");
    assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("<?xml"), "{ran:?}");
    None
}

#[test]
fn a_question_to_a_lake_whose_answers_break_off_is_answered_truly_or_not_at_all() {
    let world = world();
    let expected = ask(&world).done().stdout;
    assert!(expected.starts_with("true,"), "{expected}");
    let mut answers = 0;
    for (every, bytes) in [(2, 0), (3, 100), (4, 2_000)] {
        let torn = tear(&world, |asked| asked.method == "GET", every, bytes);
        forget(&world);
        let ran = ask(&world);
        assert!(torn.load(Ordering::Relaxed) > 0, "nothing broke off");
        if let Some(answer) = told(ran) {
            assert_eq!(answer, expected, "every {every} after {bytes}");
            answers += 1;
        }
        // Nothing of what broke off was kept for whole.
        world.s3.heal();
        assert_eq!(ask(&world).done().stdout, expected, "every {every} after {bytes}");
    }
    assert!(answers > 0, "no answer was made of what broke off");
}

#[test]
fn logs_that_come_into_a_lake_whose_answers_break_off_are_there_once() {
    let world = world();
    let before = ask(&world).done().stdout;
    let count = |answer: &str| answer.trim().rsplit(',').next().unwrap().parse::<u64>().unwrap();
    // A listing that breaks off is not asked for again, and would end it before it begins.
    let torn = tear(&world, Asked::is_reading, 5, 100);
    let mut command = world.here.command(BINARY);
    world.set(command.args(["--lake", LAKE, "ingest", "s3://trail"]));
    let ingest = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for _ in 0..3 {
        forget(&world);
        if let Some(answer) = told(ask(&world)) {
            let fields: Vec<&str> = answer.trim().split(',').collect();
            assert_eq!((fields[0], fields[1]), ("true", fields[2]), "{answer}");
            assert!((count(&before)..=675).contains(&count(&answer)), "{answer}");
        }
    }
    told(Ran::of(&ingest.wait_with_output().unwrap()));
    assert!(torn.load(Ordering::Relaxed) > 0, "nothing broke off");
    world.s3.heal();
    world.run(&["--lake", LAKE, "ingest", "s3://trail"]).done();
    check_truth(&world, LAKE, "torn");
}
