//! Runs over a bucket of which some are cut off, one after the other: which of them goes on from
//! which, and that none passes over what was not read.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio::runtime::Handle;
use traillake_cloudtrail::{Kind, ObjectKey};
use traillake_ingest::{
    CancelFlag, IngestOptions, Keys, Progress, Report, Selectors, Source, ingest,
};
use traillake_testkit::trail::Trail;

use crate::buckets::{BUCKET, World};
use crate::resumes::{BEFORE_MONTHS, CutOff, beside, cut_off};
use crate::{copy_folder, gzip, log, now, truth};

use Ends::{Cut, Whole};
use Over::{
    Accounts, All, Below, Kinds, Month, Named, OldestFirst, Region, Rehash, Selecting, Since, Sweep,
};

/// Objects of the trail.
const OBJECTS: u64 = 60;

/// What a run is over, and how it goes about it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Over {
    /// The bucket, as somebody types it.
    All,
    OldestFirst,
    /// Some events of all objects.
    Selecting,
    /// Known objects too.
    Rehash,
    /// As a follower does it.
    Sweep,
    /// The bucket's only folder.
    Below,
    /// Objects delivered from the second month on.
    Since,
    /// The second month, and what is delivered late to it.
    Month,
    /// Two of three accounts.
    Accounts,
    /// One of two regions.
    Region,
    /// Events, of which all objects are.
    Kinds,
    /// One object.
    Named,
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ends {
    /// When it has brought in the first of its months.
    Cut,
    Whole,
}

impl Over {
    fn options(self, world: &World, trail: &Trail) -> IngestOptions {
        let mut options = world.bench.options.clone();
        let time = |day: &str| Some(format!("{day}T00:00:00Z").parse().unwrap());
        let newest = trail.object(OBJECTS - 1).key;
        let newest = ObjectKey::parse(&newest).unwrap();
        match self {
            All | Below | Named => {}
            OldestFirst => options.oldest_first = true,
            Selecting => {
                let category = json!({"Field": "eventCategory", "Equals": ["Management"]});
                let selectors = json!([{"FieldSelectors": [category]}]).to_string();
                options.selectors = Some(Selectors::parse(&selectors).unwrap());
            }
            Rehash => options.rehash = true,
            Sweep => options.is_sweep = true,
            Since => options.selection.since = time("2024-04-01"),
            Month => {
                options.selection.since = time("2024-04-01");
                options.selection.until = time("2024-05-01");
            }
            Accounts => {
                let account = |key: &String| ObjectKey::parse(key)?.account.map(str::to_owned);
                let keys = (0..3).map(|n| trail.object(n).key);
                let accounts: BTreeSet<String> = keys.filter_map(|key| account(&key)).collect();
                assert_eq!(accounts.len(), 3);
                options.selection.accounts = accounts.into_iter().take(2).collect();
            }
            Region => {
                options.selection.regions = newest.region.map(str::to_owned).into_iter().collect()
            }
            Kinds => options.selection.kinds = [Kind::Events].into(),
        }
        options
    }

    fn source(self, world: &World, trail: &Trail) -> Source {
        match self {
            Below => world.source("AWSLogs"),
            Named => {
                let keys = Keys::Named(vec![trail.object(0).key]);
                Source::Keys(world.bucket(BUCKET, ""), keys)
            }
            _ => world.source(""),
        }
    }

    /// Whether nothing of the bucket is left out.
    fn is_all(self) -> bool {
        matches!(self, All | OldestFirst | Selecting | Rehash | Sweep | Below | Kinds)
    }
}

/// A clock that goes on: no two runs begin at once.
fn ticking() -> DateTime<Utc> {
    static TICKS: AtomicI64 = AtomicI64::new(0);
    now() + TimeDelta::seconds(TICKS.fetch_add(1, Ordering::Relaxed))
}

async fn run(world: &World, trail: &Trail, over: Over, ends: Ends) -> Report {
    let cancel = CancelFlag::default();
    let after = if ends == Cut { BEFORE_MONTHS + 1 } else { usize::MAX };
    let progress = CutOff { after, parts: AtomicUsize::new(0), cancel: cancel.clone() };
    let report = run_with(world, trail, over, &progress, &cancel).await;
    assert_eq!(report.cancelled, ends == Cut, "{over:?}");
    assert!(report.cancelled || report.is_clean(), "{over:?}: {report:#?}");
    report
}

async fn run_with(
    world: &World,
    trail: &Trail,
    over: Over,
    progress: &dyn Progress,
    cancel: &CancelFlag,
) -> Report {
    let (writer, sources) = (world.bench.writer().await, vec![over.source(world, trail)]);
    let options = over.options(world, trail);
    ingest(writer, sources, options, progress, cancel, ticking).await.unwrap()
}

/// Delivers an object late, to the newest month.
fn deliver_late(world: &World, trail: &Trail) {
    world.put(&beside(&trail.object(OBJECTS - 1).key), gzip(log(0..1)));
}

/// A run, and how many months it passes over.
type Step = (Over, Ends, u64);

/// Runs over a part of the bucket, or of it all in another way.
const OTHERS: [Over; 7] = [Since, Month, Accounts, Region, Kinds, Below, Sweep];

