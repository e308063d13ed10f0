//! Here is a bucket or a folder; bring in what is new, once.
//!
//! Modules stand in the order in which data flows: a *source* lists its objects, the *plan* takes
//! away what the ledger knows, the *pipeline* reads, decodes and groups the rest into rounds that
//! the store commits, and the *report* adds up what became of everything.
//!
//! Invariant: a bad record never stops an object, a bad object never stops a round, both are
//! counted. Invariant: the outcome does not depend on threads or on the order of listing.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod content;
mod proof;
mod tables;

mod listing;
mod looks;
mod notice;
mod options;
mod order;
mod plan;
mod resume;
mod retention;
mod selectors;
mod source;

mod copies;
mod decode;
mod inspect;
mod pipeline;
mod round;
mod spill;

mod error;
mod progress;
mod report;

pub use content::LogContent;
pub use error::{Error, Result};
pub use looks::{DayRun, Looks};
pub use notice::{Arrival, Notice, notice};
pub use options::{IngestOptions, LATE_DAYS, Selection, Source};
pub use pipeline::ingest;
pub use plan::{PLAN_CELLS_MAX, Plan, PlanCell, PlanSpan, PlanTally, check_sources, plan};
pub use progress::{CancelFlag, Progress, Silent};
pub use proof::{LogProof, fingerprint};
pub use report::{Fault, FaultKind, IgnoredLine, IntakeLine, ObjectCounts, RecordCounts, Report};
pub use selectors::{SelectorError, Selectors};
pub use source::{Bucket, Inventory, KeyList, Keys, Lister};
pub use tables::store_spec;
