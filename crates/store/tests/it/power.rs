//! A machine that loses power: whatever was not synced may be missing, empty or cut short.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use traillake_store::{Fsync, Result, StoreWriter};
use traillake_testkit::faults::PowerLoss;

use crate::world::{
    self, Disk, Ledger, Object, at, check_snapshot, check_truth, commit, objects, read,
};

#[derive(Debug)]
struct Watched(Arc<PowerLoss>);

impl Fsync for Watched {
    fn file(&self, _: &File, path: &Path) -> io::Result<()> {
        self.0.sync_file(path)
    }

    fn folder(&self, path: &Path) -> io::Result<()> {
        self.0.sync_folder(path)
    }
}

pub fn watched_disk(parent: &Path) -> (Disk, Arc<PowerLoss>) {
    let power = Arc::new(PowerLoss::watch(parent).unwrap());
    let mut disk = Disk::folder();
    disk.location = parent.join("lake").to_str().unwrap().to_string();
    disk.options.fsync = Arc::new(Watched(power.clone()));
    (disk, power)
}

/// Works until the power goes: returns how many rounds were acknowledged.
async fn work(disk: &Disk, rounds: &[Vec<Object>]) -> usize {
    let Ok(writer) = world::writer(disk).await else { return 0 };
    for (n, objects) in rounds.iter().enumerate() {
        if commit(&writer, objects, n as i64).await.is_err() {
            return n;
        }
    }
    rounds.len()
}

/// Works on a runtime of its own and waits for everything that was begun there: a file that is being
/// written when another one fails is none of a machine without power.
pub fn until_off<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> T {
    let alone = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(work())
    };
    std::thread::scope(|scope| scope.spawn(alone).join().unwrap())
}

fn three_rounds() -> Vec<Vec<Object>> {
    vec![objects("a", 0, 2, 2), objects("b", 2, 2, 2), objects("c", 1, 2, 3)]
}

/// Two hundred losses, in four tests so that cores share them.
#[tokio::test]
async fn fifty_power_losses() {
    power_losses(0..50).await;
}

#[tokio::test]
async fn a_hundred_power_losses() {
    power_losses(50..100).await;
}

#[tokio::test]
async fn a_hundred_and_fifty_power_losses() {
    power_losses(100..150).await;
}

#[tokio::test]
async fn two_hundred_power_losses() {
    power_losses(150..200).await;
}

/// A folder in memory, where the machine has one: what is lost is decided by the model, not by it.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

async fn power_losses(seeds: Range<u64>) {
    let rounds = three_rounds();
    let syncs = {
        let folder = scratch();
        let (disk, power) = watched_disk(folder.path());
        assert_eq!(work(&disk, &rounds).await, 3);
        power.syncs()
    };
    let mut partial = 0;
    for seed in seeds {
        let folder = scratch();
        let (disk, power) = watched_disk(folder.path());
        // Twice: the second loss often meets a recovery.
        power.cut_at(seed * 37 % (syncs + 1));
        let done = until_off(async || work(&disk, &rounds).await);
        power.crash(seed).unwrap();
        power.cut_at(seed * 13 % 23);
        until_off(async || work(&disk, &rounds).await);
        power.crash(seed + 1000).unwrap();

        if done > 0 {
            // What was acknowledged is there, and is whole.
            let token = read(&disk).await.token as usize;
            assert!(token >= done, "seed {seed}: {done} rounds acknowledged, {token} there");
            let seen: Vec<&Object> = rounds.iter().take(token).flatten().collect();
            check_truth(&disk, &seen).await;
        }
        partial += usize::from(done > 0 && done < 3);
        assert_eq!(work(&disk, &rounds).await, 3, "seed {seed}");
        let all: Vec<&Object> = rounds.iter().flatten().collect();
        assert_eq!(check_truth(&disk, &all).await, 3, "seed {seed}");
    }
    assert!(partial > 10, "{partial} losses between rounds");
}

/// A machine of several that share a folder: its own syncs stop at one of them.
#[derive(Debug)]
struct Machine {
    power: Arc<PowerLoss>,
    syncs: AtomicU64,
    off_at: u64,
}

