//! Buckets: an S3 on this machine in, a lake out, whatever S3 does meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use object_store::client::{HttpConnector, ReqwestConnector};
use object_store::path::Path;
use object_store::{
    Attribute, AttributeValue, Attributes, ClientOptions, ObjectStoreExt, PutOptions,
};
use traillake_ingest::{
    Bucket, CancelFlag, Error, Lister, Looks, Report, Selection, Source, check_sources, plan,
};
use traillake_store::Lake;
use traillake_testkit::s3::{Asked, S3, Spoiled};
use traillake_testkit::trail::{Filling, Trail, TrailOptions};

use crate::archives::tar_of;
use crate::{Bench, gzip, key, log, truth};

pub(crate) const BUCKET: &str = "trail";

/// An S3 with one bucket, and a lake to bring it into.
pub(crate) struct World {
    pub(crate) s3: S3,
    pub(crate) bench: Bench,
}

impl World {
    pub(crate) async fn new() -> World {
        World { s3: S3::start(&[BUCKET]).await.unwrap(), bench: Bench::new() }
    }

    pub(crate) fn source(&self, prefix: &str) -> Source {
        Source::Bucket(self.bucket(BUCKET, prefix))
    }

    pub(crate) fn bucket(&self, name: &str, prefix: &str) -> Bucket {
        let objects = Arc::new(self.s3.client(name).unwrap());
        let options = ClientOptions::new().with_allow_http(true);
        let lister = Lister {
            bucket_url: format!("{}/{name}", self.s3.endpoint()),
            region: "us-east-1".to_owned(),
            credentials: Some(objects.credentials().clone()),
            requester_pays: false,
            archives_told: true,
            retry: self.s3.retry(),
            patience: self.bench.options.patience,
            http: ReqwestConnector::default().connect(&options).unwrap(),
        };
        Bucket { name: name.to_owned(), prefix: prefix.to_owned(), lister, objects }
    }

    pub(crate) async fn ingest(&self) -> Report {
        let sources = vec![self.source("")];
        self.bench.run(sources, &*self.bench.lines, &CancelFlag::default()).await
    }

