use std::collections::{HashMap, HashSet};

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::*;
use crate::data_file::{self, FileWriter};
use crate::input::{Counts, KnownObject, ObjectState, RejectRow};
use crate::snapshot::LiveFile;

fn object(key: &str, state: ObjectState) -> ObjectRow {
    let (_, logical) = key.split_once("//").unwrap_or(("", key));
    ObjectRow {
        object_key: key.to_string(),
        logical_key: logical.to_string(),
        size_bytes: key.len() as u64,
        etag: None,
        modified_at: DateTime::from_timestamp(1_600_000_000, 0),
        version_id: None,
        sha256: Some(hash(key)),
        inflated_sha256: Some(hash(logical)),
        kind: None,
        account: None,
        region: None,
        delivered_at: None,
        records: 0,
        rejects: 0,
        deselected: 0,
        counts: Counts::default(),
        first_event_at: None,
        last_event_at: None,
        state,
        copy_of: None,
        detail: None,
    }
}

fn hash(text: &str) -> [u8; 32] {
    let half = xxhash_rust::xxh3::xxh3_128(text.as_bytes()).to_le_bytes();
    [half, half].concat().try_into().unwrap()
}

/// A ledger that grows round by round.
#[derive(Debug)]
struct Archive {
    objects: Arc<dyn ObjectStore>,
    files: Vec<LiveFile>,
    round: i64,
}

impl Archive {
    fn new() -> Archive {
        Archive { objects: Arc::new(InMemory::new()), files: Vec::new(), round: 0 }
    }

    async fn commit(&mut self, objects: &[ObjectRow]) -> ObjectIds {
        self.round += 1;
        let ids = ObjectIds::claim(self.round, &self.files, || 0).unwrap();
        let numbered: Vec<(u32, &ObjectRow)> = (0..).zip(objects).collect();
        let table = objects_table();
        let months = object_rows(&numbered, ids, self.round, DateTime::UNIX_EPOCH).unwrap();
        for (month, rows) in months {
            let folder = Path::from("objects");
            let month = month.as_deref();
            let file = data_file::write(&self.objects, &folder, &table, month, vec![rows]).await;
            self.files.push(file.unwrap().file);
        }
        ids
    }

    /// What is known, by key; each answer is about its key.
    async fn known(&self, keys: &[&str]) -> HashMap<String, KnownObject> {
        let answers = known(&self.objects, &self.files, keys).await.unwrap();
        assert_eq!(answers.len(), keys.len());
        let about = |(key, answer): (&&str, Option<KnownObject>)| {
            let answer = answer?;
            assert_eq!(answer.sha256, Some(hash(key)), "{key}");
            Some((key.to_string(), answer))
        };
        keys.iter().zip(answers).filter_map(about).collect()
    }

