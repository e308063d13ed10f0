//! Files that are gone, cut, strange or doubled, flipped bytes in them, and what the log says of them.

use serde_json::{Value, json};
use traillake_testkit::damage;

use super::plant::{data, edit, flip, in_log, second_name};
use super::{check, lake, lake_with_checkpoints, named};
use crate::world::{audit, commit_path, told};

#[tokio::test]
async fn a_flipped_byte_is_found_in_every_kind_of_file() {
    let lake = lake_with_checkpoints().await;
    let (row_file, ledger) = (&data(&lake, "events").await[1], &data(&lake, "objects").await[2]);
    for (path, share, quick, what) in [
        (row_file.as_str(), 0.01, false, "its bytes are not those that were written"),
        (ledger, 0.02, false, "its bytes are not"),
        (row_file, 0.999, true, "its footer cannot be read"),
        (&commit_path("events", 3), 0.01, true, "it does not begin with"),
        ("stores/default/events/_delta_log/_last_checkpoint", 0.01, true, "cannot be read"),
        ("stores/default/store.json", 0.0, true, "damaged"),
        ("traillake.json", 0.0, true, "damaged"),
    ] {
        let disk = lake.fork();
        flip(&disk, path, share).await;
        check(&disk, quick, path, what).await;
    }
    let version = 100;
    let checkpoint = format!("stores/default/events/_delta_log/{version:020}.checkpoint.parquet");
    for share in [0.001, 0.1, 0.3, 0.999] {
        let disk = lake.fork();
        flip(&disk, &checkpoint, share).await;
        let found = audit(&disk, false).await;
        assert!(!found.is_sound(), "at {share} of the checkpoint");
        assert!(told(&found).contains("checkpoint"), "{share}: {}", told(&found));
    }
}

#[tokio::test]
async fn files_that_are_gone_cut_strange_or_doubled_are_named() {
    let lake = lake().await;
    for table in ["events", "extras", "notes", "objects", "rejects", "variants"] {
        let path = data(&lake, table).await[1].clone();
        let disk = lake.fork();
        disk.delete(&path).await;
        check(&disk, true, &path, "it is missing, with").await;

        let disk = lake.fork();
        let bytes = disk.bytes(&path).await;
        disk.put(&path, bytes[..bytes.len() - 9].to_vec()).await;
        check(&disk, true, &path, "bytes and should have").await;

        for stranger in [format!("{path}.bak"), format!("stores/default/{table}/readme.txt")] {
            let disk = lake.fork();
            disk.put(&stranger, bytes.clone()).await;
            check(&disk, true, &stranger, "it is no file of the lake").await;
        }

        // The same rows under a second name, with the log's blessing.
        let disk = lake.fork();
        let second = second_name(&path);
        disk.put(&second, bytes).await;
        let note = audit(&disk, true).await;
        assert!(note.is_sound() && note.findings.len() == 1, "{}", told(&note));
        edit(&disk, &commit_path(table, 2), |actions| {
            assert!(damage::double(actions, in_log(table, &path), in_log(table, &second)));
        })
        .await;
        check(&disk, true, &second, "by the log its bytes are those of").await;
        let found = audit(&disk, true).await;
        match table {
            "notes" => named(&found, "part-", "once more"),
            "events" | "extras" => named(&found, "part-", "its identity"),
            "objects" => named(&found, "part-", "another object has the id"),
            _ => {
                named(&found, "/objects/", "are in the tables");
                named(&found, "part-", "once more");
            }
        }
    }
    let disk = lake.fork();
    edit(&disk, &commit_path("events", 2), |actions| {
        let add = actions.iter().find(|action| action["add"].is_object()).unwrap();
        let path = add["add"]["path"].as_str().unwrap().to_string();
        assert!(damage::double(actions, &path, &path));
    })
    .await;
    check(&disk, true, &commit_path("events", 2), "which is there already").await;
}

#[tokio::test]
async fn what_the_log_says_wrongly_of_a_file_is_named() {
    let lake = lake().await;
    let path = data(&lake, "events").await[0].clone();
    let file = |line: &mut Value| path.ends_with(line["add"]["path"].as_str().unwrap_or("none"));
    let stats = |line: &mut Value, change: fn(&mut Value)| {
        let mut stats: Value =
            serde_json::from_str(line["add"]["stats"].as_str().unwrap()).unwrap();
        change(&mut stats);
        line["add"]["stats"] = json!(stats.to_string());
    };
    type Change<'a> = (&'a dyn Fn(&mut Value), &'a str);
    let changes: [Change<'_>; 8] = [
        (&|line| line["add"]["size"] = json!(7), "should have 7"),
        (&|line| line["add"]["partitionValues"]["month"] = json!("2020-01"), "2020-01"),
        (&|line| stats(line, |s| s["numRecords"] = json!(99)), "the log says 99"),
        (&|line| stats(line, |s| s["minValues"]["value"] = json!("zzz")), "smallest"),
        (&|line| stats(line, |s| s["maxValues"]["value"] = json!("a")), "largest"),
        (
            &|line| stats(line, |s| s["minValues"]["at"] = json!("2021-01-01T00:00:00.000Z")),
            "statistics of `at`",
        ),
        (&|line| stats(line, |s| s["nullCount"]["value"] = json!(4)), "4 nulls"),
        (&|line| line["add"]["path"] = json!("month=2023-11/part-gone.parquet"), "is missing"),
    ];
    for (change, what) in changes {
        let disk = lake.fork();
        edit(&disk, &commit_path("events", 1), |lines| {
            lines.iter_mut().filter(|line| file(&mut (*line).clone())).for_each(change);
        })
        .await;
        check(&disk, true, "/events/", what).await;
    }
    let disk = lake.fork();
    edit(&disk, &commit_path("events", 1), |lines| {
        lines.iter_mut().filter(|line| line["add"].is_object()).for_each(|line| {
            line["add"]["tags"]["traillake.xxh3"] = json!("00");
        });
    })
    .await;
    check(&disk, false, &path, "its bytes are not those that were written").await;
}
