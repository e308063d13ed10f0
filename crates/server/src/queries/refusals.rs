//! Statements that are refused because too many wait already: whoever asks is seen, but asking again
//! and again must cost less than a query.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Of one user, one in so long is remembered.
const ONE_IN: Duration = Duration::from_secs(1);
/// Users that are known at once.
const USERS_MAX: usize = 1_024;

/// When a refusal of each user was last remembered.
#[derive(Default)]
pub(super) struct Refusals {
    last: Mutex<HashMap<String, Instant>>,
}

impl Refusals {
    /// Returns whether a refusal of that user is to be remembered `now`.
    pub(super) fn is_due(&self, user: &str, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.get(user).is_some_and(|at| now.duration_since(*at) < ONE_IN) {
            return false;
        }
        if last.len() >= USERS_MAX {
            last.clear();
        }
        last.insert(user.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_second_of_each_user_is_remembered() {
        let (refusals, now) = (Refusals::default(), Instant::now());
        let due = |user, now| refusals.is_due(user, now);
        assert_eq!((due("alice", now), due("alice", now), due("bob", now)), (true, false, true));
        let later = now + ONE_IN;
        assert_eq!((due("alice", later), due("alice", later)), (true, false));
    }
}
