//! Programs that measure `traillake` from outside, as a user would: they make trails, run the
//! binary they are given, and print figures. They link nothing of the product, but for `decode`,
//! which measures one crate of it.
//!
//! | program | prints |
//! |---|---|
//! | `generate` | a [workload](Workload) as files |
//! | `ingest` | speed, peak memory and size of the lake for every workload |
//! | `grown` | ingest into a lake of a hundred million events, against an empty one |
//! | `open_lake` | what a lake of very many files costs to open, to prune and to commit to |
//! | `plan` | how long it takes to tell listed keys from known ones, with a full ledger |
//! | `beside` | what two ingesters of one lake cost one another |
//! | `requests` | what a lake in a bucket costs to open and to ask, cold and again |
//! | `follow` | how soon what is delivered to a bucket can be asked for |
//! | `upkeep` | time and memory of upkeep of ten million events, and questions beside it |
//! | `decode` | speed of decoding alone, stage by stage, beside `serde_json` |
//! | `queries` | some twenty audit queries beside DuckDB and ClickHouse, medians |
//! | `compare.py` | ingest and some twenty audit queries beside DuckDB and ClickHouse |
//!
//! Results are kept in `runs/<date>-<machine class>/README.md`, with versions and commands.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod audit;
pub mod lakes;
pub mod machine;
pub mod peers;
pub mod process;
pub mod workload;

pub use lakes::{Lakes, fresh};
pub use machine::machine;
pub use process::{Finished, Program};
pub use workload::Workload;
