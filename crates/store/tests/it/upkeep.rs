//! Upkeep: what it changes, and that it changes no row.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use chrono::{DateTime, TimeDelta, Utc};
use object_store::memory::InMemory;
use object_store::path::Path;
use tokio::sync::OnceCell;
use traillake_store::{
    At, Error, ErrorKind, Lake, Result, StoreSnapshot, StoreWriter, TableSnapshot, UpkeepOptions,
    UpkeepReport,
};
use traillake_testkit::faults::Faults;

use crate::expiry::{before, check, expire, from, rows, set};
use crate::world::{
    self, Disk, Object, at, check_snapshot, check_truth, commit, object, read, record, table_rows,
};

pub const TABLES: [&str; 6] = ["events", "extras", "notes", "objects", "rejects", "variants"];

/// A time at which everything in a test is long over, and grace periods with it.
pub fn later() -> DateTime<Utc> {
    Utc::now() + TimeDelta::days(30)
}

pub async fn upkeep(writer: &StoreWriter, now: DateTime<Utc>) -> Result<UpkeepReport> {
    writer.upkeep(&UpkeepOptions::default(), now).await
}

/// Rounds that meet in every way: equal records, other spellings and values, rejects, two months,
/// two tables.
pub fn rounds(count: usize) -> Vec<Vec<Object>> {
    let round = |n: usize| {
        let mut extra = record(&format!("e{}", n / 2), (n % 40) as i64, "e");
        extra.table = "extras";
        let mut records = vec![
            record(&format!("own {n}"), (n % 40) as i64, &format!("own {n}")),
            record(&format!("shared {}", n / 3), 2, &format!("value {}", n % 2)),
            record(&format!("shared {}", n / 3), 2, &format!("VALUE {}", n % 2)),
            extra,
        ];
        if n.is_multiple_of(4) {
            records.push(record("x", 0, "!x"));
        }
        vec![object(&format!("object {n:03}"), records)]
    };
    (0..count).map(round).collect()
}

pub fn of(rounds: &[Vec<Object>]) -> Vec<&Object> {
    rounds.iter().flatten().collect()
}

pub async fn lake_of(rounds: &[Vec<Object>]) -> (Disk, StoreWriter) {
    lake_in(Disk::memory(), rounds).await
}

/// A lake of these rounds on a disk that is empty.
pub async fn lake_in(disk: Disk, rounds: &[Vec<Object>]) -> (Disk, StoreWriter) {
    let writer = world::writer(&disk).await.unwrap();
    for (n, round) in (1..).zip(rounds) {
        commit(&writer, round, n).await.unwrap();
    }
    (disk, writer)
}

/// A lake of a hundred rounds and four, and these; made once, copied for each test.
pub async fn long_lake() -> (Disk, Vec<Vec<Object>>) {
    static LAKE: OnceCell<InMemory> = OnceCell::const_new();
    let rounds = rounds(104);
    let lake = LAKE.get_or_init(async || lake_of(&rounds).await.0.objects().fork()).await;
    (Disk::of(Arc::new(lake.fork())), rounds)
}

pub fn behind(disk: &Disk, faults: &Arc<Faults>) -> Disk {
    let faults = faults.clone();
    disk.wrapped(Arc::new(move |objects| faults.wrap(objects)))
}

/// Every row of a table as text, sorted, whatever file it stands in.
async fn lines(table: &TableSnapshot) -> Vec<String> {
    let rows: Vec<RecordBatch> = table_rows(table).await;
    let text = pretty_format_batches(&rows).unwrap().to_string();
    let cells = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let mut lines: Vec<String> = cells.filter(|line| !line.starts_with('+')).collect();
    lines.sort();
    lines
}

async fn all_lines(snapshot: &StoreSnapshot) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for table in TABLES {
        all.push(lines(snapshot.table(table).unwrap()).await);
    }
    all
}

/// Live files by table and month.
pub async fn files(snapshot: &StoreSnapshot) -> BTreeMap<(String, Option<String>), Vec<Path>> {
    let mut files: BTreeMap<_, Vec<Path>> = BTreeMap::new();
    for table in snapshot.tables() {
        for file in table.files().await.unwrap().iter() {
            let of = (table.name().to_string(), file.partition.clone());
            files.entry(of).or_default().push(file.path.clone());
        }
    }
    files
}

/// How often the rows of a file were rewritten, as its name tells.
fn rewrites(path: &Path) -> u32 {
    let name = path.filename().unwrap().strip_suffix(".parquet").unwrap();
    name.rsplit_once(".r").map_or(0, |(_, number)| number.parse().unwrap())
}

