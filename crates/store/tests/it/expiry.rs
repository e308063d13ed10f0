//! Retention: what is past it leaves, and nothing else does, whatever interrupts it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::{TimeDelta, Utc};
use futures::FutureExt;
use traillake_store::{
    Error, Expiry, Held, Lake, Result, Settings, StoreSnapshot, StoreWriter, TableExpiry,
    UpkeepOptions,
};
use traillake_testkit::faults::{Counted, Faults, Outcome, Trouble};

use crate::meanwhile::Meanwhile;
use crate::power::{scratch, watched_disk};
use crate::turns::Turns;
use crate::upkeep::{behind, lake_in, lake_of, later, rounds, upkeep};
use crate::world::{
    self, Disk, Ledger, Object, STORE, at, audit, commit, object, read, record, table_rows, told,
};

/// The tables that records leave.
const TABLES: [&str; 3] = ["events", "extras", "variants"];

/// What is from before this day leaves.
pub fn before(day: i64) -> Expiry {
    Expiry { before: at(86_400 * day), held: None, memory_bytes: 64 << 20 }
}

pub async fn expire(writer: &StoreWriter, expiry: &Expiry) -> Result<Vec<TableExpiry>> {
    let due = writer.expiry_due(&writer.latest().await?, expiry.clone()).await?;
    writer.expire(&due, later()).await?;
    Ok(due.tables())
}

