//! Plans of organizations: more days, accounts and regions than anybody reads, in few cells.

use std::collections::BTreeMap;
use std::fs;

use chrono::{Days, NaiveDate};
use traillake_ingest::{
    CancelFlag, Inventory, Keys, PLAN_CELLS_MAX, PlanSpan, PlanTally, Source, plan,
};

use crate::buckets::{BUCKET, World};
use crate::gzip;

/// An inventory of two objects an account and day, of which it tells everything.
fn inventory(world: &World, accounts: u64, days: &[NaiveDate]) -> Inventory {
    let mut lines = String::new();
    for (account, day) in (0..accounts).flat_map(|account| days.iter().map(move |of| (account, of)))
    {
        let (folder, date) = (day.format("%Y/%m/%d"), day.format("%Y%m%d"));
        for (name, size) in [("a", account + 1), ("b", 100)] {
            lines += &format!(
                "\"{BUCKET}\",\"AWSLogs/{account:012}/CloudTrail/eu-west-1/{folder}/\
                 {account:012}_CloudTrail_eu-west-1_{date}T1200Z_{name}.json.gz\",\
                 \"{size}\",\"2024-05-06T07:08:09.000Z\",\"abc\"\n"
            );
        }
    }
    let (root, folder) = (world.bench.root(), world.bench.root().join("of-a-day"));
    fs::create_dir_all(root.join("data")).unwrap();
    fs::create_dir_all(&folder).unwrap();
    fs::write(root.join("data/a.csv.gz"), gzip(lines)).unwrap();
    let manifest = r#"{"sourceBucket":"trail","fileFormat":"CSV","files":[{"key":"data/a.csv.gz"}],
        "fileSchema":"Bucket, Key, Size, LastModifiedDate, ETag"}"#;
    fs::write(folder.join("manifest.json"), manifest).unwrap();
    Inventory::open(&folder.join("manifest.json")).unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn days_become_months_and_months_years_where_a_plan_would_have_too_many_cells() {
    let world = World::new().await;
    let first = NaiveDate::from_ymd_opt(2021, 1, 1).unwrap();
    for (accounts, days, apart, span, cells) in [
        (40, 500, 1, PlanSpan::Day, PLAN_CELLS_MAX),
        (41, 500, 1, PlanSpan::Month, 41 * 17),
        // Each in a month of its own.
        (900, 24, 31, PlanSpan::Year, 900 * 2),
    ] {
        let days: Vec<NaiveDate> = (0..days).map(|day| first + Days::new(day * apart)).collect();
        let keys = Keys::Inventory(inventory(&world, accounts, &days));
        let (bucket, options) = (world.bucket(BUCKET, ""), &world.bench.options);
        let sources = vec![Source::Keys(bucket, keys)];
        let planned = plan(None, sources, options, &CancelFlag::default()).await.unwrap();
        assert_eq!(planned.faults, []);
        assert_eq!((planned.span, planned.cells.len()), (span, cells));

        let mut expected: BTreeMap<(String, String), PlanTally> = BTreeMap::new();
        let (mut total, told) = (PlanTally::default(), [10, 7, 4][span as usize]);
        for (day, account) in days.iter().flat_map(|day| (0..accounts).map(move |of| (day, of))) {
            let place = (day.to_string()[..told].to_owned(), format!("{account:012}"));
            for tally in [expected.entry(place).or_default(), &mut total] {
                tally.new_objects += 2;
                tally.new_bytes += account + 101;
            }
        }
        assert_eq!(planned.total, total);
        let found = planned.cells.into_iter().map(|cell| {
            assert_eq!((cell.region.as_deref(), cell.kind), (Some("eu-west-1"), Some("events")));
            ((cell.day.unwrap(), cell.account.unwrap()), cell.tally)
        });
        assert!(found.eq(expected), "in order, and with these sums: {span:?}");
    }
    assert_eq!(world.s3.asked(), [], "the inventory tells everything");
}
