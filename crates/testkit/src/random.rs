//! Random numbers that are the same everywhere and for ever.

/// A seeded generator: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014). The sequence of a seed is part of what tests and committed files rely on
/// and never changes.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Returns the generator of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns a generator of its own for `label` (an object's number, say), so that a part can be
    /// made without making what comes before it. Does not advance `self`.
    pub fn part(&self, label: u64) -> Self {
        Self::new(Self::new(self.state ^ label.wrapping_mul(0xD134_2543_DE82_EF95)).next())
    }

    /// Returns the next 64 bits.
    #[allow(clippy::should_implement_trait)] // an endless sequence is no iterator worth having
    #[inline]
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number in `0..limit`, and 0 when `limit` is 0.
    #[inline]
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// Returns true with the probability `share` (0 to 1).
    #[inline]
    pub fn chance(&mut self, share: f64) -> bool {
        ((self.next() >> 11) as f64) < share * (1u64 << 53) as f64
    }

    /// Returns one of `choices`, which must not be empty.
    #[inline]
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Returns one of `choices` of `(weight, value)`, as often as its weight says. The weights must
    /// not all be 0.
    pub fn weighted<T: Copy>(&mut self, choices: &[(u32, T)]) -> T {
        let total: u64 = choices.iter().map(|(weight, _)| u64::from(*weight)).sum();
        let mut left = self.below(total);
        for (weight, value) in choices {
            match left.checked_sub(u64::from(*weight)) {
                None => return *value,
                Some(rest) => left = rest,
            }
        }
        choices[0].1
    }
}
