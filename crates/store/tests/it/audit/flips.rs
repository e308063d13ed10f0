//! Every byte of a small lake.

use std::collections::BTreeMap;
use std::sync::Arc;

use traillake_store::{AuditOptions, Lake};

use crate::world::{self, Disk, commit, object, record};

/// Two rounds, with what the smallest tables need.
async fn small_lake() -> Disk {
    let disk = Disk::memory();
    let writer = world::writer(&disk).await.unwrap();
    for n in 0..2_i64 {
        let records = [("1", format!("value {n}")), ("x", "!reject".to_string())];
        let records = records.iter().map(|(id, value)| record(id, 0, value)).collect();
        commit(&writer, &[object(&format!("object {n}"), records)], n).await.unwrap();
    }
    disk
}

/// Every byte of every file, one after the other: what is not found must be of no consequence.
#[tokio::test]
async fn no_flipped_byte_goes_unseen_where_it_matters() {
    let lake = small_lake().await;
    let per_file = std::env::var("FLIPS_PER_FILE").map_or(3, |flips| flips.parse().unwrap());
    let mut unseen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut flips = 0;
    for path in lake.paths("").await {
        let whole = lake.bytes(&path).await;
        let step = (whole.len() / per_file).max(1);
        for at in (flips % step..whole.len()).step_by(step) {
            let disk = lake.fork();
            let mut bytes = whole.clone();
            bytes[at] ^= 0x01;
            disk.put(&path, bytes).await;
            flips += 1;
            let options = AuditOptions { proof: Some(Arc::new(world::Words)) };
            let found =
                Lake::audit(&disk.location, disk.options.clone(), &world::spec(), &options).await;
            // Refused as a whole, it is told as well.
            let Ok(found) = found else { continue };
            if found.is_sound() {
                // From the key on that the byte belongs to, however long its value.
                let key = whole[..at].windows(2).rposition(|two| two == b"\":").unwrap_or(0);
                let from = at.saturating_sub(30).min(key.saturating_sub(24));
                let near = String::from_utf8_lossy(&whole[from..(at + 5).min(whole.len())]);
                unseen.entry(path.clone()).or_default().push(near.into_owned());
            }
        }
    }
    assert!(flips > 60, "{flips}");
    let data = unseen.keys().find(|path| path.ends_with(".parquet"));
    assert_eq!(data, None, "a data file is vouched for byte by byte");
    // Names that people read, ids nobody refers to, and the like.
    let inert = [
        "engineInfo",
        "operation",
        "isBlindAppend",
        "createdTime",
        "\"id\":\"",
        "provider",
        "arn",
        "name",
        "what",
        "metadata",
        "created_at",
        "dataChange",
        "nullable",
        "extended",
        "options",
        "configuration",
        "delta.dataSkipping",
        // Keys that commits of earlier versions lack: one that is misspelt is one that is not there.
        "gineInfo",
        "numAddedFiles",
        "numRemovedFiles",
        "\"tags\":",
        "traillake.",
        "schemaString",
        "\"format\":1",
    ];
    let matters = |near: &&String| !inert.iter().any(|word| near.contains(word));
    let matters: Vec<_> = unseen.values().flatten().filter(matters).collect();
    assert!(matters.is_empty(), "{} of {flips}: {matters:#?}", matters.len());
}
