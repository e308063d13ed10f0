//! What it takes to bring in what a plan lists: requests and their price, space and time.

use std::collections::BTreeSet;
use std::time::Duration;

use traillake_ingest::{Plan, PlanSpan};

use crate::quantities::{show_count, show_duration, show_size};

/// Price of a thousand GET or HEAD requests in USD: S3 Standard in us-east-1 at list prices of
/// November 2026, <https://aws.amazon.com/s3/pricing/>.
const USD_A_THOUSAND_GETS: f64 = 0.0004;
/// The same of LIST requests.
const USD_A_THOUSAND_LISTS: f64 = 0.005;
/// Objects of an answer to LIST.
const LISTED_AT_ONCE: u64 = 1_000;
/// What a lake takes of its gzipped logs (docs/decisions/0009).
const LAKE_SHARE: [f64; 2] = [0.4, 0.7];
/// Objects that come in a second: 32 are read at a time, each in about 40 ms.
const OBJECTS_A_SECOND: f64 = 800.0;
/// Gzipped bytes that come in in a second on two cores: of our newest runs the slowest, 432.5 MB in
/// 48.65 s (benches/runs/2026-11-26-2-core-vm).
const BYTES_A_SECOND: f64 = 8_900_000.0;

/// What it takes to bring in what a plan lists.
#[derive(Debug, serde::Serialize)]
pub(super) struct Estimate {
    get_requests: u64,
    head_requests: u64,
    list_requests: u64,
    cost_usd: f64,
    lake_bytes: [u64; 2],
    seconds: u64,
}

impl Estimate {
    /// Returns it for what is in a bucket: one that is listed, or one whose objects somebody named.
    pub(super) fn of(plan: &Plan, is_listed: bool) -> Estimate {
        let total = &plan.total;
        let (gets, heads) = (total.new_objects + total.changed_objects, plan.heads);
        let bytes = total.new_bytes + total.changed_bytes;
        let lists = if is_listed { lists(plan) } else { 0 };
        // Objects come in while those before them are decoded: what is slower takes all the time.
        let seconds = (gets as f64 / OBJECTS_A_SECOND).max(bytes as f64 / BYTES_A_SECOND);
        let cost =
            (gets + heads) as f64 * USD_A_THOUSAND_GETS + lists as f64 * USD_A_THOUSAND_LISTS;
        Estimate {
            get_requests: gets,
            head_requests: heads,
            list_requests: lists,
            cost_usd: (cost / 1_000.0 * 10_000.0).ceil() / 10_000.0,
            lake_bytes: LAKE_SHARE.map(|share| (bytes as f64 * share) as u64),
            seconds: seconds.ceil() as u64,
        }
    }

    /// Returns it in two lines, without the kinds of request of which there are none.
    pub(super) fn text(&self) -> String {
        let mut requests = format!("{} GET", show_count(self.get_requests));
        for (count, verb) in [(self.head_requests, "HEAD"), (self.list_requests, "LIST")] {
            if count > 0 {
                requests += &format!(" and {} {verb}", show_count(count));
            }
        }
        let [least, most] = self.lake_bytes.map(show_size);
        format!(
            "about {requests} requests: {:.4} USD at list prices of us-east-1 (November 2026), \
             without transfer\nabout {least} to {most} of lake, about {}\n",
            self.cost_usd,
            show_duration(Duration::from_secs(self.seconds)),
        )
    }
}

/// Returns in how many requests the objects of a plan are listed, at least.
fn lists(plan: &Plan) -> u64 {
    // The bucket, and each folder down to those of months, is a listing of its own.
    let folders: BTreeSet<_> = (plan.cells.iter())
        .flat_map(|cell| {
            let (account, region) = (cell.account.as_ref(), cell.region.as_ref());
            let part = |chars| cell.day.as_ref().and_then(|day| day.get(..chars));
            [
                (account, None, None, None),
                (account, None, cell.kind, None),
                (account, region, cell.kind, None),
                (account, region, cell.kind, part(4)),
                (account, region, cell.kind, part(7)),
            ]
        })
        .collect();
    // Of a year whose months are not told there may be all twelve.
    let untold = match plan.span {
        PlanSpan::Day | PlanSpan::Month => 0,
        PlanSpan::Year => 12 * plan.cells.iter().filter(|cell| cell.day.is_some()).count() as u64,
    };
    let total = &plan.total;
    let objects =
        total.new_objects + total.changed_objects + total.known_objects + total.archived_objects;
    1 + folders.len() as u64 + untold + objects / LISTED_AT_ONCE
}

#[cfg(test)]
mod tests {
    use traillake_ingest::{PlanCell, PlanTally};

    use super::*;

    /// A plan of two objects of one cell.
    fn plan(day: &str, span: PlanSpan, heads: u64) -> Plan {
        let tally = PlanTally { new_objects: 2, new_bytes: 1_000, ..PlanTally::default() };
        let cell = PlanCell {
            account: Some("111122223333".to_owned()),
            region: Some("eu-west-1".to_owned()),
            kind: Some("events"),
            day: Some(day.to_owned()),
            tally,
        };
        Plan { cells: vec![cell], span, total: tally, heads, ..Plan::default() }
    }

    #[test]
    fn folders_are_listed_and_named_keys_are_asked_for_each() {
        let check = |plan: Plan, is_listed: bool, requests: &str| {
            let text = Estimate::of(&plan, is_listed).text();
            assert_eq!(text.split(" requests: ").next(), Some(requests), "{text}");
        };
        check(plan("2024-05-06", PlanSpan::Day, 0), true, "about 2 GET and 6 LIST");
        check(plan("2024-05", PlanSpan::Month, 0), true, "about 2 GET and 6 LIST");
        check(plan("2024", PlanSpan::Year, 0), true, "about 2 GET and 17 LIST");
        check(Plan::default(), true, "about 0 GET and 1 LIST");
        check(plan("2024-05-06", PlanSpan::Day, 3), false, "about 2 GET and 3 HEAD");
        check(plan("2024-05-06", PlanSpan::Day, 0), false, "about 2 GET");
        let named = Estimate::of(&plan("2024-05-06", PlanSpan::Day, 1_000_000), false);
        assert_eq!(named.cost_usd, 0.4001);
    }

    #[test]
    fn many_objects_take_their_time_and_so_do_many_bytes() {
        let check = |new_objects: u64, new_bytes: u64, changed_bytes: u64, seconds: u64| {
            let total = PlanTally { new_objects, new_bytes, changed_bytes, ..PlanTally::default() };
            let found = Estimate::of(&Plan { total, ..Plan::default() }, true).seconds;
            assert_eq!(found, seconds, "{new_objects} objects, {new_bytes} + {changed_bytes}");
        };
        check(0, 0, 0, 0);
        check(1, 1, 0, 1);
        check(160_000, 160_000_000, 0, 200);
        check(1_000, 890_000_000, 0, 100);
        check(1_000, 890_000_000, 890_000_000, 200);
    }
}
