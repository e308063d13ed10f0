//! Upkeep beside another upkeep and an ingest.

use std::ops::Range;
use std::sync::Arc;

use chrono::{TimeDelta, Utc};

use super::{check_aftermath, one_of};
use crate::turns::Turns;
use crate::upkeep::{lake_in, rounds, upkeep};
use crate::world::{self, Disk, commit};

#[tokio::test]
async fn two_upkeeps_of_one_lake_and_an_ingest_beside_them() {
    two_upkeeps(Disk::memory(), 0..30).await;
}

#[tokio::test]
async fn two_other_upkeeps_of_one_lake_and_an_ingest_beside_them() {
    two_upkeeps(Disk::memory(), 30..60).await;
}

#[tokio::test]
async fn two_upkeeps_of_one_lake_in_a_bucket_and_an_ingest_beside_them() {
    two_upkeeps(Disk::bucket(), 60..90).await;
}

async fn two_upkeeps(empty: Disk, seeds: Range<u64>) {
    let rounds = rounds(14);
    let (lake, _) = lake_in(empty, &rounds[..10]).await;
    let (mut refused, mut rebased, mut folded) = (0, 0, 0);
    for seed in seeds.step_by(one_of(5)) {
        let disk = lake.fork();
        let turns = Turns::new(seed, 3);
        let reached = |number: usize| {
            let turns = turns.clone();
            disk.wrapped(Arc::new(move |inner| turns.wrap(number, inner)))
        };
        let tend = |number: usize| {
            let (disk, turns) = (reached(number), turns.clone());
            async move {
                let mut reports = Vec::new();
                for n in 0..2 {
                    let writer = world::writer(&disk).await.unwrap();
                    let now = Utc::now() + TimeDelta::days(3 * n);
                    reports.push(upkeep(&writer, now).await.unwrap());
                }
                turns.leave(number);
                reports
            }
        };
        let ingest = async {
            let writer = world::writer(&reached(2)).await.unwrap();
            let mut rebased = 0;
            for (n, round) in (50..).zip(&rounds[10..]) {
                rebased += commit(&writer, round, n).await.unwrap().rebased;
            }
            turns.leave(2);
            rebased
        };
        let (ann, bob, lost) = tokio::join!(tend(0), tend(1), ingest);
        rebased += lost;
        for table in ann.iter().chain(&bob).flat_map(|report| &report.tables) {
            folded += table.files_folded;
            // Who was not first plans again: nothing is left undone.
            assert!(table.problems.is_empty(), "seed {seed}: {:?}", table.problems);
        }
        refused += turns.lost(0) + turns.lost(1);
        check_aftermath(&disk, &rounds, &format!("seed {seed}")).await;
    }
    assert!(
        refused > 2 && rebased > 2 && folded > 0,
        "{refused} commits of folds lost, {rebased} rounds rebased, {folded} files folded"
    );
}
