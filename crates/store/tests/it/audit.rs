//! Audits: every damage is found and named, and nothing is found where there is none. (Every other
//! test that holds a lake against the truth has it audited too.)

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::Int64Type;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use std::sync::Arc;
use traillake_store::{Audit, AuditOptions, Error, Expiry, Grade, Lake};

use crate::world::{self, Disk, audit, commit, commit_path, object, record, told};

/// Four rounds of every table, several rows a file.
async fn lake() -> Disk {
    let disk = Disk::memory();
    let writer = world::writer(&disk).await.unwrap();
    for n in 0..4_i64 {
        let mut records = vec![record("1", 0, &format!("value {n}")), record("x", 0, "!reject")];
        for own in 0..5 {
            records.push(record(&format!("own {n} {own}"), own % 3, &format!("v{}", own * 7 % 5)));
        }
        let mut extra = record("e", n, "extra");
        extra.table = "extras";
        records.push(extra);
        let objects = [
            object(&format!("object {n}"), records),
            object(&format!("second {n}"), vec![record(&format!("s{n}"), 1, "second")]),
        ];
        commit(&writer, &objects, n).await.unwrap();
    }
    disk
}

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

/// A lake with a checkpoint of every table.
async fn lake_with_checkpoints() -> Disk {
    static MADE: tokio::sync::OnceCell<Disk> = tokio::sync::OnceCell::const_new();
    MADE.get_or_init(make_lake_with_checkpoints).await.fork()
}

async fn make_lake_with_checkpoints() -> Disk {
    let disk = lake().await;
    let writer = world::writer(&disk).await.unwrap();
    for n in 4..102 {
        let objects = [object(&format!("object {n}"), vec![record(&format!("{n}"), n, "v")])];
        commit(&writer, &objects, n).await.unwrap();
    }
    disk
}

/// The data files of a table, in the order of the rounds that added them.
async fn data(disk: &Disk, table: &str) -> Vec<String> {
    let mut files = Vec::new();
    for version in 1.. {
        let path = commit_path(table, version);
        if !disk.holds(&path).await {
            break;
        }
        for line in lines(&disk.bytes(&path).await) {
            if let Some(add) = line["add"]["path"].as_str() {
                files.push(format!("stores/default/{table}/{add}"));
            }
        }
    }
    files
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    serde_json::Deserializer::from_slice(bytes).into_iter().map(Result::unwrap).collect()
}

/// Changes the lines of a commit.
async fn edit(disk: &Disk, path: &str, change: impl FnOnce(&mut Vec<Value>)) {
    let mut lines = lines(&disk.bytes(path).await);
    change(&mut lines);
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    disk.put(path, lines.join("\n") + "\n").await;
}

/// Flips a bit in the middle of a part of a file.
async fn flip(disk: &Disk, path: &str, share: f64) {
    let mut bytes = disk.bytes(path).await;
    let at = (bytes.len() as f64 * share) as usize;
    bytes[at] ^= 0x10;
    disk.put(path, bytes).await;
}

/// Writes a data file anew with other rows; with `covered`, the log says what it says of it then,
/// and nothing of a checksum.
async fn alter(
    disk: &Disk,
    table: &str,
    number: usize,
    covered: bool,
    change: impl FnOnce(RecordBatch) -> RecordBatch,
) -> String {
    let path = data(disk, table).await[number].clone();
    let bytes = bytes::Bytes::from(disk.bytes(&path).await);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let rows: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let rows = change(concat_batches(&rows[0].schema(), &rows).unwrap());
    let mut written = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut written, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let size = written.len();
    disk.put(&path, written).await;
    if covered {
        for version in 1.. {
            let commit = commit_path(table, version);
            if !disk.holds(&commit).await {
                break;
            }
            edit(disk, &commit, |lines| {
                for line in lines {
                    let add = line["add"]["path"].as_str().unwrap_or_default().to_string();
                    if !add.is_empty() && path.ends_with(&add) {
                        let stats = json!({"numRecords": rows.num_rows()}).to_string();
                        line["add"]["size"] = json!(size);
                        line["add"]["stats"] = json!(stats);
                        line["add"]["tags"] = json!({});
                    }
                }
            })
            .await;
        }
    }
    path
}

