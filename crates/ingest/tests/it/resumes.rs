//! A run over a bucket that is cut off, and the one after it: nothing is listed or read twice that
//! need not be, and nothing is missed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use traillake_ingest::{CancelFlag, Progress, Report, ingest};
use traillake_testkit::s3::{Asked, Spoiled};

use crate::buckets::{World, count};
use crate::{gzip, key, log, now, truth};

/// The months of the trail, as they come in.
const MONTHS: [&str; 3] = ["2024/05", "2024/04", "2024/03"];
/// What comes before them: what is on this machine, and what is in no month.
pub(crate) const BEFORE_MONTHS: usize = 2;

/// Cuts a run off when it has listed so many parts, and before it reads the last of them.
pub(crate) struct CutOff {
    pub(crate) after: usize,
    pub(crate) parts: AtomicUsize,
    pub(crate) cancel: CancelFlag,
}

impl Progress for CutOff {
    fn planned(&self, _objects: u64, _bytes: u64) {
        if self.parts.fetch_add(1, Ordering::Relaxed) == self.after {
            self.cancel.cancel();
        }
    }
}

/// A run that is cut off when it has brought in so many parts and listed the next.
pub(crate) async fn cut_off(world: &World, after: usize) -> Report {
    let cancel = CancelFlag::default();
    let parts = AtomicUsize::new(0);
    let progress = CutOff { after, parts, cancel: cancel.clone() };
    world.bench.run(vec![world.source("")], &progress, &cancel).await
}

/// Another key in the folder of a log.
pub(crate) fn beside(key: &str) -> String {
    let stem = key.strip_suffix(".json.gz").unwrap();
    let (stem, last) = stem.split_at(stem.len() - 1);
    format!("{stem}{}.json.gz", if last == "A" { "B" } else { "A" })
}

