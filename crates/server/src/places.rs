//! May one more connect? So many at once, and one address does not get all the places.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places for connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Places {
    max: usize,
    of_one_max: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    /// Of those whose places are counted.
    of: HashMap<IpAddr, usize>,
}

/// A place; given back when dropped.
pub(crate) struct Place {
    places: Places,
    whose: Option<IpAddr>,
}

impl Places {
    pub(crate) fn new(max: usize, of_one_max: usize) -> Places {
        Places { max, of_one_max, taken: Arc::default() }
    }

    /// Returns a place for who connects from `address` (none: a socket of this machine), or none
    /// when there is none left for them. Those of this machine are not counted one by one.
    pub(crate) fn take(&self, address: Option<IpAddr>) -> Option<Place> {
        let whose = address.and_then(counted);
        let mut taken = self.taken();
        let of_one = whose.and_then(|whose| taken.of.get(&whose).copied()).unwrap_or(0);
        if taken.all >= self.max || of_one >= self.of_one_max {
            return None;
        }
        taken.all += 1;
        if let Some(whose) = whose {
            taken.of.insert(whose, of_one + 1);
        }
        Some(Place { places: self.clone(), whose })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        let Some(whose) = self.whose else { return };
        if let Some(count) = taken.of.get_mut(&whose) {
            *count -= 1;
            if *count == 0 {
                taken.of.remove(&whose);
            }
        }
    }
}

/// What is counted as one: an address, of IPv6 the network of 64 bits that a single host has.
fn counted(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V6(address) => {
            Some(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into())
        }
        address => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_does_not_get_all_places() {
        let places = Places::new(5, 2);
        let take = |text: &str| places.take(Some(text.parse().unwrap()));
        let of_one = [take("192.0.2.1").unwrap(), take("::ffff:192.0.2.1").unwrap()];
        assert!(take("192.0.2.1").is_none());
        let _of_network = [take("2001:db8::1").unwrap(), take("2001:db8::2").unwrap()];
        assert!(take("2001:db8::3").is_none());
        let here = take("127.0.0.1").unwrap();
        for full in ["127.0.0.1", "192.0.2.9"] {
            assert!(take(full).is_none(), "{full}");
        }
        drop((of_one, here));
        let _here = ["::1", "127.0.0.1", "127.0.0.1"].map(|address| take(address).unwrap());
        assert!(places.take(None).is_none());
    }
}
