//! What a fold has of its rows in memory, counted.

use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::RecordBatch;

/// Bytes of rows that a fold may have in memory, has, and had at most.
#[derive(Debug)]
pub(super) struct Memory {
    limit: usize,
    held: AtomicUsize,
    most: AtomicUsize,
}

impl Memory {
    /// Nothing yet, and so much at most.
    pub fn of(limit: usize) -> Memory {
        Memory { limit, held: AtomicUsize::new(0), most: AtomicUsize::new(0) }
    }

    /// How much there may be.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether there is more than there may be.
    pub fn is_over(&self) -> bool {
        self.held.load(Ordering::Relaxed) > self.limit
    }

    /// The most there was at a time.
    pub fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    fn hold(&self, bytes: usize) {
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.most.fetch_max(held, Ordering::Relaxed);
    }
}

/// Rows in memory. They count for as long as they are there.
#[derive(Debug)]
pub(super) struct HeldRows<'a> {
    memory: &'a Memory,
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl<'a> HeldRows<'a> {
    /// No rows.
    pub fn none(memory: &'a Memory) -> HeldRows<'a> {
        HeldRows { memory, batches: Vec::new(), rows: 0, bytes: 0 }
    }

    /// How many there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Their bytes, as they are in memory.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds rows behind the others.
    pub fn push(&mut self, batch: RecordBatch) {
        self.rows += batch.num_rows();
        self.hold(batch.get_array_memory_size());
        self.batches.push(batch);
    }

    /// Counts bytes that are kept with the rows.
    pub fn hold(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.memory.hold(bytes);
    }

    /// Adds other rows behind these.
    pub fn append(&mut self, mut others: HeldRows<'a>) {
        self.rows += others.rows;
        self.bytes += std::mem::take(&mut others.bytes); // they stay counted
        self.batches.append(&mut others.batches);
    }

    /// The rows, batch by batch.
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// Hands the rows over. They are counted until this is dropped, for whoever takes them has them.
    pub fn take(&mut self) -> Vec<RecordBatch> {
        std::mem::take(&mut self.batches)
    }
}

impl Drop for HeldRows<'_> {
    fn drop(&mut self) {
        self.memory.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