/// Runs one after the other.
fn sequences() -> Vec<Vec<Step>> {
    let others = |ends, passed_over| OTHERS.map(|over| (over, ends, passed_over)).to_vec();
    vec![
        vec![(All, Cut, 0), (All, Cut, 1), (All, Whole, 2), (All, Whole, 0)],
        vec![(All, Cut, 0), (All, Whole, 1), (All, Cut, 0), (All, Whole, 1), (All, Whole, 0)],
        // The order of months is another, and the events that are taken are. (One that is cut off
        // before the month that it would pass over passes over none.)
        vec![(All, Cut, 0), (OldestFirst, Cut, 0), (Selecting, Whole, 2), (All, Whole, 0)],
        vec![(Selecting, Cut, 0), (OldestFirst, Whole, 1), (All, Whole, 0)],
        // Who reads again goes on from nobody and nobody from it, but it comes to its end as others
        // do.
        vec![(All, Cut, 0), (Rehash, Cut, 0), (All, Cut, 1), (Rehash, Whole, 0), (All, Whole, 0)],
        vec![(Rehash, Cut, 0), (All, Whole, 0), (Rehash, Whole, 0)],
        // What is over something else goes on from itself alone, and its end is nobody else's.
        [
            vec![(All, Cut, 0)],
            others(Whole, 0),
            vec![(Named, Whole, 0), (All, Whole, 1), (All, Whole, 0)],
        ]
        .concat(),
        [
            vec![(All, Cut, 0)],
            others(Cut, 0),
            vec![(All, Whole, 1)],
            others(Whole, 1),
            vec![(All, Whole, 0)],
        ]
        .concat(),
        [others(Cut, 0), vec![(All, Whole, 0), (Sweep, Whole, 1), (Sweep, Whole, 0)]].concat(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_from_one_over_the_same_and_its_end_is_the_end_of_that_one() {
    for steps in sequences() {
        let world = World::new().await;
        let trail = world.put_trail(OBJECTS);
        for (number, (over, ends, passed_over)) in steps.iter().copied().enumerate() {
            let report = run(&world, &trail, over, ends).await;
            let what = format!("{over:?} after {:?}", &steps[..number]);
            assert_eq!(report.months_passed_over, passed_over, "{what}");
            if number == 0 {
                deliver_late(&world, &trail);
            }
            // Nothing is missing but what came late, and that not for longer than until the run
            // that follows.
            let objects = world.bench.rows("objects").await;
            let is_whole = over.is_all() && ends == Whole;
            assert!(!is_whole || objects >= OBJECTS, "{what}: {objects}");
            assert!(!is_whole || passed_over > 0 || objects == OBJECTS + 1, "{what}: {objects}");
        }
        assert_eq!(world.bench.rows("objects").await, OBJECTS + 1, "{steps:?}");
        if steps.iter().all(|(over, ..)| *over != Selecting) {
            assert_eq!(world.bench.rows("events").await, truth(&trail).stored + 1, "{steps:?}");
        }
    }
}

/// Lets a run begin and be cut off while another lists its first part.
struct Meanwhile<'a> {
    world: &'a World,
    trail: &'a Trail,
    has_been: AtomicBool,
}

impl Progress for Meanwhile<'_> {
    fn planned(&self, _objects: u64, _bytes: u64) {
        if !self.has_been.swap(true, Ordering::Relaxed) {
            let other = run(self.world, self.trail, All, Cut);
            tokio::task::block_in_place(|| Handle::current().block_on(other));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ends_ends_those_over_the_same_that_began_after_it() {
    for over in [All, Rehash] {
        let world = World::new().await;
        let trail = world.put_trail(OBJECTS);
        let has_been = AtomicBool::new(false);
        let meanwhile = Meanwhile { world: &world, trail: &trail, has_been };
        let cancel = CancelFlag::default();
        let report = run_with(&world, &trail, over, &meanwhile, &cancel).await;
        assert!(report.is_clean() && meanwhile.has_been.into_inner(), "{over:?}: {report:#?}");
        deliver_late(&world, &trail);
        let next = run(&world, &trail, All, Whole).await;
        assert_eq!((next.months_passed_over, next.objects.read), (0, 1), "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_only_in_a_lake_that_has_the_rounds_it_had() {
    for (restored, passed_over) in [(None, 1), (Some("before"), 0), (Some("after"), 1)] {
        let world = World::new().await;
        let trail = world.put_trail(OBJECTS);
        let stores = world.bench.root().join("lake/stores");
        let kept = |of: &str| world.bench.root().join(of);
        drop(world.bench.writer().await);
        copy_folder(&stores, &kept("before"));
        assert!(cut_off(&world, BEFORE_MONTHS + 1).await.cancelled);
        copy_folder(&stores, &kept("after"));
        let rounds = world.bench.writer().await.token();
        assert!(rounds > 0);
        // What was looked at stands beside the stores, and stays.
        if let Some(of) = restored {
            fs::remove_dir_all(&stores).unwrap();
            copy_folder(&kept(of), &stores);
        }
        // As many rounds again, of other objects.
        for round in 0..rounds {
            let id = u32::try_from(round).unwrap();
            world.bench.put(&format!("other-{round}.json"), log(id..id + 1));
            assert_eq!(world.bench.ingest().await.rounds, 1);
        }
        let token = world.bench.writer().await.token();
        let expected = if restored == Some("before") { rounds } else { 2 * rounds };
        assert_eq!(token, expected, "{restored:?}");

        let second = world.ingest().await;
        assert!(second.is_clean(), "{restored:?}: {second:#?}");
        assert_eq!(second.months_passed_over, passed_over, "{restored:?}");
        let stored = truth(&trail).stored + rounds.unsigned_abs();
        assert_eq!(world.bench.rows("events").await, stored, "{restored:?}");
        let third = world.ingest().await;
        assert_eq!(third.months_passed_over, 0, "{restored:?}: it came to its end");
    }
}
