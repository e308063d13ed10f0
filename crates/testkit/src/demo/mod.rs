//! The trail that `traillake demo` carries: four days of a small organization, one of them bad.
//! docs/demo.md tells the story; [`archive`] makes the file `testdata/demo/trail.tar.gz`.
//!
//! The organization, its people, its accounts and addresses are invented; the addresses are from
//! the ranges kept for documents.

mod archive;
mod cast;
mod noise;
mod story;

use crate::random::Random;
use crate::trail::{Event, push_uuid};

pub use archive::{archive, objects};

/// The account in which it happens.
pub const PRODUCTION: &str = "444455556666";
/// The other accounts of the organization.
pub const OTHERS: [&str; 2] = ["111122223333", "777788889999"];
/// An account of somebody else.
pub const OUTSIDE: &str = "123456789012";
/// The organization.
pub const ORGANIZATION: &str = "o-demo3lake7";
/// The leaked key.
pub const LEAKED_KEY: &str = "AKIADEMODEPLOYBOT001";
/// The address from which it is misused.
pub const INTRUDER: &str = "203.0.113.77";
/// The bucket that is emptied.
pub const BUCKET: &str = "example-payroll-exports";

/// Returns the seconds since 1970 of a time in March 2026.
const fn at(day: i64, hour: i64, minute: i64, second: i64) -> i64 {
    /// 2026-03-01T00:00:00Z.
    const MARCH: i64 = 1_772_323_200;
    MARCH + ((day - 1) * 24 + hour) * 3600 + minute * 60 + second
}

/// Returns every event of the four days, in the order of time; of those delivered twice, one.
pub fn events() -> Vec<Event> {
    let random = Random::new(2026);
    let mut events = story::events(&mut random.part(1));
    events.extend(noise::events(&mut random.part(2)));
    events.retain(|event| !unlogged(event));
    events.sort_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
    events
}

/// What happened in the account while its trail was off: nobody recorded it.
fn unlogged(event: &Event) -> bool {
    let off = story::LOGGING_STOPPED + 1..story::LOGGING_STARTED;
    event.account == PRODUCTION && off.contains(&event.time)
}

/// Gives an event its own identifiers.
fn identify(event: &mut Event, random: &mut Random) {
    push_uuid(&mut event.id, random);
    push_uuid(&mut event.request_id, random);
}
