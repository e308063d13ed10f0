//! Logs with holes, what was written down of rows that left, and what dead rounds leave behind.

use serde_json::{Value, json};
use traillake_store::Expiry;

use super::plant::data;
use super::{check, lake, lake_with_checkpoints, named};
use crate::world::{self, audit, commit_path, told};

#[tokio::test]
async fn a_log_with_a_hole_and_a_store_without_its_file_are_named_and_the_rest_is_looked_at() {
    let lake = lake().await;
    for table in ["events", "objects", "variants"] {
        for version in [0, 2] {
            let disk = lake.fork();
            disk.delete(&commit_path(table, version)).await;
            check(&disk, true, &commit_path(table, version), "it is missing").await;
        }
        let disk = lake.fork();
        let note = data(&disk, "notes").await[0].clone();
        disk.delete(&commit_path(table, 2)).await;
        disk.delete(&note).await;
        check(&disk, true, &note, "it is missing, with").await;
    }
    let disk = lake.fork();
    disk.delete(&commit_path("extras", 4)).await;
    check(&disk, true, "default", "table `extras` ends with round 3 and should hold round 4").await;
    let disk = lake.fork();
    disk.delete(&commit_path("objects", 4)).await;
    check(&disk, true, "default", "round 4 is unfinished, and its manifest is missing").await;
    let disk = lake.fork();
    for path in disk.paths("stores/default/extras").await {
        disk.delete(&path).await;
    }
    check(&disk, true, "default", "table `extras` is missing").await;
    for (gone, what) in
        [("stores/default/store.json", "it is missing"), ("traillake.json", "missing")]
    {
        let disk = lake.fork();
        disk.delete(gone).await;
        let note = data(&disk, "notes").await[0].clone();
        disk.delete(&note).await;
        check(&disk, true, gone, what).await;
        check(&disk, true, &note, "it is missing, with").await;
    }
    let checkpointed = lake_with_checkpoints().await;
    checkpointed.delete(&commit_path("events", 30)).await;
    check(&checkpointed, true, &commit_path("events", 30), "it is missing").await;
}

#[tokio::test]
async fn a_tombstone_that_is_gone_or_altered_is_named() {
    let lake = lake().await;
    let writer = world::writer(&lake).await.unwrap();
    for (n, day) in [(10, 1), (11, 2)] {
        let before = world::at(86_400 * day);
        let expiry = Expiry { before, held: None, memory_bytes: 64 << 20 };
        let due = writer.expiry_due(&writer.latest().await.unwrap(), expiry).await.unwrap();
        writer.expire(&due, world::at(n)).await.unwrap();
    }
    assert!(audit(&lake, true).await.is_sound(), "{}", told(&audit(&lake, true).await));
    let tombstones = lake.paths("stores/default/expired").await;
    assert!(tombstones.len() >= 4, "{tombstones:?}");
    for path in &tombstones {
        let disk = lake.fork();
        disk.delete(path).await;
        check(&disk, true, path, "it is missing").await;
        let disk = lake.fork();
        let bytes = disk.bytes(path).await;
        disk.put(path, bytes[..bytes.len() - 1].to_vec()).await;
        check(&disk, true, path, "damaged").await;
        for (field, value, what) in [
            ("/table", json!("others"), "it is of version"),
            ("/version", json!(99), "it is of version 99"),
            ("/at", json!("2030-01-01T00:00:00Z"), "its time is not"),
            ("/before", json!("2030-01-01T00:00:00Z"), "its cut-off is not"),
            ("/before", json!("2020-01-01T00:00:00Z"), "cannot be"),
            ("/rows", json!(99), "it tells of 99 rows"),
            ("/files/0/path", json!("part-another.parquet"), "its files are not those"),
            ("/files/0/size", json!(7), "what the log does not"),
            ("/files/0/xxh3", json!("00"), "what the log does not"),
            ("/files/0/rows", json!(999), "what the log does not"),
            ("/files/0/expired", json!(0), "and of"),
            ("/files/0/last", json!(i64::MAX), "cannot be"),
        ] {
            let disk = lake.fork();
            let mut tombstone: Value = serde_json::from_slice(&bytes).unwrap();
            *tombstone.pointer_mut(field).unwrap() = value;
            disk.put(path, tombstone.to_string()).await;
            named(&audit(&disk, false).await, path, what);
        }
        let disk = lake.fork();
        let mut tombstone: Value = serde_json::from_slice(&bytes).unwrap();
        for field in ["/rows", "/files/0/expired", "/files/0/rows"] {
            let count = tombstone.pointer_mut(field).unwrap();
            *count = json!(count.as_u64().unwrap() + 1);
        }
        disk.put(path, tombstone.to_string()).await;
        named(&audit(&disk, false).await, path, "and its commit took out");
    }
}

#[tokio::test]
async fn what_dead_rounds_left_is_a_note() {
    let disk = lake().await;
    let round = "00000000-0000-4000-8000-000000000000";
    let dead = format!("stores/default/rounds/{:020}-{round}.json", 5);
    disk.put(
        &dead,
        format!(r#"{{"format":1,"number":5,"round":"{round}","at_micros":1,"tables":[]}}"#),
    )
    .await;
    disk.put(&format!("stores/default/events/month=2023-11/part-{round}.parquet"), "x").await;
    for reads_data in [false, true] {
        let audit = audit(&disk, reads_data).await;
        assert!(audit.is_sound(), "{}", told(&audit));
        assert_eq!(audit.findings.len(), 2, "{}", told(&audit));
        assert!(told(&audit).contains("of a round that never happened"), "{}", told(&audit));
        assert!(told(&audit).contains("it is in no table now"), "{}", told(&audit));
    }
    disk.put(&dead, "{").await;
    check(&disk, true, &dead, "damaged").await;
}
