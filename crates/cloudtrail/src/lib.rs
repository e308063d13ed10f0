//! Here is a log file; give me its events.
//!
//! Pure: bytes in, Arrow batches out. No I/O beyond the readers handed in, no clock, no SQL.
//! Modules stand in the order in which data flows.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod object_key;
pub mod log_file;
pub mod envelope;
pub mod schema;
pub mod record;
pub mod shape;
pub mod decode;
pub mod rebuild;
pub mod compare;
pub mod digest;

mod error;

pub use compare::{Comparison, compare};
pub use decode::{Batch, Decoder, ObjectSummary, Reject, decode_object};
pub use error::Error;
pub use log_file::{Inspected, Limits, ObjectFault, inspect};
pub use object_key::ObjectKey;
pub use rebuild::{rebuild, rebuild_all, rebuild_columns};
pub use schema::Kind;
