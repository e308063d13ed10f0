//! Here is a log file; give me its events.
//!
//! Pure: bytes in, Arrow batches out. No I/O beyond the readers handed in, no clock, no SQL.
//!
//! Data flows in the order of the modules: an [`object_key`] names an object; [`log_file`] takes
//! its container off and bounds what it may cost; `envelope` finds the records; `record` reads each
//! into a row and a [`shape`]; [`decode`] checks that the row gives the record's bytes back and
//! fills batches of the columns in [`schema`]; [`rebuild`](mod@rebuild) gives the bytes back;
//! [`compare`](mod@compare) says whether two records mean the same.
//!
//! *Invariant:* every record of an object becomes a row or a reject, and from a row the record's
//! original bytes come back.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod compare;
pub mod decode;
mod digest;
mod envelope;
mod error;
mod escapes;
mod fields;
mod form;
mod json;
pub mod log_file;
pub mod object_key;
pub mod rebuild;
mod record;
mod rows;
mod scanned;
pub mod schema;
pub mod shape;
mod style;
mod time;
mod window;

pub use compare::{Comparison, compare};
pub use decode::{Batch, Body, Decoder, ObjectSummary, Reject, decode_object};
pub use error::Error;
pub use log_file::{Container, Inspected, Limits, ObjectFault, inspect};
pub use object_key::ObjectKey;
pub use rebuild::{Rebuilder, rebuild, rebuild_all, rebuild_columns};
pub use schema::Kind;