#[tokio::test]
async fn months_that_are_over_become_one_file_and_every_row_stays_as_it_was() {
    let rounds = rounds(24);
    let (disk, writer) = lake_of(&rounds).await;
    let before = read(&disk).await;
    let rows = all_lines(&before).await;
    let due = writer.upkeep_due(&UpkeepOptions::default(), later()).await.unwrap();
    assert_eq!(files(&read(&disk).await).await, files(&before).await, "asking changes nothing");

    let report = upkeep(&writer, later()).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    let after = read(&disk).await;
    for ((table, month), files) in files(&after).await {
        assert_eq!(files.len(), 1, "{table} {month:?}");
        assert_eq!(rewrites(&files[0]), 1, "{table} {month:?}");
    }
    assert_eq!(all_lines(&after).await, rows);
    assert_eq!(check_truth(&disk, &of(&rounds)).await, 24);
    for (did, due) in report.tables.iter().zip(&due.tables) {
        assert!(did.files_after < did.files_before && did.files_removed == 0, "{did:?}");
        assert_eq!(
            (did.files_after, did.files_folded, did.rows_rewritten),
            (due.files_after, due.files_folded, due.rows_rewritten),
            "{}: what was said and what was done",
            did.table
        );
    }
    // Their files go once nobody can need them: the commits that removed them say `later`.
    let again = upkeep(&writer, later() + TimeDelta::days(8)).await.unwrap();
    for (table, first) in again.tables.iter().zip(&report.tables) {
        assert_eq!((table.files_folded, table.rows_rewritten), (0, 0), "{}", table.table);
        assert_eq!(table.files_removed, first.files_folded, "{}", table.table);
    }
    assert_eq!(check_truth(&disk, &of(&rounds)).await, 24);
}