fn rows(batch: &RecordBatch, order: &[u32]) -> RecordBatch {
    take_record_batch(batch, &UInt32Array::from(order.to_vec())).unwrap()
}

fn with(batch: &RecordBatch, column: &str, values: ArrayRef) -> RecordBatch {
    let mut columns = batch.columns().to_vec();
    columns[batch.schema().index_of(column).unwrap()] = values;
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

fn more(batch: &RecordBatch, column: &str, by: i64) -> RecordBatch {
    let values = batch.column_by_name(column).unwrap().as_primitive::<Int64Type>();
    with(batch, column, Arc::new(values.iter().map(|v| v.map(|v| v + by)).collect::<Int64Array>()))
}

/// One damage is named: its file and what is wrong.
#[track_caller]
fn named(audit: &Audit, file: &str, what: &str) {
    let is_it = |f: &traillake_store::Finding| {
        f.to_string().contains(file) && f.what.contains(what) && f.grade == Grade::Damage
    };
    assert!(audit.damages().any(is_it), "`{file}`, `{what}`: not in\n{}", told(audit));
}

/// The damage is named when rows are read and, when it is found so `quick`ly, when they are not.
async fn check(disk: &Disk, quick: bool, file: &str, what: &str) {
    named(&audit(disk, true).await, file, what);
    if quick {
        named(&audit(disk, false).await, file, what);
    }
}

#[tokio::test]
async fn a_sound_lake_has_no_findings() {
    for disk in [lake().await, lake_with_checkpoints().await, Disk::memory()] {
        world::writer(&disk).await.unwrap();
        for reads_data in [false, true] {
            let audit = audit(&disk, reads_data).await;
            assert!(audit.findings.is_empty(), "{}", told(&audit));
            assert_eq!((audit.stores, audit.tables), (1, 6));
        }
    }
}

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
        let (folder, name) = path.rsplit_once("part-").unwrap();
        let second = format!("{folder}part-00000000{}", &name[8..]);
        disk.put(&second, bytes.clone()).await;
        let note = audit(&disk, true).await;
        assert!(note.is_sound() && note.findings.len() == 1, "{}", told(&note));
        edit(&disk, &commit_path(table, 2), |lines| {
            let mut line = lines
                .iter()
                .find(|line| path.ends_with(line["add"]["path"].as_str().unwrap_or("none")))
                .unwrap()
                .clone();
            let name = second.strip_prefix(&format!("stores/default/{table}/")).unwrap();
            line["add"]["path"] = json!(name);
            let count = lines.iter().filter(|line| line["add"].is_object()).count() + 1;
            lines[0]["commitInfo"]["operationMetrics"]["numAddedFiles"] = json!(count.to_string());
            lines.push(line);
        })
        .await;
        let found = audit(&disk, true).await;
        match table {
            // Nothing counts notes, and nothing tells two of them apart.
            "notes" => assert!(found.is_sound(), "{}", told(&found)),
            "events" | "extras" => named(&found, "part-", "its identity"),
            "objects" => named(&found, "part-", "another object has the id"),
            _ => named(&found, "/objects/", "are in the tables"),
        }
    }
    let disk = lake.fork();
    edit(&disk, &commit_path("events", 2), |lines| {
        let add = lines.iter().find(|line| line["add"].is_object()).unwrap().clone();
        let count = lines.iter().filter(|line| line["add"].is_object()).count() + 1;
        lines[0]["commitInfo"]["operationMetrics"]["numAddedFiles"] = json!(count.to_string());
        lines.push(add);
    })
    .await;
    check(&disk, true, &commit_path("events", 2), "which is there already").await;
}

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

#[tokio::test]
async fn where_no_lake_is_nothing_can_be_audited() {
    let disk = Disk::memory();
    let audited = |disk: Disk| async move {
        let options = AuditOptions::default();
        Lake::audit(&disk.location, disk.options.clone(), &world::spec(), &options).await
    };
    assert!(matches!(audited(disk.clone()).await, Err(Error::NoLake { .. })));
    disk.put("notes.txt", "mine").await;
    assert!(matches!(audited(disk.clone()).await, Err(Error::NotALake { .. })));
    disk.put("traillake.json", r#"{"format":99}"#).await;
    let refused = audited(disk.clone()).await;
    assert!(matches!(refused, Err(Error::NewerFormat { .. })), "{refused:?}");
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
