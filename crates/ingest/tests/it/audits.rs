//! Lakes audited: what was ingested is found sound, row by row, and what was damaged is found.

use std::fs;
use std::sync::Arc;

use traillake_ingest::{LogProof, RecordCounts, store_spec};
use traillake_store::{Audit, AuditOptions, Grade, Lake, OpenOptions};
use traillake_testkit::corpus::corpus;
use traillake_testkit::trail::{Filling, Trail, TrailOptions};

use crate::{Bench, event, files, gzip, key, log};

async fn audit(bench: &Bench) -> Audit {
    let options = AuditOptions { proof: Some(Arc::new(LogProof)) };
    let location = bench.root().join("lake");
    let location = location.to_str().unwrap();
    Lake::audit(location, OpenOptions::default(), &store_spec(), &options).await.unwrap()
}

fn told(audit: &Audit) -> String {
    audit.findings.iter().map(|finding| format!("{:?} {finding}\n", finding.grade)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_lakes_are_sound() {
    for seed in 0..100 {
        let share = seed as f64 / 100.0;
        let trail = Trail::new(TrailOptions {
            seed,
            accounts: 1 + seed as u32 % 4,
            days: 1 + seed as u32 % 70,
            objects: 3 + seed % 5,
            filling: Filling::Median(1 + seed as u32 % 12),
            duplicate_share: share / 2.0,
            late_share: share,
            ..TrailOptions::default()
        });
        let bench = Bench::new();
        let write = |name: &str, body: &str| drop(bench.put(name, gzip(body)));
        for number in 0..trail.objects() {
            let object = trail.object(number);
            write(&object.key, &object.body);
            if number == trail.objects() / 2 {
                bench.ingest().await;
            }
        }
        // A copy that differs, a copy that is spelled otherwise, a record that is none, an empty log.
        let [told, other] = [event(1), event(1).replace("GetObject", "PutObject")];
        let spelled = told.replace("\":\"", "\": \"");
        write(&key(1, "a"), &format!("{{\"Records\":[{told},{spelled},{other},{{\"x\":1}}]}}"));
        write(&key(2, "b"), &log([]));
        bench.ingest().await;
        let audit = audit(&bench).await;
        assert!(audit.findings.is_empty(), "seed {seed}: {}", self::told(&audit));
        assert!(audit.rows > 3, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lake_of_real_events_is_sound() {
    let Some(all) = corpus("") else { return };
    for set in fs::read_dir(all).unwrap() {
        let set = set.unwrap().path();
        if !set.is_dir() {
            continue;
        }
        let bench = Bench::new();
        bench.ingest_from(&[&set]).await;
        let audit = audit(&bench).await;
        assert!(audit.findings.is_empty(), "{}: {}", set.display(), told(&audit));
        assert!(audit.rows > 0, "{}", set.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_gives_other_bytes_back_is_named() {
    let bench = Bench::new();
    bench.put(&key(1, "a"), gzip(log(0..500)));
    bench.ingest().await;
    let lake = bench.root().join("lake/stores/default/events");
    let path = files(&lake).into_iter().find(|path| path.extension().unwrap() == "parquet");
    let path = path.unwrap();
    let whole = fs::read(&path).unwrap();
    let mut proven = 0;
    // Somewhere in the pages: most of them hold text of events.
    for at in (4..whole.len() * 2 / 3).step_by(whole.len() / 12) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x04;
        fs::write(&path, bytes).unwrap();
        let audit = audit(&bench).await;
        let named = |what: &str| {
            audit.findings.iter().any(|finding| {
                finding.grade == Grade::Damage
                    && finding.path.as_ref().is_some_and(|named| path.ends_with(named))
                    && finding.what.contains(what)
            })
        };
        let is_named = named("its bytes are not those that were written")
            || named("its footer cannot be read");
        assert!(is_named, "{at}: {}", told(&audit));
        proven += usize::from(named("its fingerprint is of other bytes"));
    }
    assert!(proven > 0, "no flipped byte came to a record");
}

/// The result of a Lake query over these events.
fn lake_export(ids: impl IntoIterator<Item = u32>) -> Vec<u8> {
    let rows = ids
        .into_iter()
        .map(|id| format!("\"x\",\"{}\",\"a, b\"\n", event(id).replace('"', "\"\"")));
    gzip(format!("eventID,eventJson,userAgent\n{}", rows.collect::<String>()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_export_is_ingested_and_beside_its_trail_adds_no_row() {
    let export = "AWSLogs/111122223333/CloudTrail-Lake/Query/2024/05/06/query/result_1.csv.gz";
    let sign = "AWSLogs/111122223333/CloudTrail-Lake/Query/2024/05/06/query/result_sign.json";
    let of = |records, stored, duplicates, rejects| RecordCounts {
        records,
        stored,
        duplicates,
        rejects,
        ..RecordCounts::default()
    };
    for trail_first in [true, false] {
        let bench = Bench::new();
        let put = |is_trail: bool| match is_trail {
            true => drop(bench.put(&key(1, "a"), gzip(log(0..40)))),
            false => {
                bench.put(export, lake_export(0..25));
                bench.put(&export.replace("_1.", "_2."), lake_export(25..40));
                bench.put(sign, r#"{"version":"1.0","files":[{"fileName":"result_1.csv.gz"}]}"#);
            }
        };
        put(trail_first);
        let first = bench.ingest().await;
        assert_eq!(first.records, of(40, 40, 0, 0));
        put(!trail_first);
        let second = bench.ingest().await;
        assert_eq!(second.records, of(40, 0, 40, 0));
        assert!(first.is_clean() && second.is_clean(), "{:?}", second.faults);
        let mut ids: Vec<_> = bench.texts("events", "eventID").into_iter().flatten().collect();
        ids.sort();
        let expected = (0..40).map(|id| format!("00000000-0000-0000-0000-{id:012}"));
        assert_eq!(ids, expected.collect::<Vec<_>>());
        let audit = audit(&bench).await;
        assert!(audit.findings.is_empty(), "{}", told(&audit));
    }
    let bench = Bench::new();
    let broken = format!("eventJson\nbroken \"row\n\"{}\"\n", event(1).replace('"', "\"\""));
    bench.put(export, gzip(broken));
    let report = bench.ingest().await;
    assert_eq!(report.records, of(2, 1, 0, 1));
    assert!(!report.is_clean());
    assert!(audit(&bench).await.findings.is_empty());
}
