//! What leaves and what stays, and that both are counted for ever.

use std::collections::BTreeSet;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use chrono::TimeDelta;
use traillake_store::{At, Expiry, Held};
use traillake_testkit::damage::flipped;

use super::{Row, before, check, check_sums, expire, from, rows};
use crate::upkeep::{lake_of, later, rounds, upkeep};
use crate::world::{self, Object, at, audit, commit, read, table_rows, told};

#[tokio::test]
async fn what_is_past_retention_leaves_and_nothing_else_does() {
    let rounds = rounds(24);
    for folded in [false, true] {
        let (disk, writer) = lake_of(&rounds).await;
        if folded {
            upkeep(&writer, later()).await.unwrap();
        }
        let all = rows(&read(&disk).await).await;
        let mut total = 0;
        for day in [0, 5, 5, 20, 60] {
            let expiry = before(day);
            let there = rows(&read(&disk).await).await;
            let state = writer.latest().await.unwrap();
            let due = writer.expiry_due(&state, expiry.clone()).await.unwrap().tables();
            assert_eq!(rows(&read(&disk).await).await, there, "asking changes nothing");
            let done = expire(&writer, &expiry).await.unwrap();
            assert_eq!(done, due, "what was said and what was done");
            let left = from(&all, &expiry);
            check(&disk, &left, &format!("day {day}, folded {folded}")).await;
            total += done.iter().map(|table| table.rows).sum::<u64>();
            assert_eq!(total as usize, all.len() - left.len());
            let rewritten: u64 = done.iter().map(|table| table.files_rewritten).sum();
            assert!(
                rewritten > 0 || !folded || ![5, 20].contains(&day) || total == 0 || {
                    // The second time on one day.
                    done.iter().all(|table| table.rows == 0)
                }
            );
            let first = done.iter().filter_map(|table| table.first).min();
            assert!(first.is_none_or(|first| first < expiry.before.timestamp_micros()));
        }
        assert!(total > 40, "{total}");
        // A later upkeep, with all its removals, changes nothing of that.
        upkeep(&writer, later() + TimeDelta::days(30)).await.unwrap();
        check(&disk, &from(&all, &before(60)), "after upkeep").await;
    }
}

#[tokio::test]
async fn what_has_left_is_known_and_does_not_come_back_by_a_re_read() {
    let rounds = rounds(12);
    let (disk, writer) = lake_of(&rounds).await;
    let all = rows(&read(&disk).await).await;
    expire(&writer, &before(8)).await.unwrap();
    let again: Vec<Object> = rounds.iter().flatten().cloned().collect();
    let receipt = commit(&writer, &again, 900).await.unwrap();
    assert_eq!(receipt.known.len(), again.len());
    let mut copies = again;
    copies.iter_mut().for_each(|copy| copy.key = format!("copy of {}", copy.key));
    let receipt = commit(&writer, &copies, 901).await.unwrap();
    assert!(receipt.objects.iter().all(|object| object.copy_of.is_some()), "{receipt:?}");
    check(&disk, &from(&all, &before(8)), "read again").await;
    assert_eq!(
        writer.expired("events").await.unwrap().before,
        Some(at(86_400 * 8).timestamp_micros())
    );
}

/// The way back after a wrong `--yes`: until vacuum takes the files.
#[tokio::test]
async fn a_time_before_a_removal_shows_what_has_left_since() {
    let (disk, writer) = lake_of(&rounds(12)).await;
    let all = rows(&read(&disk).await).await;
    let removals = [(before(3), later()), (before(8), later() + TimeDelta::days(1))];
    for (expiry, now) in &removals {
        let due = writer.expiry_due(&writer.latest().await.unwrap(), expiry.clone()).await.unwrap();
        writer.expire(&due, *now).await.unwrap();
    }
    let left = removals.each_ref().map(|(expiry, _)| from(&all, expiry));
    assert!(left[1].len() < left[0].len() && left[0].len() < all.len());
    for folded in [false, true] {
        if folded {
            upkeep(&writer, later() + TimeDelta::days(2)).await.unwrap();
        }
        for (hours, expected) in [(-1, &all), (0, &left[0]), (23, &left[0]), (24, &left[1])] {
            let time = later() + TimeDelta::hours(hours);
            let then = world::read_at(&disk, Some(At::Time(time))).await.unwrap();
            let found = rows(&then).await;
            assert!(found == *expected, "{hours} h: {} rows, not {}", found.len(), expected.len());
        }
        let round = world::read_at(&disk, Some(At::Token(12))).await.unwrap();
        assert!(rows(&round).await == left[1], "a round is as it is left");
    }
}