    pub(crate) fn put(&self, key: &str, bytes: impl AsRef<[u8]>) {
        let path = self.s3.bucket_folder(BUCKET).join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Writes a trail of several accounts, regions and months.
    pub(crate) fn put_trail(&self, objects: u64) -> Trail {
        let trail = Trail::new(TrailOptions {
            accounts: 3,
            regions: 2,
            days: 90,
            objects,
            filling: Filling::Median(6),
            duplicate_share: 0.05,
            ..TrailOptions::default()
        });
        trail.write_to(&self.s3.bucket_folder(BUCKET), 2).unwrap();
        trail
    }
}

pub(crate) fn count(asked: &[Asked], of: impl Fn(&Asked) -> bool) -> usize {
    asked.iter().filter(|asked| of(asked)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_comes_in_once_newest_day_first() {
    let world = World::new().await;
    let trail = world.put_trail(240);
    world.put("AWSLogs/111122223333/Config/eu-west-1/2024/5/6/x.json.gz", gzip("{}"));
    world.put("AWSLogs/111122223333/vpcflowlogs/eu-west-1/2024/05/06/x.log.gz", gzip("x"));
    world.put("notes.txt", "not a log");
    world.put("empty.txt", "");

    let report = world.ingest().await;
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!(report.records, truth(&trail));
    assert_eq!(world.bench.rows("events").await, report.records.stored);
    assert_eq!(report.ignored["another service's folder, not listed"], 2);
    assert_eq!(report.ignored["not CloudTrail"], 1);
    assert_eq!(report.ignored["empty file"], 1);
    let asked = world.s3.asked();
    let others = |asked: &Asked| asked.is_listing() && asked.query.contains("Config");
    assert_eq!(count(&asked, others), 0, "another service's folder was listed");

    let lines = world.bench.lines.taken_in.lock().unwrap().clone();
    let days: Vec<String> =
        lines.iter().map(|line| line.delivered_at.as_ref().unwrap()[..10].to_owned()).collect();
    assert!(days.is_sorted_by(|a, b| a >= b), "newest day first");
    assert!(days.first().unwrap()[..7] > days.last().unwrap()[..7], "several months");
    assert!(lines[0].object.starts_with("s3://trail/AWSLogs/"), "{}", lines[0].object);
    assert!(lines[0].logical_key.starts_with("AWSLogs/"));

    let again = world.ingest().await;
    assert_eq!((again.objects.known, again.objects.read), (240, 0));
    assert_eq!(count(&world.s3.asked(), |asked| asked.path.ends_with(".json.gz")), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_comes_in_oldest_day_first_where_somebody_asks_for_that() {
    let mut world = World::new().await;
    world.put_trail(120);
    world.bench.options.oldest_first = true;
    let report = world.ingest().await;
    assert!(report.is_clean(), "{report:#?}");
    let lines = world.bench.lines.taken_in.lock().unwrap().clone();
    let days: Vec<&str> =
        lines.iter().map(|line| &line.delivered_at.as_ref().unwrap()[..10]).collect();
    assert!(days.is_sorted(), "{days:?}");
    assert!(days[0][..7] < days[days.len() - 1][..7], "several months");
    let within_a_month = days.windows(2).any(|of| of[0] < of[1] && of[0][..7] == of[1][..7]);
    assert!(within_a_month, "several days of one");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_selected_is_listed() {
    let mut world = World::new().await;
    let trail = world.put_trail(120);
    let day = |text: &str| Some(format!("{text}T00:00:00Z").parse().unwrap());
    let folder = world.s3.bucket_folder(BUCKET).join("AWSLogs/o-trail00lake");
    let mut accounts: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    accounts.sort();
    let first_day = TrailOptions::default().first_day;
    let since = first_day.checked_add_days(chrono::Days::new(40)).unwrap();
    let until = first_day.checked_add_days(chrono::Days::new(45)).unwrap();
    world.bench.options.selection = Selection {
        since: day(&since.to_string()),
        until: day(&until.to_string()),
        accounts: [accounts[1].clone()].into(),
        ..Selection::default()
    };
    let sources = vec![world.source("")];
    let options = &world.bench.options;
    let planned = plan(None, sources, options, &CancelFlag::default()).await.unwrap();
    assert!(planned.total.new_objects > 0 && planned.total.new_objects < trail.objects() / 3);
    let asked = world.s3.asked();
    for other in [&accounts[0], &accounts[2]] {
        let inside = format!("{other}%2F");
        assert_eq!(count(&asked, |asked| asked.query.contains(&inside)), 0, "{other} was listed");
    }
    assert!(planned.cells.iter().all(|cell| cell.account.as_ref() == Some(&accounts[1])));
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_come_in_whatever_they_are_called() {
    for prefix in ["logs~old", "a#b%20c", "[x]{y}*", "ü é", "a+b"] {
        let world = World::new().await;
        for (minute, folder) in [(1, String::new()), (2, format!("{prefix}/"))] {
            world.put(&format!("{folder}{}", key(minute, "a")), gzip(log(minute..minute + 1)));
            world.put(&format!("{folder}loose-{minute}.json"), log(minute + 10..minute + 11));
        }
        let report = world.ingest().await;
        assert!(report.is_clean(), "{prefix}: {report:#?}");
        assert_eq!((report.objects.read, report.records.stored), (4, 4), "{prefix}");
        let sources = vec![world.source(&format!("{prefix}/"))];
        let again = world.bench.run(sources, &*world.bench.lines, &CancelFlag::default()).await;
        assert_eq!((again.objects.known, again.objects.read), (2, 0), "{prefix}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_asked_for_costs_no_other() {
    let world = World::new().await;
    for minute in 1..4 {
        world.put(&key(minute, "a"), gzip(log(minute..minute + 1)));
    }
    // As S3 lists a month of it: a log, and what somebody's script left beside it.
    let entry = |key: &str, size: u64, at: &str| {
        format!(
            "<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>{at}</LastModified></Contents>"
        )
    };
    let file = fs::metadata(world.s3.bucket_folder(BUCKET).join(key(1, "a"))).unwrap();
    let at = chrono::DateTime::<chrono::Utc>::from(file.modified().unwrap()).to_rfc3339();
    let page = [
        entry(&key(1, "a"), file.len(), &at),
        entry("AWSLogs//copy.json.gz", 9, &at),
        entry("AWSLogs/../x.json", 9, &at),
    ];
    let page = format!("<ListBucketResult>{}</ListBucketResult>", page.concat());
    let page: &'static str = Box::leak(page.into_boxed_str());
    world.s3.spoil(move |_, asked| {
        let whole = asked.is_listing() && !asked.query.contains("delimiter");
        whole.then_some(Spoiled::Answered(page))
    });
    let report = world.ingest().await;
    let objects = report.objects;
    assert_eq!((objects.read, objects.failed, report.records.stored), (1, 2, 1), "{report:#?}");
    let named: Vec<&str> = report.faults.iter().map(|fault| &*fault.object).collect();
    assert_eq!(named, ["s3://trail/AWSLogs//copy.json.gz", "s3://trail/AWSLogs/../x.json"]);
    assert!(report.faults[0].reason.contains("empty part"), "{}", report.faults[0].reason);
    world.s3.heal();
    let report = world.ingest().await;
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.objects.read, world.bench.rows("events").await), (2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_archived_is_named_and_never_asked_for() {
    let world = World::new().await;
    world.put(&key(1, "cold"), gzip(log(0..2)));
    world.put(&key(2, "known"), gzip(log(2..5)));
    let folder = world.s3.bucket_folder(BUCKET);
    let entry = |name: &str, rest: &str| {
        let key = key(if name == "cold" { 1 } else { 2 }, name);
        let file = fs::metadata(folder.join(&key)).unwrap();
        format!(
            "<Contents><Key>{key}</Key><Size>{}</Size><LastModified>{}</LastModified>\
             <StorageClass>GLACIER</StorageClass>{rest}</Contents>",
            file.len(),
            chrono::DateTime::<chrono::Utc>::from(file.modified().unwrap()).to_rfc3339(),
        )
    };
    let page = |rest: &str| -> &'static str {
        let page = entry("cold", rest);
        Box::leak(format!("<ListBucketResult>{page}</ListBucketResult>").into_boxed_str())
    };
    let (cold, warm) = (
        page(""),
        page(
            "<RestoreStatus><RestoreExpiryDate>2030-01-01T00:00:00Z</RestoreExpiryDate></RestoreStatus>",
        ),
    );
    let listed_as = |page: &'static str| {
        world.s3.spoil(move |_, asked| {
            let whole = asked.is_listing() && !asked.query.contains("delimiter");
            whole.then_some(Spoiled::Answered(page))
        });
    };
    listed_as(cold);
    let options = &world.bench.options;
    let planned =
        plan(None, vec![world.source("")], options, &CancelFlag::default()).await.unwrap();
    assert_eq!((planned.total.archived_objects, planned.total.new_objects), (1, 0));
    for _ in 0..2 {
        let report = world.ingest().await;
        assert_eq!((report.objects.failed, report.objects.read), (1, 0), "{report:#?}");
        assert_eq!(report.faults[0].kind.to_string(), "archived");
        assert!(report.faults[0].reason.contains("restore it"));
    }
    let asked = world.s3.asked();
    assert_eq!(count(&asked, |asked| asked.is_reading()), 0, "{asked:?}");
    listed_as(warm);
    let report = world.ingest().await;
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.objects.read, report.records.stored), (1, 2));
    // What is in the lake may be archived: it is known.
    listed_as(cold);
    let report = world.ingest().await;
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.objects.known, report.objects.failed), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_the_last_days_asks_once_for_each_region() {
    let mut world = World::new().await;
    let trail = world.put_trail(240);
    let (accounts, regions) = (3, 2);
    let last = TrailOptions::default().first_day.checked_add_days(chrono::Days::new(87)).unwrap();
    let since = Some(format!("{last}T00:00:00Z").parse().unwrap());
    world.bench.options.selection = Selection { since, ..Selection::default() };
    let mut plans = Vec::new();
    for is_recent in [false, true] {
        world.bench.options.is_recent = is_recent;
        world.s3.asked();
        let (sources, options) = (vec![world.source("")], &world.bench.options);
        let planned = plan(None, sources, options, &CancelFlag::default()).await.unwrap();
        assert!(planned.total.new_objects > 0 && planned.total.new_objects < trail.objects() / 3);
        plans.push((planned.total, count(&world.s3.asked(), Asked::is_listing)));
    }
    let [(by_days, _), (at_once, lists)] = plans[..] else { panic!() };
    assert_eq!(by_days, at_once);
    // The bucket, `AWSLogs`, the organization, accounts, their services, and each region.
    assert_eq!(lists, 3 + accounts + accounts + accounts * regions);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_s3_does_nothing_is_lost_or_doubled() {
    for (name, spoiled) in [
        ("slow down", Spoiled::Refused(503, "SlowDown")),
        ("internal error", Spoiled::Refused(500, "InternalError")),
        ("answer lost", Spoiled::DoneThenRefused(500, "InternalError")),
        ("torn body", Spoiled::BrokenOff(40)),
    ] {
        let world = World::new().await;
        let trail = world.put_trail(90);
        world.s3.spoil(move |number, _| number.is_multiple_of(5).then_some(spoiled));
        let report = world.ingest().await;
        assert!(report.is_clean(), "{name}: {report:#?}");
        assert_eq!(report.records, truth(&trail), "{name}");
        assert_eq!(world.bench.rows("events").await, report.records.stored, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_falls_silent_is_asked_again() {
    let mut world = World::new().await;
    world.bench.options.patience = Duration::from_millis(300);
    for minute in 0..8 {
        world.put(&key(minute, "a"), gzip(log(minute * 3..minute * 3 + 3)));
    }
    let times = AtomicUsize::new(0);
    world.s3.spoil(move |_, asked| {
        let first = asked.is_reading() && times.fetch_add(1, Ordering::Relaxed) < 3;
        first.then_some(Spoiled::Late(60_000))
    });
    let report = world.ingest().await;
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.objects.read, report.records.stored), (8, 24));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_be_read_is_named_with_what_is_missing() {
    let check = async |spoiled: Spoiled, kind: &str, words: &str| {
        let world = World::new().await;
        world.put(&key(1, "good"), gzip(log(0..3)));
        world.put(&key(2, "bad"), gzip(log(3..6)));
        world.s3.spoil(move |_, asked| asked.path.contains("_bad.").then_some(spoiled));
        let report = world.ingest().await;
        assert_eq!((report.objects.read, report.objects.failed), (1, 1), "{words}");
        let fault = &report.faults[0];
        assert_eq!(fault.kind.to_string(), kind, "{}", fault.reason);
        assert!(fault.reason.contains(words), "{}", fault.reason);
        assert!(!fault.reason.contains("</"), "{}", fault.reason);
        assert!(fault.object.ends_with("_bad.json.gz"));
        world.s3.heal();
        let report = world.ingest().await;
        assert_eq!((report.objects.known, report.objects.read), (1, 1), "it stays new");
    };
    check(Spoiled::Refused(403, "AccessDenied"), "unreadable", "`s3:GetObject`").await;
    check(Spoiled::Refused(403, "InvalidObjectState"), "archived", "restore it").await;
    check(Spoiled::Refused(400, "ExpiredToken"), "unreadable", "have expired").await;
    check(Spoiled::Refused(404, "NoSuchKey"), "vanished", "vanished").await;
    check(Spoiled::Refused(412, "PreconditionFailed"), "changed", "overwritten").await;
    let key = "User: arn:aws:iam::111122223333:user/me is not authorized to perform: kms:Decrypt on \
               resource: arn:aws:kms:eu-west-1:111122223333:key/1 with an explicit deny in a \
               resource-based policy";
    let words = "`kms:Decrypt` on `arn:aws:kms:eu-west-1:111122223333:key/1` is refused with an \
                 explicit deny in a resource-based policy";
    check(Spoiled::Told(403, "AccessDenied", key), "unreadable", words).await;
    for code in ["KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException"] {
        let words = format!("the KMS key cannot be used: {code}: no &");
        check(Spoiled::Told(400, code, "no &amp;"), "unreadable", &words).await;
    }
    let skewed = Spoiled::Told(403, "RequestTimeTooSkewed", "The difference is too large.");
    check(skewed, "unreadable", "RequestTimeTooSkewed: The difference is too large.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_may_not_be_listed_is_refused_at_once() {
    let world = World::new().await;
    world.s3.spoil(|_, _| Some(Spoiled::Refused(403, "AccessDenied")));
    let refused = check_sources(vec![world.source("logs/")], None).await;
    let Err(Error::Bucket { bucket, reason }) = refused else { panic!("{refused:?}") };
    assert_eq!(bucket, "s3://trail/logs/");
    assert!(reason.contains("`s3:ListBucket` on `arn:aws:s3:::trail`"), "{reason}");
    world.s3.heal();
    let absent = Source::Bucket(world.bucket("absent", ""));
    let refused = check_sources(vec![absent], None).await.unwrap_err();
    assert!(refused.to_string().contains("there is no bucket `absent`"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_overwritten_after_its_listing_comes_in_as_it_is_then() {
    let world = World::new().await;
    let (name, path) = (key(1, "a"), world.s3.bucket_folder(BUCKET).join(key(1, "a")));
    world.put(&name, gzip(log(0..3)));
    let overwritten = AtomicBool::new(false);
    let newer = gzip(log(0..4));
    world.s3.spoil(move |_, asked| {
        if asked.path.ends_with("_a.json.gz") && !overwritten.swap(true, Ordering::Relaxed) {
            fs::write(&path, &newer).unwrap();
        }
        None
    });
    let report = world.ingest().await;
    assert_eq!((report.objects.failed, report.records.stored), (1, 0), "{report:#?}");
    let report = world.ingest().await;
    assert_eq!((report.objects.read, report.records.stored), (1, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_objects_and_archives_come_in_from_a_bucket() {
    let mut world = World::new().await;
    world.bench.options.memory_bytes = 4 << 20;
    let lines: Vec<String> = (0..4_000).map(crate::event).collect();
    world.put("exports/large.ndjson", lines.join("\n"));
    let mut archive = tar::Builder::new(Vec::new());
    for (name, ids) in [("a.json", 5_000..5_003), ("b.json", 5_003..5_007)] {
        let bytes = log(ids);
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        archive.append_data(&mut header, name, bytes.as_bytes()).unwrap();
    }
    world.put("old/logs.tar", archive.into_inner().unwrap());
    let report = world.ingest().await;
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.objects.read, report.records.stored), (3, 4_007));
    assert!(world.bench.line("a.json").object.ends_with("s3://trail/old/logs.tar!/a.json"));
    let again = world.ingest().await;
    assert_eq!((again.objects.known, again.objects.read), (3, 0));
}

/// Whether days of the bucket's trail count as listed, all of them the same.
async fn is_listed(world: &World) -> bool {
    let lake = Lake::open(world.bench.root().join("lake").to_str().unwrap()).await.unwrap();
    let files = lake.store("default").await.unwrap().looks().await.unwrap();
    let looks = Looks::of_files(files.iter().map(|look| &*look.text)).unwrap();
    let listed: BTreeSet<bool> = looks.days().into_iter().map(|run| run.listed).collect();
    assert_eq!(listed.len(), 1, "{looks:?}");
    listed.contains(&true)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_could_not_be_looked_into_is_left_to_the_next_run() {
    let world = World::new().await;
    world.put(&key(1, "a"), gzip(log(0..2)));
    world.put("old/logs.tar", tar_of("log.json", log(2..5)));
    world.put("old/loose.json", log(5..9));
    let met = Mutex::new(BTreeSet::new());
    world.s3.spoil(move |_, asked| {
        let is_first =
            asked.path.contains("/old/") && met.lock().unwrap().insert(asked.path.clone());
        is_first.then_some(Spoiled::Refused(403, "AccessDenied"))
    });
    let report = world.ingest().await;
    let objects = report.objects;
    assert_eq!((objects.read, objects.failed, objects.ignored), (2, 1, 0), "{report:#?}");
    let fault = &report.faults[0];
    assert_eq!(
        (fault.kind.to_string().as_str(), &*fault.object),
        ("unreadable", "s3://trail/old/logs.tar")
    );
    assert!(fault.reason.contains("is an archive"), "{fault:?}");
    assert!(!is_listed(&world).await);

    let next = world.ingest().await;
    assert!(next.is_clean(), "{next:#?}");
    assert_eq!((next.objects.known, next.objects.read, next.records.stored), (2, 1, 3));
    assert!(is_listed(&world).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_s3_keeps_beside_a_digest_is_kept_with_it() {
    let world = World::new().await;
    let name = "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2024/05/06/\
                111122223333_CloudTrail-Digest_eu-west-1_main_eu-west-1_20240506T120000Z.json.gz";
    let digest = r#"{"awsAccountId":"111122223333","digestStartTime":"2024-05-06T11:00:00Z","digestEndTime":"2024-05-06T12:00:00Z","digestS3Bucket":"trail","digestS3Object":"x","digestPublicKeyFingerprint":"aa","digestSignatureAlgorithm":"SHA256withRSA","logFiles":[]}"#;
    let metadata = [("signature", "0a1b"), ("signature-algorithm", "SHA256withRSA")];
    let metadata =
        metadata.map(|(name, text)| (Attribute::Metadata(name.into()), AttributeValue::from(text)));
    let options =
        PutOptions { attributes: Attributes::from_iter(metadata), ..PutOptions::default() };
    let client = world.s3.client(BUCKET).unwrap();
    let (path, bytes) = (Path::from(name), gzip(digest));
    object_store::ObjectStore::put_opts(&client, &path, bytes.into(), options).await.unwrap();
    assert!(client.head(&path).await.unwrap().size > 0);

    let report = world.ingest().await;
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!(world.bench.rows("digests").await, 1);
    let column = world.bench.texts("digests", "signature");
    assert_eq!(column, [Some("0a1b".to_owned())]);
    let column = world.bench.texts("digests", "signatureAlgorithm");
    assert_eq!(column, [Some("SHA256withRSA".to_owned())]);
    let column = world.bench.texts("digests", "backfillGenerationTimestamp");
    assert_eq!(column, [None]);
}
