//! Lakes audited: what was ingested is found sound, row by row, and what was damaged is found.

use std::fs;
use std::sync::Arc;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt as _};
use traillake_ingest::{CancelFlag, LogProof, RecordCounts, Source, ingest, store_spec};
use traillake_store::{
    Audit, AuditOptions, Expiry, Grade, Lake, OpenOptions, StoreWriter, UpkeepOptions, UpkeepReport,
};
use traillake_testkit::corpus::corpus;
use traillake_testkit::trail::{Filling, Trail, TrailOptions};

use crate::{Bench, event, files, gzip, key, log, now};

async fn audit(bench: &Bench) -> Audit {
    Home::of(bench, None).audit().await
}

/// The lake of a bench: in its folder, or in a bucket in memory, where a table is checkpointed after
/// two commits.
struct Home<'a> {
    bench: &'a Bench,
    bucket: Option<Arc<InMemory>>,
}

impl Home<'_> {
    fn of(bench: &Bench, bucket: Option<Arc<InMemory>>) -> Home<'_> {
        Home { bench, bucket }
    }

    fn place(&self) -> (String, OpenOptions) {
        match self.bucket.clone() {
            Some(bucket) => {
                let bucket = Some(bucket as Arc<dyn ObjectStore>);
                ("s3://home".to_owned(), OpenOptions { bucket, ..OpenOptions::default() })
            }
            None => {
                let folder = self.bench.root().join("lake");
                (folder.to_str().unwrap().to_owned(), OpenOptions::default())
            }
        }
    }

    async fn writer(&self) -> Arc<StoreWriter> {
        let (location, options) = self.place();
        let lake = Lake::open_or_create_with(&location, options).await.unwrap();
        Arc::new(lake.writer("default", &store_spec(), now()).await.unwrap())
    }

    async fn ingest(&self) {
        let mut options = self.bench.options.clone();
        if self.bucket.is_some() {
            options.lake_folder = None;
        }
        let (writer, cancel) = (self.writer().await, CancelFlag::default());
        let sources = vec![Source::Path(self.bench.logs())];
        let report = ingest(writer, sources, options, &*self.bench.lines, &cancel, now).await;
        assert!(report.unwrap().adds_up());
    }

    async fn audit(&self) -> Audit {
        let (location, options) = self.place();
        let how = AuditOptions { proof: Some(Arc::new(LogProof)) };
        Lake::audit(&location, options, &store_spec(), &how).await.unwrap()
    }

    async fn is_checkpointed(&self) -> bool {
        let named = "stores/default/events/_delta_log/_last_checkpoint";
        match &self.bucket {
            Some(bucket) => bucket.head(&named.into()).await.is_ok(),
            None => false,
        }
    }
}

/// Lakes by what was done with them before they were audited.
#[derive(Debug, Default)]
struct Tended {
    folded: u32,
    expired: u32,
    vacuumed: u32,
    checkpointed: u32,
}

impl Tended {
    /// Folds a lake; as the seed says takes out what is from `before`, and removes what was replaced.
    /// Returns whether replaced files are left.
    async fn tend(&mut self, home: &Home<'_>, seed: u64, before: DateTime<Utc>) -> bool {
        let (writer, options) = (home.writer().await, UpkeepOptions::default());
        let folding = writer.upkeep(&options, now() + TimeDelta::days(2)).await.unwrap();
        let mut replaced = folded(&folding);
        self.folded += u32::from(replaced);
        if seed.is_multiple_of(3) {
            let expiry = Expiry { before, held: None, memory_bytes: 64 << 20 };
            let due = writer.expiry_due(&writer.latest().await.unwrap(), expiry).await.unwrap();
            writer.expire(&due, now() + TimeDelta::days(3)).await.unwrap();
            let expired = due.tables().iter().any(|table| table.rows > 0);
            self.expired += u32::from(expired);
            replaced |= expired;
        }
        if seed.is_multiple_of(5) {
            // By the storage's clock it is long after everything was written.
            let vacuum = writer.upkeep(&options, Utc::now() + TimeDelta::days(30)).await.unwrap();
            let vacuumed = vacuum.tables.iter().any(|table| table.files_removed > 0);
            self.vacuumed += u32::from(vacuumed);
            replaced = folded(&vacuum);
        }
        self.checkpointed += u32::from(home.is_checkpointed().await);
        replaced
    }
}

fn folded(report: &UpkeepReport) -> bool {
    assert!(report.is_clean(), "{report:?}");
    report.tables.iter().any(|table| table.files_folded > 0)
}

fn told(audit: &Audit) -> String {
    audit.findings.iter().map(|finding| format!("{:?} {finding}\n", finding.grade)).collect()
}

/// Half of them as they were brought in; the others tended, and half of those in a bucket.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_lakes_are_sound() {
    let mut tended = Tended::default();
    for seed in 0..100 {
        let share = seed as f64 / 100.0;
        let options = TrailOptions {
            seed,
            accounts: 1 + seed as u32 % 4,
            days: 1 + seed as u32 % 70,
            objects: 3 + seed % 5,
            filling: Filling::Median(1 + seed as u32 % 12),
            duplicate_share: share / 2.0,
            late_share: share,
            ..TrailOptions::default()
        };
        let middle = options.first_day + TimeDelta::days(i64::from(options.days / 2));
        let trail = Trail::new(options);
        let bench = Bench::new();
        let home = Home::of(&bench, seed.is_multiple_of(4).then(|| Arc::new(InMemory::new())));
        let in_many_rounds = home.bucket.is_some() && trail.objects() > 5;
        let write = |name: &str, body: &str| drop(bench.put(name, gzip(body)));
        for number in 0..trail.objects() {
            let object = trail.object(number);
            write(&object.key, &object.body);
            if in_many_rounds || number == trail.objects() / 2 {
                home.ingest().await;
            }
        }
        // A copy that differs, a copy that is spelled otherwise, a record that is none, an empty log.
        let [told, other] = [event(1), event(1).replace("GetObject", "PutObject")];
        let spelled = told.replace("\":\"", "\": \"");
        write(&key(1, "a"), &format!("{{\"Records\":[{told},{spelled},{other},{{\"x\":1}}]}}"));
        write(&key(2, "b"), &log([]));
        home.ingest().await;
        let replaced = seed.is_multiple_of(2)
            && tended.tend(&home, seed, middle.and_time(NaiveTime::MIN).and_utc()).await;
        let audit = home.audit().await;
        // Files that wait for the end of their grace are noted, and nothing else is.
        let mut findings = audit.findings.iter();
        let is_waiting = |what: &str| replaced && what.contains("in no table now");
        let sound = findings.all(|found| found.grade == Grade::Note && is_waiting(&found.what));
        assert!(sound && audit.more == 0, "seed {seed}: {}", self::told(&audit));
        assert!(audit.rows > 3, "seed {seed}");
    }
    let Tended { folded, expired, vacuumed, checkpointed } = tended;
    assert!(folded > 25 && expired > 5 && vacuumed > 4 && checkpointed > 4, "{tended:?}");
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
