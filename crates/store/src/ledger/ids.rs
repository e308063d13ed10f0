//! Ids of objects: 40 bits for the round, 23 for the object in it.

use crate::error::{Error, Result};
use crate::snapshot::{LiveFile, ScalarStat};

/// Bits of an id that number the objects of a round.
const ORDINAL_BITS: u32 = 23;
/// Bits of an id that tell rounds apart which tried for the same token.
const RANDOM_BITS: u32 = 12;
/// Bits of an id that hold the token.
const TOKEN_BITS: u32 = 28;
/// Draws before giving up; each fails by chance once in 4,096 times.
const DRAWS_MAX: u32 = 1000;

/// The ids of a round's objects.
///
/// An id must be unique in the store and must not change when the round is rebased, since it stands
/// in every row of files already written. So it is made from the token the round tried for first and
/// from random bits. Rounds that follow one another differ in the token. Rounds that raced for one
/// token meet at the rebase: the loser sees the ledger files of the winner, and [`ObjectIds::clash`]
/// tells whether both drew the same bits. No look at the rest of the ledger is ever needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ObjectIds {
    base: i64,
}

impl ObjectIds {
    /// Ids for a round that tries for `token`, of which no file in `ledger` has any. `random`
    /// gives random bits.
    ///
    /// # Errors
    /// [`Error::Input`] for a token that ids cannot hold.
    pub fn claim(
        token: i64,
        ledger: &[LiveFile],
        mut random: impl FnMut() -> u16,
    ) -> Result<ObjectIds> {
        if !(0..1 << TOKEN_BITS).contains(&token) {
            return Err(Error::Input { reason: format!("round {token} has no object ids") });
        }
        for _ in 0..DRAWS_MAX {
            let drawn = i64::from(random()) & ((1 << RANDOM_BITS) - 1);
            let ids = ObjectIds { base: (token << RANDOM_BITS | drawn) << ORDINAL_BITS };
            if !ids.clash(ledger) {
                return Ok(ids);
            }
        }
        Err(Error::Input { reason: format!("no object ids are left for round {token}") })
    }

    /// Whether one of these files of the ledger may have one of these ids.
    pub fn clash(self, ledger: &[LiveFile]) -> bool {
        let int = |stat: Option<&ScalarStat>| match stat {
            Some(ScalarStat::Int(value)) => Some(*value),
            _ => None,
        };
        let last = self.base | ((1 << ORDINAL_BITS) - 1);
        ledger.iter().any(|file| {
            let stats = file.stats("object_id");
            let min = int(stats.and_then(|stats| stats.min.as_ref()));
            let max = int(stats.and_then(|stats| stats.max.as_ref()));
            min.zip(max).is_some_and(|(min, max)| min <= last && max >= self.base)
        })
    }

    /// The id of the object with this ordinal.
    pub fn id(self, ordinal: u32) -> i64 {
        self.base | (i64::from(ordinal) & ((1 << ORDINAL_BITS) - 1))
    }

    /// The ordinal of the object with this id; none for an id of another round.
    pub fn ordinal(self, id: i64) -> Option<u32> {
        (id & !((1 << ORDINAL_BITS) - 1) == self.base).then_some((id ^ self.base) as u32)
    }
}

/// The round that an id was drawn for; its object may have come to stand in a later one.
pub(crate) fn round_of_id(id: i64) -> i64 {
    id >> (ORDINAL_BITS + RANDOM_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::ColumnStats;
    use object_store::path::Path;

    fn ledger_file(ids: ObjectIds, objects: u32) -> LiveFile {
        let int = |ordinal| Some(ScalarStat::Int(ids.id(ordinal)));
        let (min, max) = (int(0), int(objects - 1));
        let stats = ColumnStats { column: "object_id".into(), min, max, nulls: None };
        let path = Path::from("objects/part.parquet");
        LiveFile { path, size: 1, rows: 1, partition: None, stats: [stats].into() }
    }

    #[test]
    fn ids_stay_apart_and_lead_back_to_their_object() {
        let first = ObjectIds::claim(1, &[], || 7).unwrap();
        let ledger = [ledger_file(first, 5)];
        let mut bits = [7, 7, 9].into_iter();
        let racing = ObjectIds::claim(1, &ledger, || bits.next().unwrap()).unwrap();
        let next = ObjectIds::claim(2, &ledger, || 7).unwrap();
        assert!(first.clash(&ledger) && !racing.clash(&ledger) && !next.clash(&ledger));
        for ids in [first, racing, next] {
            for ordinal in [0, 1, (1 << ORDINAL_BITS) - 1] {
                assert_eq!(ids.ordinal(ids.id(ordinal)), Some(ordinal));
            }
            assert!(ids.id(0) > 0);
        }
        assert_eq!(racing.ordinal(first.id(3)), None);
        assert!(ObjectIds::claim(1 << TOKEN_BITS, &[], || 0).is_err());
        assert!(ObjectIds::claim((1 << TOKEN_BITS) - 1, &[], || u16::MAX).unwrap().id(0) > 0);
    }
}
