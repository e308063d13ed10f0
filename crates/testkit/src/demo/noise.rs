//! What else goes on: services, machines and people of three accounts.

use super::{OTHERS, PRODUCTION, at};
use crate::random::Random;
use crate::trail::{Event, Extras};

const REGIONS: [&str; 3] = ["eu-west-1", "eu-west-1", "us-east-1"];
const BURSTS_PER_DAY: u64 = 7;
const EVENTS_PER_BURST: u64 = 6;

/// Returns the events of four days, in bursts as they come. None uses a long-lived key: what the
/// story asks about keys stays as clear as it is.
pub(super) fn events(random: &mut Random) -> Vec<Event> {
    let extras = Extras::new();
    let mut events = Vec::new();
    for account in [PRODUCTION, OTHERS[0], OTHERS[1]] {
        for burst in 0..4 * BURSTS_PER_DAY {
            let mut draw = random.part(burst).part(account.bytes().map(u64::from).sum());
            let of_day = 86_400 / BURSTS_PER_DAY;
            let begun = at(9, 0, 0, 0) + (burst * of_day + draw.below(of_day - 300)) as i64;
            let region = draw.pick(&REGIONS);
            let mut made = 0;
            while made < EVENTS_PER_BURST {
                let time = begun + draw.below(120) as i64;
                let event = extras.event(account, OTHERS[0], region, time, &mut draw);
                if !event.identity.contains("AKIA") {
                    events.push(event);
                    made += 1;
                }
            }
        }
    }
    events
}