/// A row: its table, its time, everything else of it.
pub type Row = (&'static str, i64, String);

/// Every row of the tables that records leave.
pub async fn rows(snapshot: &StoreSnapshot) -> BTreeSet<Row> {
    let mut found = BTreeSet::new();
    for table in TABLES {
        for batch in table_rows(snapshot.table(table).unwrap()).await {
            let times = batch.column_by_name("at").unwrap();
            let times = times.as_primitive::<TimestampMicrosecondType>().clone();
            for row in 0..batch.num_rows() {
                let all = format!("{:?}", batch.slice(row, 1).columns());
                assert!(found.insert((table, times.value(row), all)), "a row stands there twice");
            }
        }
    }
    found
}

pub fn from(rows: &BTreeSet<Row>, expiry: &Expiry) -> BTreeSet<Row> {
    let before = expiry.before.timestamp_micros();
    rows.iter().filter(|(_, at, _)| *at >= before).cloned().collect()
}

/// Holds a lake against the rows that should be left of it: they are there, what has left is counted,
/// and an audit finds nothing.
pub async fn check(disk: &Disk, left: &BTreeSet<Row>, why: &str) {
    let snapshot = read(disk).await;
    let found = rows(&snapshot).await;
    assert!(found == *left, "{why}: {} rows and not {}", found.len(), left.len());
    check_sums(disk, &snapshot, why).await;
}

/// Rows ever stored are rows present and rows expired; tombstones name each that has.
async fn check_sums(disk: &Disk, snapshot: &StoreSnapshot, why: &str) {
    let ledger = Ledger::of(snapshot).await;
    let (mut stored, mut variants) = (0, 0);
    for name in TABLES {
        let table = snapshot.table(name).unwrap();
        let present: u64 = table.files().await.unwrap().iter().map(|file| file.rows).sum();
        let expired = table.expired().await.unwrap();
        let tombstones = table.tombstones().await.unwrap();
        let named: u64 = tombstones.iter().map(|tombstone| tombstone.rows).sum();
        assert_eq!(named, expired.rows, "{why}: tombstones of `{name}`");
        for tombstone in &tombstones {
            let of_files: u64 = tombstone.files.iter().map(|file| file.expired).sum();
            assert_eq!(of_files, tombstone.rows, "{why}: {tombstone:?}");
            assert!(tombstone.files.iter().all(|file| file.xxh3.is_some()), "{tombstone:?}");
        }
        match name {
            "variants" => variants += present + expired.rows,
            _ => stored += present + expired.rows,
        }
    }
    let told_of = (ledger.stored as u64, ledger.variants as u64);
    assert_eq!(told_of, (stored, variants), "{why}: the ledger, and rows present and expired");
    let audit = audit(disk, true).await;
    assert!(audit.is_sound(), "{why}: {}", told(&audit));
}

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

#[tokio::test]
async fn stopped_at_every_step_each_table_has_lost_all_it_should_or_nothing() {
    stopped_at_every_step(Disk::memory()).await;
}

#[tokio::test]
async fn in_a_bucket_each_table_has_lost_all_it_should_or_nothing() {
    stopped_at_every_step(Disk::bucket()).await;
}

/// A lake with one file for each month.
async fn folded_lake(disk: Disk) -> (Disk, BTreeSet<Row>) {
    let (lake, writer) = lake_in(disk, &rounds(16)).await;
    upkeep(&writer, later()).await.unwrap();
    let all = rows(&read(&lake).await).await;
    (lake, all)
}

/// Of each table all that should has left, or nothing has; whether that is half of the work.
pub async fn check_whole_or_nothing(
    disk: &Disk,
    all: &BTreeSet<Row>,
    left: &BTreeSet<Row>,
    why: &str,
) -> bool {
    let snapshot = read(disk).await;
    let found = rows(&snapshot).await;
    for table in TABLES {
        let of = |rows: &BTreeSet<Row>| -> BTreeSet<Row> {
            rows.iter().filter(|(name, ..)| *name == table).cloned().collect()
        };
        let whole = of(&found) == of(all) || of(&found) == of(left);
        assert!(whole, "{why}: `{table}` has lost some");
    }
    check_sums(disk, &snapshot, why).await;
    found != *all && found != *left
}

async fn stopped_at_every_step(disk: Disk) {
    let (lake, all) = folded_lake(disk).await;
    let expiry = before(6);
    let left = from(&all, &expiry);
    let plain = Arc::new(Faults::none(Counted::Changes));
    let disk = lake.fork();
    expire(&world::writer(&behind(&disk, &plain)).await.unwrap(), &expiry).await.unwrap();
    check(&disk, &left, "undisturbed").await;
    let steps = plain.trace().len();
    assert!(steps >= 8, "{:?}", plain.trace());
    let mut half_way = 0;
    for step in 0..steps {
        for outcome in [Outcome::Applied, Outcome::NotApplied, Outcome::AppliedUnheard] {
            let why = format!("{outcome:?} at `{}`", plain.trace()[step]);
            let stop = Arc::new(Faults::stop_at(step as u64, Counted::Changes, outcome));
            let disk = lake.fork();
            if let Ok(writer) = world::writer(&behind(&disk, &stop)).await {
                let _ = expire(&writer, &expiry).await;
            }
            assert!(stop.stopped());
            half_way += usize::from(check_whole_or_nothing(&disk, &all, &left, &why).await);
            let writer = world::writer(&disk).await.unwrap();
            expire(&writer, &expiry).await.unwrap();
            check(&disk, &left, &why).await;
            // What was written for nothing goes, and so do tombstones of what never happened.
            upkeep(&writer, later() + TimeDelta::days(60)).await.unwrap();
            check(&disk, &left, &why).await;
        }
    }
    assert!(half_way > 5, "{half_way}");
}

/// Full at each step of an expiry: what it has done of a table is done, and it says why it ends.
#[tokio::test]
async fn a_disk_that_fills_up_in_an_expiry_is_told_and_costs_no_row() {
    let (lake, all) = folded_lake(Disk::memory()).await;
    let expiry = before(6);
    let left = from(&all, &expiry);
    let plain = Arc::new(Faults::none(Counted::Changes));
    expire(&world::writer(&behind(&lake.fork(), &plain)).await.unwrap(), &expiry).await.unwrap();
    let mut refused = 0;
    for (step, what) in plain.trace().iter().enumerate() {
        let why = format!("full at `{what}`");
        let full = Faults::none(Counted::Changes).with(step as u64, Trouble::Fill);
        let disk = lake.fork();
        let writer = world::writer(&behind(&disk, &Arc::new(full))).await.unwrap();
        match expire(&writer, &expiry).await {
            Ok(_) => check(&disk, &left, &why).await,
            Err(error) => {
                refused += 1;
                let error: &dyn std::error::Error = &error;
                let mut causes = std::iter::successors(Some(error), |error| error.source());
                let told =
                    |cause: &dyn std::error::Error| cause.to_string().contains("no storage space");
                assert!(causes.any(told), "{why}: {error}");
            }
        }
        check_whole_or_nothing(&disk, &all, &left, &why).await;
        expire(&world::writer(&disk).await.unwrap(), &expiry).await.unwrap();
        check(&disk, &left, &why).await;
    }
    assert!(refused > 5, "{refused}");
}

#[tokio::test]
async fn power_lost_during_an_expiry_loses_no_row_and_brings_none_back() {
    let rounds = rounds(6);
    let expiry = before(3);
    let filled = async |disk: &Disk| {
        let writer = world::writer(disk).await.unwrap();
        for (n, round) in (1..).zip(&rounds) {
            commit(&writer, round, n).await.unwrap();
        }
        writer
    };
    let syncs = {
        let folder = scratch();
        let (disk, power) = watched_disk(folder.path());
        let writer = filled(&disk).await;
        let before = power.syncs();
        expire(&writer, &expiry).await.unwrap();
        before..power.syncs()
    };
    assert!(syncs.end > syncs.start + 8, "{syncs:?}");
    for (seed, cut) in syncs.enumerate() {
        let why = format!("cut at {cut}");
        let folder = scratch();
        let (disk, power) = watched_disk(folder.path());
        let writer = filled(&disk).await;
        // Objects are numbered by chance: each lake has rows of its own.
        let all = rows(&read(&disk).await).await;
        let left = from(&all, &expiry);
        assert!(left.len() < all.len());
        power.cut_at(cut);
        let _ = expire(&writer, &expiry).await;
        power.crash(seed as u64).unwrap();
        check_whole_or_nothing(&disk, &all, &left, &why).await;
        expire(&world::writer(&disk).await.unwrap(), &expiry).await.unwrap();
        check(&disk, &left, &why).await;
    }
}

#[tokio::test]
async fn an_expiry_that_nobody_polls_any_more_leaves_a_whole_store() {
    let (lake, all) = folded_lake(Disk::memory()).await;
    let expiry = before(6);
    let left = from(&all, &expiry);
    let (mut not_begun, mut done) = (0, 0);
    for polls in (0..14).map(|n| 1 << n) {
        let disk = lake.fork();
        let writer = world::writer(&disk).await.unwrap();
        let mut work = Box::pin(expire(&writer, &expiry).fuse());
        for _ in 0..polls {
            if futures::poll!(&mut work).is_ready() {
                break;
            }
            // Logs are read on threads of their own.
            tokio::time::sleep(std::time::Duration::from_micros(200)).await;
        }
        drop(work);
        let why = format!("{polls} polls");
        check_whole_or_nothing(&disk, &all, &left, &why).await;
        let found = rows(&read(&disk).await).await;
        (not_begun, done) =
            (not_begun + usize::from(found == all), done + usize::from(found == left));
        expire(&world::writer(&disk).await.unwrap(), &expiry).await.unwrap();
        check(&disk, &left, &why).await;
    }
    assert!(not_begun > 1 && done > 0, "{not_begun} not begun, {done} done");
}

#[tokio::test]
async fn beside_upkeep_ingest_and_another_expiry() {
    let rounds = rounds(14);
    let (lake, _) = lake_of(&rounds[..10]).await;
    let (mut overtaken, mut rebased) = (0, 0);
    for seed in 0..5 {
        let disk = lake.fork();
        let turns = Turns::new(seed, 4);
        let reached = |number: usize| {
            let turns = turns.clone();
            disk.wrapped(Arc::new(move |inner| turns.wrap(number, inner)))
        };
        let expiring = |number: usize| {
            let (disk, turns) = (reached(number), turns.clone());
            async move {
                let mut lost = 0;
                loop {
                    let writer = world::writer(&disk).await.unwrap();
                    match expire(&writer, &before(6)).await {
                        Ok(_) => break,
                        Err(Error::NotLive { .. }) => lost += 1,
                        Err(error) => panic!("seed {seed}: {error}"),
                    }
                }
                turns.leave(number);
                lost
            }
        };
        let tending = async {
            let writer = world::writer(&reached(2)).await.unwrap();
            let report = writer.upkeep(&UpkeepOptions::default(), Utc::now()).await.unwrap();
            turns.leave(2);
            report
        };
        let ingest = async {
            let writer = world::writer(&reached(3)).await.unwrap();
            let mut rebased = 0;
            for (n, round) in (50..).zip(&rounds[10..]) {
                rebased += commit(&writer, round, n).await.unwrap().rebased;
            }
            turns.leave(3);
            rebased
        };
        let (ann, bob, report, lost) = tokio::join!(expiring(0), expiring(1), tending, ingest);
        assert!(report.is_clean(), "seed {seed}: {report:?}");
        overtaken += ann + bob;
        rebased += lost;
        check_sums(&disk, &read(&disk).await, &format!("seed {seed}")).await;
        // What came in after the others had looked leaves the next time.
        let writer = world::writer(&disk).await.unwrap();
        expire(&writer, &before(6)).await.unwrap();
        let snapshot = read(&disk).await;
        let found = rows(&snapshot).await;
        assert_eq!(from(&found, &before(6)), found, "seed {seed}");
        check_sums(&disk, &snapshot, &format!("seed {seed}")).await;
    }
    assert!(overtaken > 2 && rebased > 2, "{overtaken} overtaken, {rebased} rebased");
}

async fn set(disk: &Disk, change: impl Fn(&mut Settings)) {
    let lake = Lake::open_with(&disk.location, disk.options.clone()).await.unwrap();
    let change = |settings: &mut Settings| {
        change(settings);
        Ok(())
    };
    lake.set_store(STORE, later(), change).await.unwrap();
}

#[tokio::test]
async fn a_hold_at_any_moment_keeps_all_that_has_not_left_by_then() {
    let rounds = rounds(6);
    let (lake, _) = lake_of(&rounds).await;
    let plain = Meanwhile::nothing();
    let writer = world::writer(&plain.on(&lake.fork())).await.unwrap();
    let opened = plain.calls().len();
    expire(&writer, &before(3)).await.unwrap();
    let calls = plain.calls();
    let (mut changed, mut overtaken, mut in_time) = (0, 0, 0);
    for (call, what) in calls.iter().enumerate().skip(opened) {
        let why = format!("a hold before `{what}`");
        let disk = lake.fork();
        let there = Arc::new(Mutex::new(None));
        let (from, found) = (disk.clone(), there.clone());
        let meanwhile = Meanwhile::before(call, move || async move {
            set(&from, |settings| {
                settings.holds.insert("case".to_string(), "true".to_string());
            })
            .await;
            let rows = rows(&read(&from).await).await;
            *found.lock().unwrap() = Some(rows);
        });
        let writer = world::writer(&meanwhile.on(&disk)).await.unwrap();
        match expire(&writer, &before(3)).await {
            Err(Error::SettingsChanged { .. }) => changed += 1,
            Err(Error::NotLive { .. }) => overtaken += 1,
            Ok(_) => in_time += 1,
            Err(error) => panic!("{why}: {error}"),
        }
        let there = there.lock().unwrap().take().unwrap();
        check(&disk, &there, &why).await;
    }
    assert!(changed > 5 && overtaken > 2, "{changed} changed, {overtaken} overtaken, {in_time}");
}

#[tokio::test]
async fn what_leaves_while_a_round_is_made_does_not_come_back_with_it() {
    let old: Vec<Object> = (0..4)
        .map(|n| object(&format!("old {n}"), vec![record(&format!("{n}"), n, "v")]))
        .collect();
    // The same events in another object, and one that is young.
    let records = vec![record("1", 1, "v"), record("2", 2, "other"), record("9", 9, "young")];
    let more = [object("more", records)];
    let (lake, writer) = lake_of(&[old]).await;
    let settings = |settings: &mut Settings| settings.retention_days = Some(30);
    set(&lake, settings).await;
    drop(writer);
    let plain = Meanwhile::nothing();
    let writer = world::writer(&plain.on(&lake.fork())).await.unwrap();
    let opened = plain.calls().len();
    commit(&writer, &more, 50).await.unwrap();
    let (mut deselected, calls) = (0, plain.calls());
    for (call, what) in calls.iter().enumerate().skip(opened) {
        let why = format!("an expiry before `{what}`");
        let disk = lake.fork();
        let from = disk.clone();
        let meanwhile = Meanwhile::before(call, move || async move {
            expire(&world::writer(&from).await.unwrap(), &before(5)).await.unwrap();
        });
        let writer = world::writer(&meanwhile.on(&disk)).await.unwrap();
        let receipt = commit(&writer, &more, 50).await.unwrap();
        assert!(meanwhile.happened(), "{why}");
        deselected += receipt.objects.iter().map(|object| object.deselected).sum::<u64>();
        let snapshot = read(&disk).await;
        let left = rows(&snapshot).await;
        let left: Vec<_> = left.iter().filter(|(table, ..)| *table == "events").collect();
        assert_eq!(left.len(), 1, "{why}: {left:?}");
        check_sums(&disk, &snapshot, &why).await;
    }
    assert!(deselected > 10, "{deselected}");
}

#[tokio::test]
async fn a_tombstone_for_nothing_is_told_from_others_however_short_the_log() {
    let (disk, writer) = lake_of(&rounds(3)).await;
    // Killed between a tombstone and its commit; another commit takes that version.
    let version = writer.snapshot().table("events").unwrap().version() + 1;
    let plain = Arc::new(Faults::none(Counted::Changes));
    expire(&world::writer(&behind(&disk.fork(), &plain)).await.unwrap(), &before(1)).await.unwrap();
    let commit_of = format!("put {}", world::commit_path("events", version));
    let step = plain.trace().iter().position(|step| *step == commit_of).unwrap();
    let stop = Faults::stop_at(step as u64, Counted::Changes, Outcome::NotApplied);
    let killed = world::writer(&behind(&disk, &Arc::new(stop))).await.unwrap();
    expire(&killed, &before(1)).await.unwrap_err();
    assert_eq!(disk.paths("stores/default/expired").await.len(), 1);
    for n in 100..202 {
        let one = [object(&format!("later {n}"), vec![record(&format!("{n}"), 39, "v")])];
        commit(&writer, &one, n).await.unwrap();
    }
    // Killed after the log was shortened and before anything else.
    let plain = Arc::new(Faults::none(Counted::Changes));
    upkeep(&world::writer(&behind(&disk.fork(), &plain)).await.unwrap(), later()).await.unwrap();
    let of_log = |step: &String| step.starts_with("delete") && step.contains("/_delta_log/");
    let step = plain.trace().iter().rposition(of_log).unwrap();
    let stop = Arc::new(Faults::stop_at(step as u64, Counted::Changes, Outcome::Applied));
    let _ = upkeep(&world::writer(&behind(&disk, &stop)).await.unwrap(), later()).await;
    assert!(stop.stopped());
    check_sums(&disk, &read(&disk).await, "killed").await;
    for _ in 0..2 {
        let writer = world::writer(&disk).await.unwrap();
        upkeep(&writer, later() + TimeDelta::days(60)).await.unwrap();
        check_sums(&disk, &read(&disk).await, "tended").await;
    }
    assert!(disk.paths("stores/default/expired").await.is_empty());
    assert!(!disk.holds(&world::commit_path("events", version)).await, "the log is short");
}
