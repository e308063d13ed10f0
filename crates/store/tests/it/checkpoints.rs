//! When is the checkpoint of a table of very many files written?

use chrono::Utc;
use serde_json::json;
use traillake_testkit::damage;

use crate::upkeep::upkeep;
use crate::world::{self, Disk, STORE, commit, commit_path, objects, read};

/// Has a commit name so many files more, each as large as files become: nobody folds or reads them.
async fn add_files(disk: &Disk, path: &str, count: usize) {
    let mut actions = damage::actions(&disk.bytes(path).await).unwrap();
    damage::multiply(&mut actions, count, |add, number| {
        add["path"] = json!(format!("month=2001-01/part-{number:08}.parquet"));
        add["partitionValues"] = json!({"month": "2001-01"});
        add["size"] = json!(600 << 20);
    });
    disk.put(path, damage::commit(&actions)).await;
}

/// Commits that change nothing, up to a version of `events`.
async fn add_commits(disk: &Disk, until: u64) {
    let id = disk.bytes(&format!("stores/{STORE}/store.json")).await;
    let id: serde_json::Value = serde_json::from_slice(&id).unwrap();
    let application = format!("{}/rewrite", id["id"].as_str().unwrap());
    for version in version(disk).await + 1..=until {
        let info =
            json!({"commitInfo": {"operation": "OPTIMIZE", "timestamp": 1_700_000_000_000_u64}});
        let token = json!({"txn": {"appId": application, "version": version}});
        disk.put(&commit_path("events", version), format!("{info}\n{token}\n")).await;
    }
}

async fn version(disk: &Disk) -> u64 {
    read(disk).await.table("events").unwrap().version()
}

async fn is_checkpointed(disk: &Disk) -> bool {
    disk.holds(&format!("stores/{STORE}/events/_delta_log/_last_checkpoint")).await
}

/// Commits one more round, as a process that has just begun.
async fn one_more(disk: &Disk, n: i64) {
    let writer = world::writer(disk).await.unwrap();
    commit(&writer, &objects(&format!("o{n}"), n as usize * 10, 1, 1), n).await.unwrap();
}

#[tokio::test]
async fn of_very_many_files_it_is_left_to_upkeep_but_not_for_ever() {
    let disk = Disk::memory();
    one_more(&disk, 1).await;
    let few = disk.fork();
    add_files(&disk, &commit_path("events", version(&disk).await), 20_001).await;

    add_commits(&few, 110).await;
    one_more(&few, 2).await;
    assert!(is_checkpointed(&few).await, "of few files");

    add_commits(&disk, 110).await;
    one_more(&disk, 2).await;
    assert!(!is_checkpointed(&disk).await, "whoever commits does not wait for it");
    let tended = disk.fork();
    let writer = world::writer(&tended).await.unwrap();
    let told = upkeep(&writer, Utc::now()).await.unwrap();
    assert!(told.tables.iter().any(|table| table.checkpoint.is_some()), "{told:?}");
    assert!(is_checkpointed(&tended).await);

    add_commits(&disk, 998).await;
    one_more(&disk, 3).await;
    assert!(!is_checkpointed(&disk).await, "the commit before the thousandth");
    one_more(&disk, 4).await;
    assert!(is_checkpointed(&disk).await, "where nobody tends the lake");
    assert_eq!(read(&disk).await.table("events").unwrap().files().await.unwrap().len(), 20_001 + 4);
}
