//! A round that loses a race: what it wrote for the state it was planned on, and others have made
//! untrue since.

use traillake_store::{PartRows, RoundInput, RoundPart, SpilledPart};

use crate::world::{self, Disk, Object, Record, check_truth, commit, object, record, round};

/// Days of two months.
const JULY: i64 = 0;
const AUGUST: i64 = 30;

/// A part that holds the rows of one object of a round.
struct OnlyOf(Vec<Object>, usize);

impl SpilledPart for OnlyOf {
    fn load(&self) -> std::io::Result<PartRows> {
        let RoundPart::Held(mut rows) = round(&self.0).parts.remove(0) else {
            return Err(std::io::Error::other("it is spilled"));
        };
        for (_, batches) in rows.records.iter_mut().chain(&mut rows.plain) {
            for batch in batches {
                let of = batch.column_by_name("_object").unwrap();
                let this = arrow::array::Int64Array::new_scalar(self.1 as i64);
                let here = arrow::compute::kernels::cmp::eq(of, &this).unwrap();
                *batch = arrow::compute::filter_record_batch(batch, &here).unwrap();
            }
        }
        Ok(rows)
    }
}

/// The loser's round: planned on the empty store, in one part or one for each object.
fn planned_on_nothing(objects: &[Object], in_parts: bool) -> RoundInput {
    let mut input = round(objects);
    input.planned_at = Some(0);
    if in_parts {
        let part = |of| RoundPart::Spilled(Box::new(OnlyOf(objects.to_vec(), of)));
        input.parts = (0..objects.len()).map(part).collect();
    }
    input
}

/// Whatever `winners` commit before a round of `losers` that was planned and written before them,
/// in the end everything is there once.
#[track_caller]
fn check(what: &str, winners: &[Object], losers: &[Object]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for in_parts in [false, true] {
        for rounds in [vec![winners], winners.chunks(1).collect()] {
            runtime.block_on(async {
                let disk = Disk::memory();
                let winner = world::writer(&disk).await.unwrap();
                let loser = world::writer(&disk).await.unwrap();
                for (n, round) in (1..).zip(rounds) {
                    commit(&winner, round, n).await.unwrap();
                }
                let input = planned_on_nothing(losers, in_parts);
                let receipt = loser.commit_round(input, &world::Words, world::at(9)).await;
                let receipt = receipt.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(receipt.rebased, 1, "{what}: nothing was written before the race");
                let mut all: Vec<&Object> = winners.iter().chain(losers).collect();
                let name = |object: &&Object| (object.key.clone(), object.etag.clone());
                all.sort_by_cached_key(name);
                all.dedup_by(|a, b| name(&*a) == name(&*b));
                check_truth(&disk, &all).await;
            });
        }
    }
}

/// The same bytes under another key.
fn copy_of(original: &Object, key: &str) -> Object {
    Object { key: key.to_string(), ..original.clone() }
}

fn in_extras(records: Vec<Record>) -> Vec<Record> {
    records.into_iter().map(|record| Record { table: "extras", ..record }).collect()
}

#[test]
fn a_month_whose_rows_the_winner_brought_is_not_published_again() {
    let rows = |day| vec![record("1", day, "one"), record("2", day, "two"), record("3", day, "!")];
    let (july, august) = (object("july", rows(JULY)), object("august", rows(AUGUST)));
    let [a, b] = [&july, &august].map(Object::clone);
    check("the same object", std::slice::from_ref(&a), &[a.clone(), b.clone()]);
    check("the same object, later", std::slice::from_ref(&b), &[a.clone(), b.clone()]);
    check("all of them", &[a.clone(), b.clone()], &[b.clone(), a.clone()]);
    check("under another key", std::slice::from_ref(&a), &[copy_of(&a, "copy"), b.clone()]);
    check("both keys", &[copy_of(&a, "copy")], &[a.clone(), copy_of(&a, "copy"), b.clone()]);
    let more = object("more", [rows(JULY), vec![record("4", JULY, "four")]].concat());
    check("in another object", std::slice::from_ref(&more), &[a.clone(), b.clone()]);
    check("all and more", &[a.clone(), b.clone()], &[more, copy_of(&b, "copy")]);
    let (first, second) = (in_extras(rows(JULY)), in_extras(rows(AUGUST)));
    let [c, d] = [object("c", first), object("d", second)];
    check("in another table", &[c.clone(), a.clone()], &[c, a, d, b]);
}

#[test]
fn what_differs_from_the_winners_rows_is_kept_once() {
    let original = object("original", vec![record("1", JULY, "one"), record("2", JULY, "two")]);
    let retold = object("retold", vec![record("1", JULY, "uno"), record("2", JULY, "TWO")]);
    let again = object("again", vec![record("1", JULY, "uno"), record("5", AUGUST, "five")]);
    check("variants", std::slice::from_ref(&original), &[retold.clone(), again.clone()]);
    check("known variants", &[original.clone(), retold.clone()], std::slice::from_ref(&again));
    let both = [original.clone(), retold.clone()];
    check("own variants, now known", &both, &[original.clone(), again.clone()]);
    check("own rows, now variants", std::slice::from_ref(&retold), &[original.clone(), again]);
    let changed = Object { etag: "2".to_string(), key: original.key.clone(), ..retold };
    check("another content of the key", &[original], &[changed]);
}
