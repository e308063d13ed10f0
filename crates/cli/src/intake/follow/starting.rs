//! How a command starts to follow: one bad source holds up none of the others, but when all are bad
//! the command is.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How the first looks at a command's sources go.
#[derive(Default)]
pub(super) struct Starting {
    sources: usize,
    /// Sources at which the first look failed.
    failed: AtomicUsize,
    /// Whether a look at any of them went well.
    has_begun: AtomicBool,
}

impl Starting {
    /// Returns the start of a command that follows so many sources.
    pub(super) fn of(sources: usize) -> Starting {
        Starting { sources, ..Starting::default() }
    }

    /// Takes in that a look went well.
    pub(super) fn went_well(&self) {
        self.has_begun.store(true, Ordering::SeqCst);
    }

    /// Takes in that the first look at a source failed; returns whether it failed at all.
    pub(super) fn first_failed(&self) -> bool {
        let failed = self.failed.fetch_add(1, Ordering::SeqCst) + 1;
        failed >= self.sources && !self.has_begun.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::Starting;

    #[test]
    fn a_command_is_wrong_when_the_first_look_fails_at_all_its_sources() {
        assert!(Starting::of(1).first_failed());
        let two = Starting::of(2);
        assert_eq!([two.first_failed(), two.first_failed()], [false, true]);
        let one_well = Starting::of(2);
        one_well.went_well();
        assert_eq!([one_well.first_failed(), one_well.first_failed()], [false, false]);
    }
}
