//! Rounds of one writer: what is stored, counted, and seen.

use traillake_store::{
    At, Counts, ErrorKind, Lake, ObjectState, PartRows, RoundPart, SpilledPart, Step,
};

use crate::world::{
    self, Disk, Ledger, Object, at, check_snapshot, check_truth, commit, object, objects, read,
    record, round, spec,
};

#[tokio::test]
async fn rounds_follow_one_another_and_every_record_is_accounted_for() {
    let disk = Disk::memory();
    let writer = world::writer(&disk).await.unwrap();
    assert_eq!(writer.token(), 0);
    let first =
        object("a", vec![record("1", 0, "one"), record("2", 40, "two"), record("3", 0, "!broken")]);
    let mut extra = record("1", 0, "one");
    extra.table = "extras";
    let second = object(
        "b",
        vec![
            record("1", 0, "one"),
            record("1", 0, "ONE"),
            record("2", 40, "deux"),
            record("4", 1, "four"),
            extra,
        ],
    );
    let receipt = commit(&writer, std::slice::from_ref(&first), 1).await.unwrap();
    assert_eq!((receipt.token, receipt.rebased), (1, 0));
    assert_eq!(receipt.objects[0].counts, Counts { stored: 2, ..Counts::default() });
    let receipt = commit(&writer, std::slice::from_ref(&second), 2).await.unwrap();
    let counts = Counts { stored: 2, duplicates: 1, respelled: 1, variants: 1 };
    assert_eq!((receipt.token, receipt.objects[0].counts), (2, counts));
    assert_eq!(check_truth(&disk, &[&first, &second]).await, 2);
    assert_eq!(writer.token(), 2);
}

