//! The memory that queries share, and how much of it each of their parts may take.
//!
//! DataFusion's own pool gives every sort an even share to fill, and what merges sorted rows whatever
//! is left. Two sorts that have filled theirs leave nothing: the first to merge is refused, and the
//! query with it, though all of it could go to disk. Here a sort and its merge have one share, of
//! which the sort fills half.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// No share is smaller than this, nor than an eighth of all: many small shares are of use to nobody.
const SHARE_MIN: usize = 16 << 20;

/// Memory of a fixed size, in shares: who spills never waits for another.
#[derive(Debug)]
pub(crate) struct SharedMemory {
    bytes: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes taken by all.
    taken: usize,
    /// Bytes of those that have no share.
    kept: usize,
    /// Holders of a share that are not sorts.
    spilling: usize,
    /// Sorts with their merges, by the consumer that came first.
    sorts: HashMap<usize, Sorting>,
    /// Which of them a consumer is of.
    sort_of: HashMap<usize, usize>,
    /// The sort that each thread has just begun: its merge is registered next.
    begun: HashMap<ThreadId, usize>,
}

/// A sort and its merge, which lives longer.
#[derive(Debug, Default)]
struct Sorting {
    consumers: usize,
    /// Bytes of the sort alone.
    sort: usize,
    /// Bytes of both.
    both: usize,
    /// The most that both have held: what was collected must be merged, however small shares are now.
    most: usize,
}

/// What a consumer does with its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Collects rows, sorts them and spills them.
    Sort,
    /// Merges what a sort has collected or spilled.
    Merge,
    /// Spills in some other way.
    Spill,
    /// Keeps what it has: the smaller side of a join, say.
    Keep,
}

/// The names that DataFusion 55 gives a sort's two consumers; `what_is_wider_than_memory_is_sorted`
/// fails when they change.
impl Part {
    fn of(consumer: &MemoryConsumer) -> Part {
        match (consumer.can_spill(), consumer.name()) {
            (true, name) if name.starts_with("ExternalSorter[") => Part::Sort,
            (false, name) if name.starts_with("ExternalSorterMerge[") => Part::Merge,
            (true, _) => Part::Spill,
            (false, _) => Part::Keep,
        }
    }
}

