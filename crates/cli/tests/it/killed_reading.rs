//! A run over a bucket that is killed while it reads, and the one after it: what is asked twice.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use traillake_testkit::random::Random;
use traillake_testkit::s3::{Asked, Spoiled};

use crate::buckets::World;
use crate::folder::{BINARY, event, log};
use crate::followed::until;

const INGEST: [&str; 2] = ["ingest", "s3://trail/org"];
/// As they come in. Each is a slice, and a round.
const MONTHS: [&str; 3] = ["2023/03", "2023/02", "2023/01"];
/// Objects of a month, with an event each.
const OBJECTS: usize = 12;
/// Folders that are walked: `org`, `AWSLogs`, the account, `CloudTrail`, the region and the year.
const FOLDERS: usize = 6;

/// A bucket with a trail of its own beside the demo's.
fn world() -> World {
    let world = World::new();
    for (number, month) in MONTHS.into_iter().enumerate() {
        let folder = format!("org/AWSLogs/111122223333/CloudTrail/eu-west-1/{month}/06");
        let folder = world.s3.bucket_folder("trail").join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        for minute in 0..OBJECTS {
            let day = month.replace('/', "") + "06";
            let name = format!("111122223333_CloudTrail_eu-west-1_{day}T12{minute:02}Z_a.json");
            let id = (100 * number + minute) as u32;
            std::fs::write(folder.join(name), log(&[event(id, "GetObject", "")])).unwrap();
        }
    }
    world
}

/// What was asked of the bucket since the last look.
#[derive(Debug, Default)]
struct Asks {
    /// Reads of objects.
    reads: usize,
    /// Listings of all that a month holds.
    months: usize,
    /// Other listings: of folders that are walked, and whether there is such a bucket.
    folders: usize,
}

impl Asks {
    fn of(world: &World) -> Asks {
        let mut asks = Asks::default();
        for asked in world.s3.asked() {
            let is_month = MONTHS
                .iter()
                .any(|month| asked.query.replace("%2F", "/").contains(&format!("/{month}/")));
            match (asked.is_listing(), is_month) {
                (false, _) => asks.reads += 1,
                (true, true) => asks.months += 1,
                (true, false) => asks.folders += 1,
            }
        }
        asks
    }
}

/// Kills a run that has read so many objects and waits for more.
fn kill_after(world: &World, reads: usize) -> Asks {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    world.s3.spoil(move |_, asked: &Asked| {
        let is_late = asked.is_reading() && counted.fetch_add(1, Ordering::Relaxed) >= reads;
        is_late.then_some(Spoiled::Held)
    });
    let mut command = world.here.command(BINARY);
    world.set(command.args(INGEST));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("a read that waits", || asked.load(Ordering::Relaxed) > reads);
    child.kill().unwrap();
    child.wait().unwrap();
    world.s3.heal();
    Asks::of(world)
}

#[test]
fn what_is_killed_while_it_reads_reads_one_round_and_lists_one_slice_twice() {
    let all = MONTHS.len() * OBJECTS;
    let mut random = Random::new(7);
    for month in 0..MONTHS.len() {
        let reads = month * OBJECTS + random.below(OBJECTS as u64) as usize;
        let world = world();
        let first = kill_after(&world, reads);
        world.run(&INGEST).done();
        let second = Asks::of(&world);
        let what = format!("after {reads} reads: {first:?}, {second:?}");
        assert_eq!(first.months, month + 1, "{what}");
        // At most one round twice, and one slice; the way to the months is walked each time.
        let twice = first.reads + second.reads - all;
        assert!(twice <= OBJECTS, "{twice} objects twice, {what}");
        assert_eq!(first.months + second.months, MONTHS.len() + 1, "{what}");
        assert_eq!((first.folders, second.folders), (FOLDERS + 1, FOLDERS + 1), "{what}");
        let count = "SELECT count(*), count(DISTINCT eventID) FROM events";
        assert_eq!(world.csv("lake", count), format!("{all},{all}\n"), "{what}");
    }
}
