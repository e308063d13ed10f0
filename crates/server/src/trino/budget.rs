//! How many bytes of answers wait for clients that have not fetched them? So many of one user, and
//! so many of all.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Bytes that may be taken of a [`Budget`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) of_one: usize,
    pub(super) all: usize,
}

/// The limit that stands against a [`Share`], in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    OfOne(usize),
    All(usize),
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (limit, whose) = match self {
            Full::OfOne(limit) => (limit, "of one user"),
            Full::All(limit) => (limit, "of all users"),
        };
        write!(f, "answers that wait to be fetched may take {limit} bytes {whose}")
    }
}

/// What is taken, and by whom.
#[derive(Default)]
pub(super) struct Budget {
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    of: HashMap<String, usize>,
}

/// Bytes of the budget; given back when dropped.
pub(super) struct Share {
    budget: Arc<Budget>,
    user: String,
    bytes: usize,
}

impl Budget {
    /// Returns a share of `bytes` for `user`.
    ///
    /// # Errors
    /// The limit that it would exceed.
    pub(super) fn take(
        self: &Arc<Self>,
        user: &str,
        bytes: usize,
        limits: Limits,
    ) -> Result<Share, Full> {
        let mut taken = self.taken();
        let of_one = taken.of.get(user).copied().unwrap_or(0) + bytes;
        if of_one > limits.of_one {
            return Err(Full::OfOne(limits.of_one));
        }
        if taken.all + bytes > limits.all {
            return Err(Full::All(limits.all));
        }
        taken.all += bytes;
        taken.of.insert(user.to_owned(), of_one);
        Ok(Share { budget: Arc::clone(self), user: user.to_owned(), bytes })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Returns how much it is.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.budget.taken();
        taken.all -= self.bytes;
        if let Some(of_one) = taken.of.get_mut(&self.user) {
            *of_one -= self.bytes;
            if *of_one == 0 {
                taken.of.remove(&self.user);
            }
        }
    }
}

/// A text with its share, which is given back when nobody has the text any more: a client that
/// takes long to read it keeps it too.
#[derive(Clone)]
pub(super) struct Kept(Arc<(Box<str>, Option<Share>)>);

impl Kept {
    /// Returns the text with its share, if it takes one.
    pub(super) fn new(text: String, share: Option<Share>) -> Kept {
        Kept(Arc::new((text.into_boxed_str(), share)))
    }

    /// Returns the text, to be sent; not a copy.
    pub(super) fn to_bytes(&self) -> Bytes {
        Bytes::from_owner(self.clone())
    }

    /// Whether what was sent has not left yet.
    pub(super) fn is_on_its_way(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Returns how much its share is.
    pub(super) fn share(&self) -> usize {
        self.0.1.as_ref().map_or(0, Share::bytes)
    }
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        self.0.0.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_user_takes_more_than_one_may_and_nobody_more_than_all_may() {
        let budget = Arc::new(Budget::default());
        let limits = Limits { of_one: 60, all: 100 };
        let take = |user: &str, bytes| budget.take(user, bytes, limits);
        let first = take("a", 60).ok().unwrap();
        assert_eq!(take("a", 1).err(), Some(Full::OfOne(60)));
        assert_eq!(take("b", 41).err(), Some(Full::All(100)));
        let page = Kept::new("page".to_owned(), take("b", 40).ok());
        let sent = page.to_bytes();
        assert_eq!((&sent[..], page.share(), page.is_on_its_way()), (&b"page"[..], 40, true));
        drop((page, first));
        // It has not left yet.
        assert_eq!(take("b", 21).err(), Some(Full::OfOne(60)));
        drop(sent);
        let _both = [take("a", 60).ok().unwrap(), take("b", 40).ok().unwrap()];
        let taken = budget.taken();
        assert_eq!((taken.all, taken.of.len()), (100, 2));
    }
}