#[tokio::test]
async fn what_comes_again_after_a_fold_is_known_as_before() {
    let rounds = rounds(12);
    let (disk, writer) = lake_of(&rounds).await;
    upkeep(&writer, later()).await.unwrap();
    // By key, by content under another key, by record in other objects, by value of a variant.
    let mut again: Vec<Object> = rounds.iter().flatten().cloned().collect();
    let mut copies: Vec<Object> = again[..6].to_vec();
    copies.iter_mut().for_each(|copy| copy.key = format!("copy of {}", copy.key));
    let records: Vec<_> = again.iter().flat_map(|object| object.records.clone()).collect();
    let mixed = object("mixed", records.into_iter().rev().collect());
    for writer in [writer, world::writer(&disk).await.unwrap()] {
        let receipt = commit(&writer, &again, 100).await.unwrap();
        assert_eq!(receipt.known.len(), 12);
        let known = writer.known(Some("2023-11"), &["object 003"]).await.unwrap();
        assert!(known[0].is_some());
    }
    let writer = world::writer(&disk).await.unwrap();
    commit(&writer, &copies, 101).await.unwrap();
    let receipt = commit(&writer, std::slice::from_ref(&mixed), 102).await.unwrap();
    assert_eq!((receipt.objects[0].counts.stored, receipt.objects[0].counts.variants), (0, 0));
    again.extend(copies);
    again.push(mixed);
    check_truth(&disk, &again.iter().collect::<Vec<_>>()).await;
    upkeep(&writer, later()).await.unwrap();
    check_truth(&disk, &again.iter().collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn a_month_that_goes_on_is_folded_by_tiers_and_late_events_leave_for_a_file_of_their_own() {
    let disk = Disk::memory();
    let writer = world::writer(&disk).await.unwrap();
    let mut all = Vec::new();
    for n in 0..72 {
        // Every day a little later; in the second half each round has an event of the first day.
        let mut records = vec![record(&format!("{n}"), n / 9, &format!("v{n}"))];
        if n >= 36 {
            records.push(record(&format!("late {n}"), 0, "late"));
        }
        let object = object(&format!("object {n:02}"), records);
        commit(&writer, std::slice::from_ref(&object), n).await.unwrap();
        all.push(object);
        if n == 20 {
            let report = upkeep(&writer, at(n)).await.unwrap();
            assert_eq!(report.tables[0].files_folded, 0, "the month is not over");
        }
        if n % 36 == 35 {
            let report = upkeep(&writer, at(n)).await.unwrap();
            assert_eq!(report.tables[0].files_folded, 36, "{report:?}");
        }
    }
    let snapshot = read(&disk).await;
    let files = snapshot.table("events").unwrap().files().await.unwrap();
    let mut sizes: Vec<(u64, u32)> =
        files.iter().map(|file| (file.rows, rewrites(&file.path))).collect();
    sizes.sort();
    assert_eq!(sizes, [(36, 1), (36, 1), (36, 1)], "first half, second half, what was late");
    check_truth(&disk, &all.iter().collect::<Vec<_>>()).await;
    upkeep(&writer, later()).await.unwrap();
    let snapshot = read(&disk).await;
    assert_eq!(snapshot.table("events").unwrap().files().await.unwrap().len(), 1);
    check_truth(&disk, &all.iter().collect::<Vec<_>>()).await;
}

/// Rounds of one month that come when it has long been over, two days apart, with upkeep after each;
/// how often the rows of a file are written again, at most.
async fn late_rounds(disk: &Disk) -> (StoreWriter, u32) {
    let writer = world::writer(disk).await.unwrap();
    let mut folded = 0;
    for (n, round) in (0..).zip(&rounds(12)) {
        commit(&writer, round, n).await.unwrap();
        upkeep(&writer, later() + TimeDelta::days(2 * n)).await.unwrap();
        folded = folded.max(most_rewrites(disk).await);
    }
    check_truth(disk, &of(&rounds(12))).await;
    (writer, folded)
}

async fn most_rewrites(disk: &Disk) -> u32 {
    let files = files(&read(disk).await).await;
    files.values().flatten().map(rewrites).max().unwrap()
}

#[tokio::test]
async fn folds_write_no_row_again_more_than_four_times_where_events_stay() {
    let disk = Disk::memory();
    let (_, folded) = late_rounds(&disk).await;
    assert_eq!(folded, 4);
    // A retention that is set late writes the month as files a day, which no fold takes.
    set(&disk, |settings| settings.retention_days = Some(36_500)).await;
    let writer = world::writer(&disk).await.unwrap();
    let mut files = 0;
    for day in 1..=2 {
        files += expire(&writer, &before(day)).await.unwrap()[0].files_rewritten;
        upkeep(&writer, later() + TimeDelta::days(100 + 2 * day)).await.unwrap();
    }
    let most = most_rewrites(&disk).await;
    assert!(files > 0 && most == 5, "{files} files written, {most} times at most");
}

#[tokio::test]
async fn no_row_is_rewritten_more_than_four_times_where_events_leave() {
    let disk = Disk::memory();
    drop(world::writer(&disk).await.unwrap());
    set(&disk, |settings| settings.retention_days = Some(36_500)).await;
    let (writer, folded) = late_rounds(&disk).await;
    assert_eq!(folded, 3, "by folds, so that one is left");
    // They leave day by day: of each file what is left is written again once, and by no fold.
    let all = rows(&read(&disk).await).await;
    let (mut written, mut rewritten) = (0, 0);
    for day in 1..=11 {
        let expiry = before(day);
        written += expire(&writer, &expiry).await.unwrap()[0].files_rewritten;
        upkeep(&writer, later() + TimeDelta::days(100 + 2 * day)).await.unwrap();
        rewritten = rewritten.max(most_rewrites(&disk).await);
        check(&disk, &from(&all, &expiry), &format!("day {day}")).await;
    }
    assert_eq!((written, rewritten), (3, 4), "files of events, and how often a row was");
}

#[tokio::test]
async fn what_does_not_fit_into_memory_is_folded_in_pieces() {
    let disk = Disk::memory();
    let writer = world::writer(&disk).await.unwrap();
    let wide = |n: usize| format!("{n:03} {}", "w".repeat(3000));
    let mut all = Vec::new();
    for n in 0..8 {
        let records = (0..60).map(|r| record(&format!("{n} {r}"), r % 16, &wide(r as usize)));
        let object = object(&format!("object {n}"), records.collect());
        commit(&writer, std::slice::from_ref(&object), n).await.unwrap();
        all.push(object);
    }
    let rows = all_lines(&read(&disk).await).await;
    // The rows of a day, all of one instant, are 90 kB: less than the first budget has for them.
    for (memory_bytes, fits) in [(300_000, true), (20_000, false)] {
        let disk = disk.fork();
        let writer = world::writer(&disk).await.unwrap();
        let options = UpkeepOptions { memory_bytes, ..UpkeepOptions::default() };
        let report = writer.upkeep(&options, later()).await.unwrap();
        assert!(report.is_clean(), "{report:?}");
        let snapshot = read(&disk).await;
        let files = snapshot.table("events").unwrap().files().await.unwrap();
        let mut all_groups = Vec::new();
        for file in files.iter() {
            let groups = row_groups(disk.bytes(file.path.as_ref()).await);
            for pair in groups.windows(2) {
                assert!(pair[0].1.1 < pair[1].1.0, "slices are disjoint in time: {groups:?}");
            }
            all_groups.extend(groups);
        }
        assert_eq!(all_groups.iter().map(|(rows, _)| rows).sum::<i64>(), 480);
        match fits {
            true => assert!(files.len() == 1 && all_groups.len() > 8, "{all_groups:?}"),
            // An instant that does not fit becomes files of its own, of one slice each.
            false => {
                assert!(files.len() > 16 && all_groups.len() == files.len(), "{all_groups:?}");
                assert!(all_groups.iter().all(|(_, (first, last))| first == last));
            }
        }
        assert_eq!(all_lines(&snapshot).await, rows);
        check_truth(&disk, &all.iter().collect::<Vec<_>>()).await;
    }
}

/// Rows, first and last time of each row group.
fn row_groups(file: Vec<u8>) -> Vec<(i64, (i64, i64))> {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::file::statistics::Statistics;
    let file = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file)).unwrap();
    let of = |group: &parquet::file::metadata::RowGroupMetaData| {
        let at = group.columns().iter().find(|column| column.column_path().string() == "at");
        let Some(Statistics::Int64(times)) = at.unwrap().statistics() else { panic!("no times") };
        (group.num_rows(), (*times.min_opt().unwrap(), *times.max_opt().unwrap()))
    };
    file.metadata().row_groups().iter().map(of).collect()
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_told_and_holds_up_nothing_else() {
    let rounds = rounds(10);
    let (disk, writer) = lake_of(&rounds).await;
    let before = read(&disk).await;
    let extras = before.table("extras").unwrap().files().await.unwrap();
    disk.put(extras[0].path.as_ref(), b"nothing of the kind".to_vec()).await;
    let report = upkeep(&writer, later()).await.unwrap();
    assert!(!report.is_clean());
    for table in &report.tables {
        let damaged = table.table == "extras";
        assert_eq!(table.problems.is_empty(), !damaged, "{table:?}");
        assert!(damaged || table.files_after <= 2, "{table:?}");
    }
    let told = report.tables.iter().flat_map(|table| &table.problems).next().unwrap();
    assert!(told.contains(extras[0].path.as_ref()), "{told}");
}

/// What is made of a damaged file would vouch for the damage, and its copy in a backup would heal nothing.
#[tokio::test]
async fn what_is_not_as_it_was_written_becomes_part_of_no_other_file() {
    let rounds = rounds(10);
    let (lake, _) = lake_of(&rounds).await;
    for table in ["events", "objects"] {
        let path = read(&lake).await.table(table).unwrap().files().await.unwrap()[0].path.clone();
        let written = lake.bytes(path.as_ref()).await;
        for at in [written.len() / 8, written.len() / 3, written.len() / 2] {
            let disk = lake.fork();
            let writer = world::writer(&disk).await.unwrap();
            disk.put(path.as_ref(), traillake_testkit::damage::flipped(&written, at)).await;
            let report = upkeep(&writer, later()).await.unwrap();
            let told: Vec<_> = report.tables.iter().flat_map(|table| &table.problems).collect();
            assert_eq!(told.len(), 1, "{report:?}");
            let is_told =
                told[0].contains(path.as_ref()) && told[0].contains("not those that were");
            assert!(is_told, "{told:?}");
            let live = read(&disk).await.table(table).unwrap().files().await.unwrap();
            assert!(live.iter().any(|file| file.path == path), "{table}: it is still what counts");
            assert!(live.len() <= 3, "the others need not wait for it: {live:?}");
            // A backup's copy heals it.
            disk.put(path.as_ref(), written.clone()).await;
            assert!(upkeep(&writer, later()).await.unwrap().is_clean());
            check_truth(&disk, &of(&rounds)).await;
        }
    }
}

#[tokio::test]
async fn a_reader_of_an_older_state_reads_on_until_the_grace_is_over_and_then_hears_why() {
    let (disk, rounds) = long_lake().await;
    vacuum_under_a_reader(disk, &rounds).await;
}

#[tokio::test]
async fn in_a_bucket_a_reader_of_an_older_state_reads_on_until_the_grace_is_over() {
    let rounds = rounds(20);
    let (disk, _) = lake_in(Disk::bucket(), &rounds).await;
    vacuum_under_a_reader(disk, &rounds).await;
}

/// Half of the rounds are asked for again, before and after what that state shows is gone.
async fn vacuum_under_a_reader(disk: Disk, rounds: &[Vec<Object>]) {
    let (all, half) = (rounds.len() as i64, rounds.len() / 2);
    let older = At::Token(half as i64);
    let writer = world::writer(&disk).await.unwrap();
    let old = read(&disk).await;
    let listed = files(&old).await;
    let now = Utc::now() + TimeDelta::hours(1);
    upkeep(&writer, now).await.unwrap();
    upkeep(&writer, now + TimeDelta::days(6)).await.unwrap();
    assert_eq!(check_snapshot(&old, &of(rounds)).await, all);
    let lake = Lake::open_with(&disk.location, disk.options.clone()).await.unwrap();
    let store = lake.store(world::STORE).await.unwrap();
    let before = store.snapshot(Some(older)).await.unwrap();
    assert_eq!(check_snapshot(&before, &of(&rounds[..half])).await, half as i64);

    upkeep(&writer, now + TimeDelta::days(15)).await.unwrap();
    let gone = &listed[&("events".to_string(), Some("2023-11".to_string()))][0];
    assert!(!disk.holds(gone.as_ref()).await);
    let error = old.missing(gone.as_ref()).await.unwrap();
    assert!(matches!(error, Error::Outlived { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.hint().unwrap().contains("--vacuum-grace"));
    // The log of that time is gone as well: an older state is refused, not half found.
    let error = store.snapshot(Some(older)).await.unwrap_err();
    assert!(matches!(error, Error::TooOld { .. }), "{error}");
    assert_eq!(check_truth(&disk, &of(rounds)).await, all);
    // A file that is lost is another matter.
    let now = read(&disk).await;
    let live = now.table("events").unwrap().files().await.unwrap()[0].path.clone();
    disk.delete(live.as_ref()).await;
    assert_eq!(now.missing(live.as_ref()).await.unwrap().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn what_a_dead_process_left_half_written_is_swept_up_once_it_is_old() {
    let rounds = rounds(3);
    let disk = Disk::folder();
    let writer = world::writer(&disk).await.unwrap();
    for (n, round) in (1..).zip(&rounds) {
        commit(&writer, round, n).await.unwrap();
    }
    let events = std::path::Path::new(&disk.location).join("stores/default/events");
    let (half, other) = (events.join("part-a.parquet#123"), events.join("part-a.parquet#12x"));
    for path in [&half, &other] {
        std::fs::write(path, b"half a file").unwrap();
    }
    let lake = Lake::open_with(&disk.location, disk.options.clone()).await.unwrap();
    let swept = lake.sweep(Utc::now() - TimeDelta::hours(1)).await.unwrap();
    assert_eq!((swept, half.exists()), ((0, 0), true));
    let swept = lake.sweep(Utc::now() + TimeDelta::hours(1)).await.unwrap();
    assert_eq!((swept, half.exists(), other.exists()), ((1, 11), false, true));
    // A file that is none of the lake's is damage to an audit.
    std::fs::remove_file(&other).unwrap();
    check_truth(&disk, &of(&rounds)).await;
}

/// In a bucket every other commit has a checkpoint, each as large as the table's list of files.
#[tokio::test]
async fn in_a_bucket_few_checkpoints_stay_and_every_state_can_be_read() {
    let rounds = rounds(12);
    let (disk, writer) = lake_in(Disk::bucket(), &rounds).await;
    let checkpoints = async || {
        let paths = disk.paths("stores/default/events/_delta_log").await;
        paths.into_iter().filter(|path| path.ends_with(".checkpoint.parquet")).count()
    };
    assert_eq!(checkpoints().await, 6);
    upkeep(&writer, Utc::now() + TimeDelta::hours(1)).await.unwrap();
    let young = checkpoints().await;
    assert!(young >= 6, "{young}");
    let report = upkeep(&writer, Utc::now() + TimeDelta::days(2)).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(checkpoints().await, 2, "the oldest and the newest");
    for token in 1..=12 {
        let snapshot = world::read_at(&disk, Some(At::Token(token))).await.unwrap();
        check_snapshot(&snapshot, &of(&rounds[..token as usize])).await;
    }
    check_truth(&disk, &of(&rounds)).await;
}