/// How often folders of each month were listed.
fn months_listed(asked: &[Asked]) -> BTreeMap<String, usize> {
    let mut months = BTreeMap::new();
    for asked in asked.iter().filter(|asked| asked.is_listing()) {
        let query = asked.query.replace("%2F", "/");
        let prefix = query.split('&').find_map(|part| part.strip_prefix("prefix="));
        let parts: Vec<&str> = prefix.unwrap_or_default().split('/').collect();
        if let [.., year, month, ""] = parts[..]
            && !query.contains("delimiter")
        {
            *months.entry(format!("{year}/{month}")).or_default() += 1;
        }
    }
    months
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_cut_off_is_gone_on_with_and_the_one_after_it_lists_everything() {
    for after in 0..=BEFORE_MONTHS + MONTHS.len() {
        let world = World::new().await;
        let trail = world.put_trail(120);
        let stored = truth(&trail).stored;
        let first = cut_off(&world, after).await;
        assert_eq!(first.cancelled, after < BEFORE_MONTHS + MONTHS.len(), "after {after}");
        let before = months_listed(&world.s3.asked());
        let known = world.bench.rows("objects").await;
        // Late, in the month that comes in first.
        let newest = trail.object(119).key;
        assert!(newest.contains(MONTHS[0]), "{newest}");
        world.put(&beside(&newest), gzip(log(0..1)));

        let done = if first.cancelled { after.saturating_sub(BEFORE_MONTHS) } else { 0 };
        let is_found = u64::from(done == 0);
        let second = world.ingest().await;
        let asked = world.s3.asked();
        let listed = months_listed(&asked);
        assert!(second.is_clean(), "{second:#?}");
        assert_eq!(second.months_passed_over, done as u64, "after {after}");
        assert!(MONTHS[..done].iter().all(|month| !listed.contains_key(*month)), "{listed:?}");
        assert!(MONTHS[done..].iter().all(|month| listed.contains_key(*month)), "{listed:?}");
        let twice = MONTHS.iter().filter(|month| before.contains_key(**month));
        let twice = twice.filter(|month| listed.contains_key(**month)).count();
        assert!(twice <= 1 || !first.cancelled, "{before:?} and then {listed:?}");
        let reads = count(&asked, Asked::is_reading) as u64;
        assert_eq!(reads, 120 - known + is_found, "after {after}");
        assert_eq!(world.bench.rows("events").await, stored + is_found);

        let third = world.ingest().await;
        assert_eq!(third.months_passed_over, 0, "it came to its end");
        assert_eq!((third.objects.known, third.objects.read), (120 + is_found, 1 - is_found));
        assert_eq!(world.bench.rows("events").await, stored + 1);
    }
}

/// What happens before a run is cut off, what before the next, and how many months that one passes
/// over of the one that was brought in.
type Case = (&'static str, fn(&World), fn(&mut World), u64);

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_passed_over_only_where_it_is_as_it_was_and_whole() {
    let nothing: fn(&World) = |_| {};
    let cases: [Case; 6] = [
        ("nothing", nothing, |_| {}, 1),
        ("a folder more", nothing, |world| world.put(&key(1, "a"), gzip(log(0..1))), 0),
        ("to read again", nothing, |world| world.bench.options.rehash = true, 0),
        ("another reason", nothing, |world| world.bench.options.is_sweep = true, 0),
        (
            "another selection",
            nothing,
            |world| {
                let until = "2025-01-01T00:00:00Z".parse().unwrap();
                world.bench.options.selection.until = Some(until);
            },
            0,
        ),
        (
            "what could not be read",
            |world| {
                let refused = Spoiled::Refused(403, "AccessDenied");
                world.s3.spoil(move |number, asked| {
                    let is_it = asked.is_reading() && asked.path.contains("/2024/05/");
                    (is_it && number.is_multiple_of(2)).then_some(refused)
                });
            },
            |world| world.s3.heal(),
            0,
        ),
    ];
    for (what, before, meanwhile, passed_over) in cases {
        let mut world = World::new().await;
        let trail = world.put_trail(60);
        before(&world);
        let first = cut_off(&world, BEFORE_MONTHS + 1).await;
        assert!(first.cancelled, "{what}");
        meanwhile(&mut world);
        let second = world.ingest().await;
        assert!(second.is_clean(), "{what}: {second:#?}");
        assert_eq!(second.months_passed_over, passed_over, "{what}");
        let more = u64::from(what == "a folder more");
        assert_eq!(world.bench.rows("events").await, truth(&trail).stored + more, "{what}");
    }
}

/// So many minutes after the time at which the clock of these tests stands: 2025-06-15T15:06:40Z.
fn at<const MINUTES: i64>() -> DateTime<Utc> {
    now() + TimeDelta::minutes(MINUTES)
}

/// A run at a time, of events since another, cut off when it has brought in so many parts and listed the next.
async fn run_at(
    world: &World,
    clock: fn() -> DateTime<Utc>,
    since: Option<&str>,
    after: usize,
) -> Report {
    let cancel = CancelFlag::default();
    let progress = CutOff { after, parts: AtomicUsize::new(0), cancel: cancel.clone() };
    let (writer, sources) = (world.bench.writer().await, vec![world.source("")]);
    let mut options = world.bench.options.clone();
    options.selection.since = since.map(|since| since.parse().unwrap());
    ingest(writer, sources, options, &progress, &cancel, clock).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_may_still_grow_is_listed_again_but_for_who_goes_on_at_once() {
    // Ten minutes later, and twenty; and where the time since which events are taken is no day, which
    // may be another with each run. To the hour, a bucket counts as looked at until its least lately
    // listed month was.
    type Case = (fn() -> DateTime<Utc>, Option<&'static str>, u64, &'static str);
    let (day, time) = (Some("2025-01-01T00:00:00Z"), Some("2025-01-01T00:00:01Z"));
    let cases: [Case; 5] = [
        (at::<60>, None, 2, "2025-06-15T15:00:00Z"),
        (at::<60>, day, 2, "2025-06-15T15:00:00Z"),
        (at::<60>, time, 1, "2025-06-15T16:00:00Z"),
        (at::<70>, None, 1, "2025-06-15T16:00:00Z"),
        (at::<70>, day, 1, "2025-06-15T16:00:00Z"),
    ];
    for (again, since, passed_over, until) in cases {
        let world = World::new().await;
        for (n, month) in ["2025/04", "2025/05", "2025/06"].into_iter().enumerate() {
            let (folder, day) = (format!("{month}/10"), format!("{}10", month.replace('/', "")));
            let name = format!("111122223333_CloudTrail_eu-west-1_{day}T1200Z_a.json.gz");
            let key = format!("AWSLogs/111122223333/CloudTrail/eu-west-1/{folder}/{name}");
            world.put(&key, gzip(log(n as u32..n as u32 + 1)));
        }
        assert!(run_at(&world, at::<50>, since, BEFORE_MONTHS + 2).await.cancelled);
        world.s3.asked();
        let second = run_at(&world, again, since, usize::MAX).await;
        assert_eq!(second.months_passed_over, passed_over, "{since:?}");
        assert_eq!((second.objects.known, second.objects.read), (2 - passed_over, 1));
        let asked: Vec<String> = months_listed(&world.s3.asked()).into_keys().collect();
        assert_eq!(asked, &["2025/04", "2025/06"][..3 - passed_over as usize]);
        assert_eq!(world.bench.rows("events").await, 3);
        let looks = world.bench.writer().await.looks().await.unwrap();
        let told: String =
            looks.iter().map(|look| String::from_utf8(look.text.clone()).unwrap()).collect();
        assert!(told.contains(&format!("\"{until}\"]]")), "{told}");
        let third = run_at(&world, again, since, usize::MAX).await;
        assert_eq!((third.months_passed_over, third.objects.known), (0, 3));
    }
}