#[tokio::test]
async fn of_a_damaged_file_nothing_is_written_again() {
    let (lake, writer) = lake_of(&rounds(12)).await;
    upkeep(&writer, later()).await.unwrap();
    let (expiry, snapshot) = (before(8), read(&lake).await);
    let left = from(&rows(&snapshot).await, &expiry);
    let path = snapshot.table("events").unwrap().files().await.unwrap()[0].path.clone();
    let written = lake.bytes(path.as_ref()).await;
    let mut told = Vec::new();
    // Most of them in its middle: values of other columns than the time.
    for part in [2, 4, 5, 6, 7, 8, 12] {
        let disk = lake.fork();
        let writer = world::writer(&disk).await.unwrap();
        disk.put(path.as_ref(), flipped(&written, written.len() * part / 16)).await;
        // A file whose times cannot be read is refused before it is compared.
        let error = expire(&writer, &expiry).await.unwrap_err().to_string();
        assert!(error.contains(path.as_ref()), "{error}");
        told.push(error);
        let live = read(&disk).await.table("events").unwrap().files().await.unwrap();
        assert!(live.iter().any(|file| file.path == path), "part {part}");
        disk.put(path.as_ref(), written.clone()).await;
        expire(&writer, &expiry).await.unwrap();
        check(&disk, &left, &format!("part {part}")).await;
    }
    let compared = told.iter().filter(|error| error.contains("not those that were written"));
    assert!(compared.count() > 3, "{told:#?}");
}

#[tokio::test]
async fn what_is_held_stays_and_so_does_every_other_table() {
    let rounds = rounds(24);
    let (disk, writer) = lake_of(&rounds).await;
    upkeep(&writer, later()).await.unwrap();
    let snapshot = read(&disk).await;
    let all = rows(&snapshot).await;
    let mut held = Held::new();
    let mut named = BTreeSet::new();
    for batch in table_rows(snapshot.table("events").unwrap()).await {
        let objects = batch.column_by_name("_object").unwrap().as_primitive::<Int64Type>();
        let indexes = batch.column_by_name("_index").unwrap().as_primitive::<Int32Type>();
        for row in (0..batch.num_rows()).step_by(3) {
            held.insert((objects.value(row), i64::from(indexes.value(row))));
            named.insert(one(&batch, row));
        }
    }
    let expiry = Expiry { held: Some(held), ..before(60) };
    let done = expire(&writer, &expiry).await.unwrap();
    assert_eq!(done.len(), 1, "{done:?}");
    let stays = |(table, _, row): &&Row| *table != "events" || named.contains(row);
    let left: BTreeSet<Row> = all.iter().filter(stays).cloned().collect();
    check(&disk, &left, "held").await;
    // Once nothing is held, the rest leaves.
    expire(&writer, &before(60)).await.unwrap();
    check(&disk, &BTreeSet::new(), "released").await;
}

fn one(batch: &RecordBatch, row: usize) -> String {
    format!("{:?}", batch.slice(row, 1).columns())
}

#[tokio::test]
async fn counts_are_carried_over_checkpoints_and_logs_that_were_shortened() {
    let rounds = rounds(30);
    let (disk, writer) = lake_of(&rounds[..10]).await;
    expire(&writer, &before(3)).await.unwrap();
    let expired = read(&disk).await.table("events").unwrap().expired().await.unwrap();
    assert!(expired.rows > 0);
    let mut n = 100;
    for _ in 0..6 {
        for round in &rounds[10..] {
            let mut round = round.clone();
            n += 1;
            round.iter_mut().for_each(|object| object.key = format!("{} {n}", object.key));
            round[0].records = vec![world::record(&format!("later {n}"), 39, "v")];
            commit(&writer, &round, n).await.unwrap();
        }
    }
    let report = upkeep(&writer, later()).await.unwrap();
    let events = &report.tables[0];
    assert!(events.log_files_removed > 50, "{events:?}");
    let snapshot = read(&disk).await;
    assert_eq!(snapshot.table("events").unwrap().expired().await.unwrap(), expired);
    check_sums(&disk, &snapshot, "shortened").await;
    // What the log has forgotten the sums still tell.
    let poorer = disk.fork();
    let tombstones = disk.paths("stores/default/expired").await;
    poorer.delete(tombstones.iter().find(|path| path.contains("/events-")).unwrap()).await;
    let found = told(&audit(&poorer, false).await);
    assert!(found.contains("rows have left the table, and 0 of them are told of"), "{found}");
    let all = rows(&snapshot).await;
    expire(&writer, &before(30)).await.unwrap();
    check(&disk, &from(&all, &before(30)), "and on").await;
}