    /// Adds a file whose rows are as they come, twenty to a row group.
    async fn add_as_is(&mut self, rows: &RecordBatch) {
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(20)).build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties)).unwrap();
        writer.write(rows).unwrap();
        writer.close().unwrap();
        let (path, size) = (Path::from("objects/as-is.parquet"), bytes.len() as u64);
        self.objects.put(&path, bytes.into()).await.unwrap();
        let rows = rows.num_rows() as u64;
        self.files.push(LiveFile { path, size, rows, partition: None, stats: Arc::default() });
    }

    async fn copies(&self, index: &InflatedIndex, hashes: &[[u8; 32]]) -> Vec<Option<String>> {
        let found = index.find(&self.objects, &self.files, hashes).await.unwrap();
        hashes.iter().map(|hash| found.get(hash).cloned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_known_as_its_newest_round_left_it() {
    let mut archive = Archive::new();
    let keys = ["/a//logs/1", "/b//logs/1", "logs/1", "s3/x//logs/2"];
    archive.commit(&keys.map(|key| object(key, ObjectState::Read))).await;
    let changed = ObjectRow {
        etag: Some("v2".to_string()),
        size_bytes: 99,
        delivered_at: DateTime::from_timestamp(1_700_000_000, 0),
        ..object(keys[1], ObjectState::Changed)
    };
    archive.commit(&[changed.clone(), object("/c//logs/1", ObjectState::Rejected)]).await;

    let asked = [&keys[..], &["/c//logs/1", "/a//logs/2", "", "/a", "//logs/1"]].concat();
    let known = archive.known(&asked).await;
    let mut found: Vec<&str> = known.keys().map(String::as_str).collect();
    found.sort_unstable();
    assert_eq!(found, ["/a//logs/1", "/b//logs/1", "/c//logs/1", "logs/1", "s3/x//logs/2"]);
    assert_eq!(known[keys[0]].size_bytes, keys[0].len() as u64);
    assert_eq!(known[keys[0]].modified_at, DateTime::from_timestamp(1_600_000_000, 0));
    assert_eq!(known[keys[1]].size_bytes, 99);
    assert_eq!(known[keys[1]].etag.as_deref(), Some("v2"));
    assert_eq!(known[keys[1]].state, ObjectState::Changed);
    assert_eq!(known["/c//logs/1"].state, ObjectState::Rejected);
    assert_eq!(archive.known(&[]).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_row_groups_every_key_is_found_and_no_other() {
    let mut archive = Archive::new();
    let key = |number: u32| format!("b//logs/{number:04}");
    let (folder, ids) = (Path::from("objects"), ObjectIds::claim(1, &[], || 0).unwrap());
    let file = FileWriter::create(&archive.objects, &folder, &objects_table(), None, 1, true);
    let mut file = file.unwrap();
    // Every other number, twenty to a row group.
    for group in (0..240).step_by(40) {
        let of_group = (group..group + 40).step_by(2);
        let rows: Vec<ObjectRow> =
            of_group.map(|number| object(&key(number), ObjectState::Read)).collect();
        let numbered: Vec<(u32, &ObjectRow)> = (group..).zip(&rows).collect();
        for (_, rows) in object_rows(&numbered, ids, 1, DateTime::UNIX_EPOCH).unwrap() {
            file = file.add(vec![rows]).await.unwrap();
        }
    }
    archive.files.push(file.finish().await.unwrap().file);
    for asked in [0..1, 1..2, 38..42, 39..40, 60..140, 238..300, 239..240, 240..241, 0..300] {
        let keys: Vec<String> = asked.clone().rev().map(key).collect();
        let known = archive.known(&keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let mut found: Vec<String> = known.into_keys().collect();
        found.sort_unstable();
        let there = asked.clone().filter(|number| number % 2 == 0 && *number < 240);
        assert_eq!(found, there.map(key).collect::<Vec<_>>(), "{asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_in_no_order_and_keys_asked_for_again_are_found() {
    let mut archive = Archive::new();
    // Of three places in turn, from either end to the middle.
    let place = |number: u32| ["/a//", "/b//", ""][number as usize % 3];
    let key = |number: u32| format!("{}logs/{:03}", place(number), number * 37 % 211);
    let rows: Vec<ObjectRow> =
        (0..200).map(|number| object(&key(number), ObjectState::Read)).collect();
    let numbered: Vec<(u32, &ObjectRow)> = (0..).zip(&rows).collect();
    let ids = ObjectIds::claim(1, &[], || 0).unwrap();
    let months = object_rows(&numbered, ids, 1, DateTime::UNIX_EPOCH).unwrap();
    archive.add_as_is(&months[&None]).await;
    let asked: Vec<String> = (0..400).rev().map(|number| key(number % 300)).collect();
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let answers = known(&archive.objects, &archive.files, &asked).await.unwrap();
    let there: HashSet<&str> = rows.iter().map(|row| row.object_key.as_str()).collect();
    for (key, answer) in asked.iter().zip(&answers) {
        assert_eq!(answer.is_some(), there.contains(key), "{key}");
        assert!(answer.as_ref().is_none_or(|answer| answer.sha256 == Some(hash(key))), "{key}");
    }
    assert_eq!(answers.iter().flatten().count(), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_found_by_filters_and_by_hashes_alike() {
    let mut archive = Archive::new();
    for round in 0..3 {
        let key = |n: usize| format!("/evidence//logs/{round}-{n}");
        let objects: Vec<ObjectRow> =
            (0..200).map(|n| object(&key(n), ObjectState::Read)).collect();
        archive.commit(&objects).await;
    }
    // The same bytes under other keys: refused, a copy, and changed but later.
    archive.commit(&[object("/x//logs/0-7", ObjectState::Rejected)]).await;
    archive.commit(&[object("/x//logs/1-7", ObjectState::Copy)]).await;
    archive.commit(&[object("/x//logs/2-7", ObjectState::Changed)]).await;
    archive.commit(&[object("/x//logs/forged", ObjectState::Rejected)]).await;

    let few = ["logs/0-7", "logs/1-7", "logs/2-7", "logs/forged", "logs/never"];
    let expected: Vec<Option<String>> = few
        .iter()
        .zip([true, true, true, false, false])
        .map(|(logical, known)| known.then(|| format!("/evidence//{logical}")))
        .collect();
    let few: Vec<[u8; 32]> = few.iter().map(|logical| hash(logical)).collect();
    let strangers = (0..500).map(|n| hash(&format!("stranger {n}")));
    let many: Vec<[u8; 32]> = few.iter().copied().chain(strangers).collect();

    // All hashes in memory; those of one file; none.
    let indexes = [1_000_000, 2_000, 0].map(InflatedIndex::with_bytes_max);
    for index in indexes {
        assert_eq!(archive.copies(&index, &few).await, expected);
        for _ in 0..2 {
            let found = archive.copies(&index, &many).await;
            assert_eq!(found[..few.len()], expected);
            assert!(found[few.len()..].iter().all(Option::is_none));
        }
        assert_eq!(archive.copies(&index, &few).await, expected);
        assert_eq!(archive.copies(&index, &[]).await, []);
    }
}

/// Objects come a few at a time: what is asked of a file for each of them must end.
#[tokio::test(flavor = "multi_thread")]
async fn files_are_read_once_for_however_many_questions() {
    let mut archive = Archive::new();
    let named = |range: std::ops::Range<u32>| {
        let key = |number| format!("/evidence//logs/{number}");
        range.map(|number| object(&key(number), ObjectState::Read)).collect::<Vec<_>>()
    };
    archive.commit(&named(0..3)).await;
    archive.commit(&named(3..5)).await;
    for first in [10_000, 60_000] {
        archive.commit(&named(first..first + 40_000)).await;
    }
    let sizes: Vec<u64> = archive.files.iter().map(|file| file.size >> 20).collect();
    assert!(sizes[..2] == [0, 0] && sizes[2..].iter().all(|size| *size > 0), "{sizes:?}");
    let index = InflatedIndex::default();
    let asked = ["logs/1", "logs/4", "logs/10007", "logs/99999", "logs/9999"].map(hash);
    let mut kept = Vec::new();
    for _ in 0..30 {
        let found: Vec<bool> =
            archive.copies(&index, &asked).await.iter().map(Option::is_some).collect();
        assert_eq!(found, [true, true, true, true, false]);
        kept.push(index.files_kept());
    }
    // Small ones at once; large ones when they have been asked often, one a question.
    assert_eq!(kept[..25], [2; 25]);
    assert_eq!(kept[25..], [3, 4, 4, 4, 4]);
}

#[test]
fn counts_that_do_not_add_up_are_refused() {
    let ids = ObjectIds::claim(1, &[], || 0).unwrap();
    let counts = Counts { stored: 4, duplicates: 3, respelled: 2, variants: 1 };
    let sound = ObjectRow {
        records: 4 + 3 + 2 + 1 + 6 + 5,
        deselected: 6,
        rejects: 5,
        counts,
        ..object("k", ObjectState::Read)
    };
    let rows = |object: &ObjectRow| object_rows(&[(0, object)], ids, 1, DateTime::UNIX_EPOCH);
    assert!(rows(&sound).is_ok());
    assert!(matches!(rows(&ObjectRow { records: 20, ..sound.clone() }), Err(Error::Input { .. })));
    let elsewhere = ObjectRow { logical_key: "other".to_string(), ..sound };
    assert!(matches!(rows(&elsewhere), Err(Error::Input { .. })));
}

#[test]
fn objects_stand_in_the_month_of_their_delivery() {
    let ids = ObjectIds::claim(1, &[], || 0).unwrap();
    let delivered = |seconds| ObjectRow {
        delivered_at: DateTime::from_timestamp(seconds, 0),
        ..object("k", ObjectState::Empty)
    };
    let (late, early, never) =
        (delivered(1_640_995_199), delivered(1_640_995_200), object("k", ObjectState::Read));
    let numbered = [(5, &late), (6, &early), (9, &never)];
    let months = object_rows(&numbered, ids, 1, DateTime::UNIX_EPOCH).unwrap();
    let keys: Vec<Option<&str>> = months.keys().map(Option::as_deref).collect();
    assert_eq!(keys, [None, Some("2021-12"), Some("2022-01")]);
}

#[test]
fn rejects_keep_their_bytes_and_place() {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    let ids = ObjectIds::claim(3, &[], || 0).unwrap();
    let reject = RejectRow {
        object: 2,
        index: 7,
        offset: 1 << 40,
        reason: "eventTime is missing".to_string(),
        bytes: b"{\xff}".to_vec(),
        truncated: true,
    };
    let rows = reject_rows(&[reject], ids, DateTime::UNIX_EPOCH).unwrap();
    let int = |name: &str| rows.column_by_name(name).unwrap().as_primitive::<Int64Type>().value(0);
    assert_eq!((int("object_id"), int("index"), int("offset")), (ids.id(2), 7, 1 << 40));
    assert_eq!(rows.column_by_name("record").unwrap().as_binary::<i32>().value(0), b"{\xff}");
}
