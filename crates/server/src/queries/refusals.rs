//! Statements that are refused because too many wait already: whoever asks is seen, but asking again
//! and again must cost less than a query.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Of one user, one in so long is remembered, with how many there were.
const ONE_IN: Duration = Duration::from_secs(1);
/// Users that are known at once.
const USERS_MAX: usize = 1_024;

/// What was refused of each user since it was last remembered.
#[derive(Default)]
pub(super) struct Refusals {
    of: Mutex<HashMap<String, Refused>>,
}

struct Refused {
    remembered: Instant,
    since: u64,
}

/// What is to be done about one more refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Remember {
    /// It is remembered now.
    Now,
    /// It is the first since the last that was: after so long it is, with those that come until then.
    After(Duration),
    /// It is counted.
    Counted,
}

impl Refusals {
    /// Returns what is to be done about a refusal of that user `now`.
    pub(super) fn add(&self, user: &str, now: Instant) -> Remember {
        let mut of = self.of();
        if let Some(refused) = of.get_mut(user) {
            let passed = now.saturating_duration_since(refused.remembered);
            if refused.since > 0 || passed < ONE_IN {
                refused.since += 1;
                return match refused.since {
                    1 => Remember::After(ONE_IN.saturating_sub(passed)),
                    _ => Remember::Counted,
                };
            }
        }
        if of.len() >= USERS_MAX {
            // Of those that are counted the count is still to be remembered.
            of.retain(|_, refused| refused.since > 0);
        }
        of.insert(user.to_owned(), Refused { remembered: now, since: 0 });
        Remember::Now
    }

    /// Returns how many refusals of that user are to be remembered `now` together.
    pub(super) fn take(&self, user: &str, now: Instant) -> u64 {
        self.of().get_mut(user).map_or(0, |refused| {
            refused.remembered = now;
            std::mem::take(&mut refused.since)
        })
    }

    fn of(&self) -> MutexGuard<'_, HashMap<String, Refused>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_second_of_each_user_is_remembered_and_all_are_counted() {
        let (refusals, now) = (Refusals::default(), Instant::now());
        let add = |user, at| refusals.add(user, now + at);
        let half = ONE_IN / 2;
        assert_eq!(add("alice", Duration::ZERO), Remember::Now);
        assert_eq!(add("bob", Duration::ZERO), Remember::Now);
        assert_eq!(add("alice", half), Remember::After(half));
        assert_eq!(add("alice", half), Remember::Counted);
        // Late, those that wait are still the ones that are remembered.
        assert_eq!(add("alice", ONE_IN * 2), Remember::Counted);
        assert_eq!(refusals.take("alice", now + ONE_IN * 2), 3);
        assert_eq!(add("alice", ONE_IN * 2 + half), Remember::After(half));
        assert_eq!(refusals.take("alice", now + ONE_IN * 3), 1);
        assert_eq!(
            (add("alice", ONE_IN * 4), add("bob", ONE_IN * 4)),
            (Remember::Now, Remember::Now)
        );
    }
}
