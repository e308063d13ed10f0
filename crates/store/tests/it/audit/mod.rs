//! Audits: every damage is found and named, and nothing is found where there is none. (Every other
//! test that holds a lake against the truth has it audited too.)

mod files;
mod flips;
mod logs;
mod plant;
mod rows;
mod unread;

use std::sync::Arc;

use traillake_store::{Audit, AuditOptions, Error, Grade, Lake};
use traillake_testkit::faults::{Counted, Faults, Reply, Trouble};

use crate::upkeep::behind;
use crate::world::{self, Disk, audit, commit, object, record, told};

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

/// A storage that answers once that it is busy: what was not read is not told to be sound.
#[tokio::test]
async fn a_read_that_fails_once_is_told_and_leaves_no_lake_sound() {
    let lake = lake().await;
    let round = "00000000-0000-4000-8000-000000000000";
    let dead = format!("stores/default/rounds/{:020}-{round}.json", 5);
    let manifest =
        format!(r#"{{"format":1,"number":5,"round":"{round}","at_micros":1,"tables":[]}}"#);
    lake.put(&dead, manifest).await;
    let plain = Arc::new(Faults::none(Counted::All));
    assert!(audit(&behind(&lake, &plain), true).await.is_sound());
    let manifest = format!("get {dead}");
    let is_looked_at = |step: &String| {
        let is_file = step.starts_with("get stores/default/events/month=");
        (is_file && step.ends_with(".parquet")) || *step == manifest
    };
    let steps = (0_u64..).zip(plain.trace()).filter(|(_, step)| is_looked_at(step));
    let mut failed = 0;
    for (step, name) in steps {
        let busy = Trouble::Fail { reply: Reply::Busy, applied: false };
        let faults = Arc::new(Faults::none(Counted::All).with(step, busy));
        let found = audit(&behind(&lake, &faults), true).await;
        // Files are read a few at a time, so the step may be of another one.
        for struck in faults.struck().into_iter().filter(|struck| is_looked_at(struck)) {
            let path = struck.trim_start_matches("get ");
            assert!(told(&found).contains(path), "`{name}`, `{struck}`: {}", told(&found));
            assert!(!found.is_sound(), "`{name}`, `{struck}`: {}", told(&found));
            failed += 1;
        }
    }
    assert!(failed > 16, "{failed} reads");
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