impl Machine {
    fn on(&self) -> io::Result<()> {
        match self.syncs.fetch_add(1, Ordering::SeqCst) < self.off_at {
            true => Ok(()),
            false => Err(io::Error::other("this machine is off")),
        }
    }
}

impl Fsync for Machine {
    fn file(&self, _: &File, path: &Path) -> io::Result<()> {
        self.on().and_then(|()| self.power.sync_file(path))
    }

    fn folder(&self, path: &Path) -> io::Result<()> {
        self.on().and_then(|()| self.power.sync_folder(path))
    }

    fn link(&self, file: &Path, name: &Path) -> io::Result<()> {
        match self.syncs.load(Ordering::SeqCst) < self.off_at {
            true => std::fs::hard_link(file, name),
            false => Err(io::Error::other("this machine is off")),
        }
    }
}

fn machine(disk: &Disk, power: &Arc<PowerLoss>, off_at: u64) -> Disk {
    let mut disk = disk.clone();
    let (power, syncs) = (power.clone(), AtomicU64::new(0));
    disk.options.fsync = Arc::new(Machine { power, syncs, off_at });
    disk
}

/// Rounds of its own and rounds that somebody else has too.
fn rounds_beside(who: &str, first: usize) -> Vec<Vec<Object>> {
    vec![
        objects("shared", 0, 2, 2),
        objects(who, first, 2, 3),
        objects(&format!("{who}-more"), first + 3, 1, 2),
    ]
}

/// Works until its machine is off, and puts together what it can in the end; the keys of all
/// objects that were acknowledged.
async fn work_beside(disk: &Disk, rounds: &[Vec<Object>]) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let Ok(writer) = world::writer(disk).await else { return acknowledged };
    for (n, objects) in (1..).zip(rounds) {
        if commit(&writer, objects, n).await.is_err() {
            return acknowledged;
        }
        acknowledged.extend(objects.iter().map(|object| object.key.clone()));
    }
    let _ = compact(&writer).await; // another rewrite may have been first
    acknowledged
}

async fn compact(writer: &StoreWriter) -> Result<u64> {
    let snapshot = writer.snapshot();
    let events = snapshot.table("events").unwrap();
    let files = events.files().await?;
    let inputs: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
    writer.rewrite(events, &inputs, world::table_rows(events).await, at(50)).await
}

/// Two machines on one folder: one loses its power, the other goes on, on what the first has left;
/// then, sooner or later, everything loses it.
#[tokio::test]
async fn one_writer_loses_power_and_another_goes_on() {
    let both = [rounds_beside("ann", 2), rounds_beside("bob", 6)];
    let mut all: Vec<&Object> = both.iter().flatten().flatten().collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all.dedup_by(|a, b| a.key == b.key);
    let mut cut_off = 0;
    for seed in 0..40u64 {
        let folder = scratch();
        let (disk, power) = watched_disk(folder.path());
        if seed % 3 != 0 {
            world::writer(&disk).await.unwrap(); // else it dies while the lake is being made
        }
        let ann = machine(&disk, &power, seed * 29 % 131);
        let bob = machine(&disk, &power, if seed % 4 == 0 { seed * 41 % 173 } else { u64::MAX });
        let (anns, bobs) = until_off(async || {
            if seed % 2 == 0 {
                return tokio::join!(work_beside(&ann, &both[0]), work_beside(&bob, &both[1]));
            }
            let anns = work_beside(&ann, &both[0]).await; // it is off when the other begins
            (anns, work_beside(&bob, &both[1]).await)
        });
        cut_off += usize::from(anns.len() < 5);
        power.crash(seed).unwrap();

        if !(anns.is_empty() && bobs.is_empty()) {
            let snapshot = read(&disk).await;
            let there = Ledger::of(&snapshot).await.keys;
            for key in anns.iter().chain(&bobs) {
                assert!(there.contains(key), "seed {seed}: `{key}` was acknowledged and is gone");
            }
            let seen: Vec<&Object> =
                all.iter().copied().filter(|object| there.contains(&object.key)).collect();
            check_snapshot(&snapshot, &seen).await;
        }
        for rounds in &both {
            assert_eq!(work_beside(&disk, rounds).await.len(), 5, "seed {seed}");
        }
        check_truth(&disk, &all).await;
    }
    assert!(cut_off > 10, "{cut_off} machines were cut off");
}
