//! A machine that loses power: whatever was not synced may be missing, empty or cut short.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use traillake_store::Fsync;
use traillake_testkit::faults::PowerLoss;

use crate::world::{self, Disk, Object, check_truth, commit, objects, read};

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

fn watched_disk(parent: &Path) -> (Disk, Arc<PowerLoss>) {
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
fn scratch() -> tempfile::TempDir {
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
        let done = work(&disk, &rounds).await;
        power.crash(seed).unwrap();
        power.cut_at(seed * 13 % 23);
        let _ = work(&disk, &rounds).await;
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
