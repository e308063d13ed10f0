//! Answers of S3 that break off or never come, and how many are waited for at a time.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use traillake_ingest::{CancelFlag, Keys, Selection, Source};
use traillake_testkit::s3::{Asked, Spoiled};
use traillake_testkit::trail::TrailOptions;

use crate::buckets::{BUCKET, World};
use crate::{gzip, key, log, truth};

/// Which requests an answer is spoiled of.
type Hit = fn(&Asked) -> bool;

const READING: Hit = Asked::is_reading;
const LISTING: Hit = Asked::is_listing;
/// S3 says nothing for as long as anybody waits.
const SILENT: Spoiled = Spoiled::Late(60_000);
const SLOW_DOWN: Spoiled = Spoiled::Refused(503, "SlowDown");

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_break_off_or_never_come_lose_and_double_nothing() {
    for (hit, spoiled, is_recent) in [
        (READING, Spoiled::BrokenOff(0), false),
        (READING, Spoiled::BrokenOff(200), false),
        (READING, SILENT, true),
        (LISTING, Spoiled::BrokenOff(0), false),
        (LISTING, Spoiled::BrokenOff(300), true),
        (LISTING, SILENT, false),
        (LISTING, SILENT, true),
        (LISTING, SLOW_DOWN, true),
    ] {
        let mut world = World::new().await;
        let trail = world.put_trail(60);
        let first_day = TrailOptions::default().first_day;
        let since = Some(format!("{first_day}T00:00:00Z").parse().unwrap());
        world.bench.options.selection = Selection { since, ..Selection::default() };
        world.bench.options.is_recent = is_recent;
        world.bench.options.patience = Duration::from_millis(400);
        // Each of them once: no question is answered at its first time.
        let met = Mutex::new(HashSet::new());
        let spoils = Arc::new(AtomicUsize::new(0));
        let counted = spoils.clone();
        world.s3.spoil(move |_, asked| {
            let question = (asked.path.clone(), asked.query.clone());
            let is_first = hit(asked) && met.lock().unwrap().insert(question);
            counted.fetch_add(usize::from(is_first), Ordering::Relaxed);
            is_first.then_some(spoiled)
        });
        let what = format!("{spoiled:?}, {is_recent}");
        let report = world.ingest().await;
        let least = if hit(&listing()) { 10 } else { 60 };
        assert!(spoils.load(Ordering::Relaxed) >= least, "{what}");
        assert!(report.is_clean(), "{what}: {report:#?}");
        assert_eq!(report.records, truth(&trail), "{what}");
        assert_eq!(world.bench.rows("events").await, report.records.stored, "{what}");
        assert_eq!(world.bench.rows("objects").await, 60, "{what}");
        world.s3.heal();
        let again = world.ingest().await;
        assert_eq!((again.objects.known, again.objects.read), (60, 0), "{what}");
    }
}

/// A request for a listing.
fn listing() -> Asked {
    let (method, path) = ("GET".to_owned(), "/trail".to_owned());
    Asked { method, path, query: "list-type=2".to_owned() }
}

/// Puts an object of each of 80 accounts, and returns their keys.
fn put_accounts(world: &World) -> Vec<String> {
    let put = |account: u32| {
        let name = format!("{account:012}_CloudTrail_eu-west-1_20240506T1200Z_a.json.gz");
        let folder = format!("AWSLogs/{account:012}/CloudTrail/eu-west-1/2024/05/06");
        let key = format!("{folder}/{name}");
        world.put(&key, gzip(log(account..account + 1)));
        key
    };
    (0..80).map(put).collect()
}

/// Counts requests that are made at once: no such one is answered for three seconds, so those that
/// are made until then wait together.
fn count_at_once(world: &World, hit: Hit) -> Arc<AtomicUsize> {
    let answered_after = Duration::from_secs(3);
    let (began, at_once) = (OnceLock::new(), Arc::new(AtomicUsize::new(0)));
    let counted = at_once.clone();
    world.s3.spoil(move |_, asked| {
        if hit(asked) && began.get_or_init(Instant::now).elapsed() < answered_after {
            counted.fetch_add(1, Ordering::Relaxed);
            return Some(Spoiled::Late(answered_after.as_millis() as u64));
        }
        None
    });
    at_once
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_the_last_days_asks_for_many_folders_at_once() {
    let mut world = World::new().await;
    put_accounts(&world);
    let since = Some("2024-05-05T00:00:00Z".parse().unwrap());
    world.bench.options.selection = Selection { since, ..Selection::default() };
    world.bench.options.is_recent = true;
    let lists_late = |asked: &Asked| asked.is_listing() && asked.query.contains("start-after");
    let at_once = count_at_once(&world, lists_late);
    let report = world.ingest().await;
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.objects.read, report.records.stored), (80, 80));
    assert_eq!(at_once.load(Ordering::Relaxed), 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_objects_that_somebody_names_many_are_asked_for_at_once() {
    let world = World::new().await;
    let keys = Keys::Named(put_accounts(&world));
    let at_once = count_at_once(&world, |asked| asked.method == "HEAD");
    let sources = vec![Source::Keys(world.bucket(BUCKET, ""), keys)];
    let bench = &world.bench;
    let report = bench.run(sources, &*bench.lines, &CancelFlag::default()).await;
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.objects.read, report.records.stored), (80, 80));
    assert_eq!(at_once.load(Ordering::Relaxed), 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_s3_keeps_back_keeps_no_other_waiting() {
    let world = World::new().await;
    let keys: Vec<String> = (0..80).map(|number| key(0, &format!("{number:02}"))).collect();
    for (number, key) in (0..).zip(&keys) {
        world.put(key, gzip(log(number..number + 1)));
    }
    let late = keys[0].clone();
    world.s3.spoil(move |_, asked| {
        let is_late = asked.is_reading() && asked.path.ends_with(&late);
        is_late.then_some(Spoiled::Late(6_000))
    });
    let report = world.ingest().await;
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.objects.read, report.records.stored), (80, 80));
    let lines = world.bench.lines.taken_in.lock().unwrap();
    let place = lines.iter().position(|line| line.object.ends_with(&keys[0])).unwrap();
    assert!(place > 40, "more than are read at once come before it, not {place}");
}
