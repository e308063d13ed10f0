//! Retention: what is past it leaves, and nothing else does, whatever interrupts it.

mod leaving;

mod beside;
mod cut_off;

use std::collections::BTreeSet;

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use traillake_store::{Expiry, Lake, Result, Settings, StoreSnapshot, StoreWriter, TableExpiry};

use crate::upkeep::later;
use crate::world::{Disk, Ledger, STORE, at, audit, read, table_rows, told};

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

/// Changes what a store is set to.
pub async fn set(disk: &Disk, change: impl Fn(&mut Settings)) {
    let lake = Lake::open_with(&disk.location, disk.options.clone()).await.unwrap();
    let change = |settings: &mut Settings| {
        change(settings);
        Ok(())
    };
    lake.set_store(STORE, later(), change).await.unwrap();
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
