//! Faults on command, the same for the same seed.
//!
//! Two doubles, made to be stacked. [`Faults`] stands where the process ends: it wraps the object
//! store a lake goes through and stops, fails or delays its calls by number. [`PowerLoss`] stands
//! where the machine ends: it watches a folder, is told of every fsync, and on
//! [`crash`](PowerLoss::crash) leaves only what a disk may have kept.
//!
//! A crash test stops at every step there is:
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use object_store::{ObjectStore, memory::InMemory};
//! # use traillake_testkit::faults::{Counted, Outcome, Stops};
//! # async fn round(_: Arc<dyn ObjectStore>) {}
//! # fn assert_exactly_the_truth(_: &InMemory) {}
//! # async fn test() {
//! for faults in Stops::new(Counted::Changes, Outcome::NotApplied) {
//!     let disk = Arc::new(InMemory::new());
//!     round(faults.wrap(disk.clone())).await; // dies at step 0, 1, 2, … and at last not at all
//!     round(disk.clone()).await;              // the next process recovers
//!     assert_exactly_the_truth(&disk);
//! }
//! # }
//! ```

mod plan;
mod power;
mod store;

pub use plan::{Counted, Faults, Outcome, Reply, Stops, Trouble};
pub use power::PowerLoss;
