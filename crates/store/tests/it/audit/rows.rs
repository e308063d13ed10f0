//! Rows that were lost, added, altered, put in another order or told twice.

use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::compute::concat_batches;
use traillake_store::Finding;
use traillake_testkit::damage;

use super::plant::{alter, data, edit, in_log, more, rows, second_name, with};
use super::{check, lake};
use crate::world::{audit, commit_path, told};

#[tokio::test]
async fn rows_that_were_lost_added_or_altered_are_named() {
    let lake = lake().await;
    // Whoever altered them altered the log too: only the rows contradict one another.
    let disk = lake.fork();
    alter(&disk, "objects", 1, true, |all| rows(&all, &[1])).await;
    check(&disk, true, "/events/", "not in the ledger").await;

    let disk = lake.fork();
    let path = alter(&disk, "objects", 1, true, |all| {
        let again = more(&rows(&all, &[1]), "object_id", 5);
        concat_batches(&all.schema(), [&all, &again]).unwrap()
    })
    .await;
    check(&disk, true, &path, "1 stored, of which 0 are in the tables").await;

    for (column, by, what) in [
        ("stored", 1, "records are not"),
        ("records", -1, "records are not"),
        ("round", 90, "are not of this ledger"),
        ("object_id", 1 << 40, "are not of this ledger"),
    ] {
        let disk = lake.fork();
        let path = alter(&disk, "objects", 1, true, |all| more(&all, column, by)).await;
        check(&disk, true, &path, what).await;
    }
    let disk = lake.fork();
    let swap = |all: RecordBatch| more(&more(&all, "stored", 1), "duplicates", -1);
    let path = alter(&disk, "objects", 1, true, |all| swap(more(&all, "duplicates", 1))).await;
    check(&disk, true, &path, "records are not").await;

    let disk = lake.fork();
    let path = alter(&disk, "events", 1, true, |all| {
        let last = all.num_rows() as u32 - 1;
        rows(&all, &(0..last).collect::<Vec<_>>())
    })
    .await;
    assert!(path.contains("/events/"));
    check(&disk, true, "/objects/", "are in the tables").await;

    let disk = lake.fork();
    let path = alter(&disk, "events", 1, true, |all| {
        let values = vec!["another"; all.num_rows()];
        with(&all, "value", Arc::new(StringArray::from(values)))
    })
    .await;
    check(&disk, false, &path, "its value is not what its fingerprint says").await;

    let disk = lake.fork();
    let path = alter(&disk, "events", 1, true, |all| {
        let back: Vec<u32> = (0..all.num_rows() as u32).rev().collect();
        rows(&all, &back)
    })
    .await;
    check(&disk, false, &path, "it stands before a row that comes after it").await;

    // Without the log's blessing the file says so itself.
    let disk = lake.fork();
    let path = alter(&disk, "variants", 0, false, |all| rows(&all, &[0])).await;
    check(&disk, true, &path, "bytes and should have").await;
}

/// A copy that was written anew has other bytes, and the log says nothing of a checksum.
#[tokio::test]
async fn rows_of_a_plain_table_that_another_file_has_too_are_named() {
    let lake = lake().await;
    for table in ["notes", "rejects", "variants"] {
        let disk = lake.fork();
        let own = data(&disk, table).await[1].clone();
        let copy = second_name(&own);
        disk.put(&copy, disk.bytes(&own).await).await;
        edit(&disk, &commit_path(table, 2), |actions| {
            assert!(damage::double(actions, in_log(table, &own), in_log(table, &copy)));
        })
        .await;
        alter(&disk, table, 1, true, |all| all).await;
        let found = audit(&disk, true).await;
        let again = [&own, &copy].map(|of| format!("row 0 in row group 0 of `{of}`, once more"));
        let is_told = |f: &Finding| again.iter().any(|what| f.what.contains(what));
        assert!(found.damages().any(is_told), "`{table}`: {}", told(&found));
    }
}