#[tokio::test]
async fn an_older_state_is_found_by_round_and_by_time() {
    let disk = Disk::memory();
    let writer = world::writer(&disk).await.unwrap();
    let all = objects("a", 0, 6, 3);
    for (n, object) in all.iter().enumerate() {
        commit(&writer, std::slice::from_ref(object), 10 * (n as i64 + 1)).await.unwrap();
    }
    let lake = Lake::open_with(&disk.location, disk.options.clone()).await.unwrap();
    let store = lake.store(world::STORE).await.unwrap();
    for n in 0..=6usize {
        let seen: Vec<&Object> = all.iter().take(n).collect();
        let by_token = store.snapshot(Some(At::Token(n as i64))).await.unwrap();
        let by_time = store.snapshot(Some(At::Time(at(10 * n as i64 + 9)))).await.unwrap();
        for snapshot in [by_token, by_time] {
            assert_eq!(check_snapshot(&snapshot, &seen).await, n as i64);
        }
    }
    for at in [At::Token(7), At::Time(at(-100))] {
        assert_eq!(store.snapshot(Some(at)).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

/// A part that is made anew each time it is asked for.
struct Made(Vec<Object>, usize);

impl SpilledPart for Made {
    fn load(&self) -> std::io::Result<PartRows> {
        let mut rows = match round(&self.0).parts.remove(0) {
            RoundPart::Held(rows) => rows,
            RoundPart::Spilled(_) => return Err(std::io::Error::other("held")),
        };
        // Every part has the round's ordinals; this one the rows of a single object.
        for (_, batches) in rows.records.iter_mut().chain(&mut rows.plain) {
            for batch in batches {
                let of = batch.column_by_name("_object").unwrap();
                let here = arrow::compute::kernels::cmp::eq(
                    of,
                    &arrow::array::Int64Array::new_scalar(self.1 as i64),
                );
                *batch = arrow::compute::filter_record_batch(batch, &here.unwrap()).unwrap();
            }
        }
        Ok(rows)
    }
}

#[tokio::test]
async fn parts_of_a_round_become_visible_together_and_see_one_another() {
    let disk = Disk::memory();
    let writer = world::writer(&disk).await.unwrap();
    let all = vec![
        object("a", vec![record("1", 0, "one"), record("2", 0, "two")]),
        object("b", vec![record("2", 0, "TWO"), record("1", 0, "uno"), record("3", 0, "three")]),
        object("c", vec![record("3", 0, "three"), record("1", 0, "uno"), record("1", 0, "one")]),
    ];
    let mut input = round(&all);
    input.parts =
        (0..all.len()).map(|part| RoundPart::Spilled(Box::new(Made(all.clone(), part)))).collect();
    let receipt = writer.commit_round(input, &world::Words, at(1)).await.unwrap();
    let counts: Vec<Counts> = receipt.objects.iter().map(|object| object.counts).collect();
    let expected = [(2, 0, 0, 0), (1, 0, 1, 1), (0, 3, 0, 0)];
    let expected = expected.map(|(stored, duplicates, respelled, variants)| Counts {
        stored,
        duplicates,
        respelled,
        variants,
    });
    assert_eq!(counts, expected);
    assert_eq!(check_truth(&disk, &all.iter().collect::<Vec<_>>()).await, 1);
}

#[tokio::test]
async fn what_the_ledger_holds_is_not_taken_twice() {
    let disk = Disk::memory();
    let writer = world::writer(&disk).await.unwrap();
    let a = object("a", vec![record("1", 0, "one")]);
    commit(&writer, std::slice::from_ref(&a), 1).await.unwrap();
    // The same object, its bytes under another key, a new version of it.
    let copy = Object { key: "copy".to_string(), ..a.clone() };
    let receipt = commit(&writer, &[a.clone(), copy.clone()], 2).await.unwrap();
    assert_eq!(receipt.known, [0]);
    assert_eq!(receipt.objects[0].state, ObjectState::Copy);
    assert_eq!(receipt.objects[0].copy_of.as_deref(), Some("a"));
    assert_eq!(check_truth(&disk, &[&a, &copy]).await, 2);
    // Nothing left: no round.
    let receipt = commit(&writer, &[a.clone(), copy.clone()], 3).await.unwrap();
    assert_eq!((receipt.token, receipt.known), (2, vec![0, 1]));
    let newer = Object { etag: "2".to_string(), records: vec![record("2", 0, "two")], ..a.clone() };
    let receipt = commit(&writer, std::slice::from_ref(&newer), 4).await.unwrap();
    assert_eq!(receipt.objects[0].state, ObjectState::Changed);
    assert_eq!(check_truth(&disk, &[&a, &copy, &newer]).await, 3);
    // The writer answers from what it committed itself.
    let month = receipt.objects[0].delivered_month();
    let known = writer.known(month.as_deref(), &["a", "copy", "no"]).await.unwrap();
    let etags = known.iter().map(|known| known.as_ref().and_then(|known| known.etag.as_deref()));
    assert_eq!(etags.collect::<Vec<_>>(), [Some("2"), Some("1"), None]);
    let hash = receipt.objects[0].inflated_sha256.unwrap();
    assert_eq!(writer.find_inflated(&[hash, [0; 32]]).await.unwrap()[&hash], "a");
}

#[tokio::test]
async fn a_long_log_is_replayed_from_its_checkpoint() {
    let disk = Disk::memory();
    let writer = world::writer(&disk).await.unwrap();
    let all = objects("a", 0, 110, 1);
    for (n, object) in all.iter().enumerate() {
        commit(&writer, std::slice::from_ref(object), n as i64).await.unwrap();
    }
    let seen: Vec<&Object> = all.iter().collect();
    assert_eq!(check_truth(&disk, &seen).await, 110);
    // As after a clean-up of the log: the commits before the checkpoint are gone.
    let snapshot = read(&disk).await;
    let events = snapshot.table("events").unwrap();
    let log = events.prefix().clone().join("_delta_log");
    for version in 0..95 {
        let path = log.clone().join(format!("{version:020}.json"));
        object_store::ObjectStoreExt::delete(events.object_store().as_ref(), &path).await.unwrap();
    }
    assert_eq!(check_truth(&disk, &seen).await, 110);
    let again = world::writer(&disk).await.unwrap();
    let more = object("more", vec![record("more", 0, "more")]);
    assert_eq!(commit(&again, std::slice::from_ref(&more), 99).await.unwrap().token, 111);
    assert_eq!(Ledger::of(&read(&disk).await).await.stored, 111);
}

#[tokio::test]
async fn input_that_breaks_the_contract_is_refused_and_leaves_nothing() {
    let disk = Disk::memory();
    let writer = world::writer(&disk).await.unwrap();
    let all = [object("a", vec![record("1", 0, "one")])];
    let mut miscounted = round(&all);
    miscounted.objects[0].records = 2;
    let mut strange = round(&all);
    strange.objects.clear();
    let mut unknown = round(&all);
    if let RoundPart::Held(rows) = &mut unknown.parts[0] {
        rows.records[0].0 = "no such table".to_string();
    }
    for input in [miscounted, strange, unknown] {
        if input.objects.is_empty() {
            continue; // nothing to commit at all
        }
        let error = writer.commit_round(input, &world::Words, at(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    }
    assert_eq!(check_truth(&disk, &[]).await, 0);
    assert!(spec().records.len() == 2);
}

#[tokio::test]
async fn clocks_that_differ_never_put_a_later_round_before_an_earlier() {
    let disk = Disk::memory();
    let (ann, bob) = (world::writer(&disk).await.unwrap(), world::writer(&disk).await.unwrap());
    let all = objects("a", 0, 6, 3);
    // Hours apart, and a rewrite of the ledger by the clock that is behind.
    for (n, object) in all.iter().enumerate() {
        let (writer, clock) = if n % 2 == 0 { (&ann, 7_200) } else { (&bob, 0) };
        commit(writer, std::slice::from_ref(object), clock + n as i64).await.unwrap();
        if n == 3 {
            let now = read(&disk).await;
            let ledger = now.table("objects").unwrap();
            let inputs: Vec<_> =
                ledger.files().await.unwrap().iter().map(|file| file.path.clone()).collect();
            bob.rewrite(ledger, &inputs, world::table_rows(ledger).await, at(1)).await.unwrap();
        }
    }
    let lake = Lake::open_with(&disk.location, disk.options.clone()).await.unwrap();
    let store = lake.store(world::STORE).await.unwrap();
    let mut last = None;
    for n in 1..=all.len() {
        let seen: Vec<&Object> = all.iter().take(n).collect();
        let snapshot = store.snapshot(Some(At::Token(n as i64))).await.unwrap();
        check_snapshot(&snapshot, &seen).await;
        assert!(snapshot.committed_at >= last, "round {n} comes before round {}", n - 1);
        last = snapshot.committed_at;
        // At the time of a round, it or one after it that has the same time.
        let by_time = store.snapshot(Some(At::Time(last.unwrap()))).await.unwrap();
        assert!(by_time.token >= n as i64, "round {} at the time of round {n}", by_time.token);
    }
}

#[tokio::test]
async fn a_round_whose_files_were_swept_up_while_it_slept_never_happened() {
    let disk = Disk::memory();
    let all = objects("a", 0, 2, 3);
    commit(&world::writer(&disk).await.unwrap(), &all[..1], 1).await.unwrap();
    let before = disk.paths("stores").await;
    for table in ["events", "notes", "objects"] {
        let mut slow = disk.clone();
        let (swept, before) = (disk.clone(), before.clone());
        slow.options.steps = Some(std::sync::Arc::new(move |step| {
            if *step == Step::ManifestWritten {
                futures::executor::block_on(async {
                    for path in swept.paths(&format!("stores/default/{table}")).await {
                        if path.ends_with(".parquet") && !before.contains(&path) {
                            swept.delete(&path).await;
                        }
                    }
                });
            }
        }));
        let writer = world::writer(&slow).await.unwrap();
        let error = commit(&writer, &all[1..], 2).await.unwrap_err();
        assert!(error.to_string().contains(&format!("default/{table}/")), "{error}");
        assert!(error.to_string().contains("is missing"), "{error}");
        assert_eq!(check_truth(&disk, &[&all[0]]).await, 1);
    }
    let writer = world::writer(&disk).await.unwrap();
    commit(&writer, &all[1..], 3).await.unwrap();
    assert_eq!(check_truth(&disk, &all.iter().collect::<Vec<_>>()).await, 2);
}
