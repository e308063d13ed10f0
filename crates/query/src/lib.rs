//! Here is SQL; give me a stream of batches.
//!
//! In the order in which a statement flows:
//!
//! | module | the question it answers |
//! |---|---|
//! | `engine` | what happens to a statement, step by step? |
//! | `options` | what is an engine told? |
//! | `planning` | on which thread is a statement planned? |
//! | `definitions` | what of the scripts that define Athena's tables? |
//! | `resolve` | which table does a name mean? |
//! | `pins` | which snapshot of which store, and what tables are made over it? |
//! | `views` | what do CloudTrail's tables look like? (the only module that names its fields) |
//! | `system_tables`, `directory`, `show` | what does the lake know about itself? |
//! | `narrowed` | what does a statement want of a table that somebody else keeps? |
//! | `hidden` | which columns does `*` leave out? |
//! | `mentions` | which table's events does a search search? |
//! | `gate`, `size` | does the plan only read, and is it small enough to be worked on? |
//! | `stored_ranges` | which stored times does a condition on text or days come to? |
//! | `late` | which values are made for result rows only? |
//! | `runtime`, `order`, `memory`, `sorts`, `widths` | what is every query run with, how much memory may its parts take, and what of rows that do not fit? |
//! | `joins` | who else has a turn while a join goes on, and what of a side that does not fit? |
//! | `store_table`, `prune`, `bloom`, `scan`, `meter` | which files are read, and how much of them? |
//! | `run`, `explain`, `limits`, `answer` | how does the answer leave, in which form, under which limits? |
//! | `notes`, `error` | what is said beside it, or instead of it? |
//!
//! Invariants: a query sees one snapshot of each store and cannot write; nothing here reads the
//! clock, the environment or a path that a statement names.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod answer;
mod bloom;
mod definitions;
mod directory;
mod engine;
mod error;
mod explain;
mod gate;
mod hidden;
mod joins;
mod late;
mod limits;
mod memory;
mod mentions;
mod meter;
mod narrowed;
mod notes;
mod options;
mod order;
mod pins;
mod planning;
mod prune;
mod resolve;
mod run;
mod runtime;
mod scan;
mod show;
mod size;
mod sorts;
mod store_table;
mod stored_ranges;
mod system_tables;
mod views;
mod widths;

use arrow::array::{ArrayRef, RecordBatch};

pub use answer::{Answer, SnapshotName, Statistics};
pub use engine::Engine;
pub use error::{Error, ErrorKind, Result};
pub use notes::{Note, NoteKind};
pub use options::{
    Alias, EngineOptions, ListedDays, Looks, Lookup, QueryLimits, SystemTable, Wanted,
};
pub use traillake_trino::type_names::trino_type as type_name;
pub use traillake_trino::{
    Kind as SqlErrorKind, Parameters, SqlError, Value, interval_text, shortened,
};
pub use widths::{own_rows, row_bytes};

/// How the original bytes of a record come back from its row: known to whoever decoded it, handed
/// to the engine, which knows nothing of it.
pub trait Rebuild: Send + Sync + std::fmt::Debug {
    /// The physical columns it reads, of any record table; a table need not have all of them.
    fn columns(&self) -> &[&str];

    /// Returns the original bytes of every row: an array of text or bytes. The columns of `rows`
    /// are those of [`Rebuild::columns`] that the table has, in the types they are stored in.
    ///
    /// # Errors
    /// A message, when a row does not hold what its bytes are made from.
    fn rebuild(&self, rows: &RecordBatch) -> Result<ArrayRef, String>;
}