impl SharedMemory {
    pub(crate) fn new(bytes: usize) -> SharedMemory {
        SharedMemory { bytes, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a holder may take: an even share of all but an eighth, which is for those without.
    fn share(&self, state: &State) -> usize {
        let shared = (self.bytes - self.bytes / 8).saturating_sub(state.kept);
        let holders = state.spilling + state.sorts.len();
        (shared / holders.max(1)).max(SHARE_MIN.min(self.bytes / 8))
    }

    /// How many bytes more a reservation may take.
    fn left(&self, state: &State, reservation: &MemoryReservation) -> usize {
        let (share, consumer) = (self.share(state), reservation.consumer());
        let of_both = |sorting: &Sorting| share.max(sorting.most).saturating_sub(sorting.both);
        let sorting = state.sort_of.get(&consumer.id()).and_then(|of| state.sorts.get(of));
        match (Part::of(consumer), sorting) {
            (Part::Sort, Some(of)) => (share / 2).saturating_sub(of.sort).min(of_both(of)),
            (_, Some(of)) => of_both(of),
            // Of each reservation: what is merged stands beside what it is merged into.
            (Part::Spill, None) => share.saturating_sub(reservation.size()),
            (_, None) => self.bytes.saturating_sub(state.taken),
        }
    }
}

impl State {
    fn take(&mut self, consumer: &MemoryConsumer, bytes: usize) {
        self.taken += bytes;
        let part = Part::of(consumer);
        if part == Part::Keep {
            self.kept += bytes;
        }
        if let Some(of) = self.sort_of.get(&consumer.id()).and_then(|of| self.sorts.get_mut(of)) {
            of.both += bytes;
            of.most = of.most.max(of.both);
            of.sort += if part == Part::Sort { bytes } else { 0 };
        }
    }

    fn give_back(&mut self, consumer: &MemoryConsumer, bytes: usize) {
        self.taken = self.taken.saturating_sub(bytes);
        let part = Part::of(consumer);
        if part == Part::Keep {
            self.kept = self.kept.saturating_sub(bytes);
        }
        if let Some(of) = self.sort_of.get(&consumer.id()).and_then(|of| self.sorts.get_mut(of)) {
            of.both = of.both.saturating_sub(bytes);
            of.sort = of.sort.saturating_sub(if part == Part::Sort { bytes } else { 0 });
        }
    }
}

impl MemoryPool for SharedMemory {
    fn name(&self) -> &str {
        "shared"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        let (mut state, id) = (self.state(), consumer.id());
        let of = match Part::of(consumer) {
            Part::Keep => return,
            Part::Spill => return state.spilling += 1,
            Part::Sort => {
                state.begun.insert(thread::current().id(), id);
                id
            }
            Part::Merge => state.begun.remove(&thread::current().id()).unwrap_or(id),
        };
        state.sort_of.insert(id, of);
        state.sorts.entry(of).or_default().consumers += 1;
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        let mut state = self.state();
        match Part::of(consumer) {
            Part::Keep => {}
            Part::Spill => state.spilling = state.spilling.saturating_sub(1),
            Part::Sort | Part::Merge => {
                let Some(of) = state.sort_of.remove(&consumer.id()) else { return };
                let left = state.sorts.get_mut(&of).map(|sorting| {
                    sorting.consumers = sorting.consumers.saturating_sub(1);
                    sorting.consumers
                });
                if left == Some(0) {
                    state.sorts.remove(&of);
                    state.begun.retain(|_, begun| *begun != of);
                }
            }
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.state().take(reservation.consumer(), additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, bytes: usize) {
        self.state().give_back(reservation.consumer(), bytes);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut state = self.state();
        let left = self.left(&state, reservation);
        if additional > left {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{} holds {} bytes and wants {additional} more; {left} are left to it of a share of \
                 {} and of {} in all, {} of them taken",
                reservation.consumer().name(),
                reservation.size(),
                self.share(&state),
                self.bytes,
                state.taken
            )));
        }
        state.take(reservation.consumer(), additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.state().taken
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes)
    }
}

impl fmt::Display for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shared({} bytes)", self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn memory() -> (Arc<SharedMemory>, Arc<dyn MemoryPool>) {
        let memory = Arc::new(SharedMemory::new(1_600));
        let pool: Arc<dyn MemoryPool> = Arc::clone(&memory) as _;
        (memory, pool)
    }

    fn holder(pool: &Arc<dyn MemoryPool>, name: &str, spills: bool) -> MemoryReservation {
        MemoryConsumer::new(name).with_can_spill(spills).register(pool)
    }

    /// A sort and its merge, as DataFusion makes them.
    fn sort(pool: &Arc<dyn MemoryPool>) -> (MemoryReservation, MemoryReservation) {
        let sort = holder(pool, "ExternalSorter[0]", true);
        (sort, holder(pool, "ExternalSorterMerge[0]", false))
    }

    #[test]
    fn sorts_that_are_full_leave_their_merges_room_and_others_an_eighth() {
        let (memory, pool) = memory();
        let sorts = [sort(&pool), sort(&pool)];
        for (sort, _) in &sorts {
            sort.try_grow(350).unwrap();
            sort.try_grow(1).unwrap_err();
        }
        for (_, merge) in &sorts {
            merge.try_grow(350).unwrap();
            merge.try_grow(1).unwrap_err();
        }
        let keep = holder(&pool, "SortPreservingMergeExec[0]", false);
        keep.try_grow(200).unwrap();
        keep.try_grow(1).unwrap_err();
        // What a sort gives back its merge may have.
        let (sort, merge) = &sorts[0];
        sort.shrink(300);
        merge.try_grow(300).unwrap();
        merge.try_grow(1).unwrap_err();
        assert_eq!(pool.reserved(), 1_600);
        drop((keep, sorts));
        let state = memory.state();
        assert_eq!((state.taken, state.kept, state.sorts.len(), state.sort_of.len()), (0, 0, 0, 0));
    }

    #[test]
    fn what_was_collected_can_be_merged_whoever_comes_meanwhile() {
        let (_, pool) = memory();
        let (sort_first, merge_first) = sort(&pool);
        sort_first.try_grow(700).unwrap();
        let others: Vec<_> = (0..6).map(|_| sort(&pool)).collect();
        sort_first.try_grow(1).unwrap_err();
        let run = sort_first.split(300);
        drop(run);
        merge_first.try_grow(300).unwrap();
        merge_first.try_grow(1).unwrap_err();
        others[0].0.try_grow(100).unwrap();
        others[0].0.try_grow(1).unwrap_err();
        // One whose sort is gone holds its share until it is gone too.
        drop(sort_first);
        merge_first.try_grow(400).unwrap();
        others[1].0.try_grow(101).unwrap_err();
        drop(merge_first);
        others[1].0.try_grow(116).unwrap();
    }

    #[test]
    fn what_is_kept_is_taken_from_all_shares_and_given_back() {
        let (_, pool) = memory();
        let spill = holder(&pool, "GroupedHashAggregateStream[0]", true);
        let keep = holder(&pool, "HashJoinInput[0]", false);
        keep.try_grow(600).unwrap();
        spill.try_grow(801).unwrap_err();
        spill.try_grow(800).unwrap();
        // Beside it, what it is merged into.
        spill.new_empty().try_grow(800).unwrap();
        keep.try_grow(201).unwrap_err();
        drop(keep);
        spill.try_grow(600).unwrap();
        drop(spill);
        assert_eq!(pool.reserved(), 0);
    }
}
