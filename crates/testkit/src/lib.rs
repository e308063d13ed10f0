//! What the other crates test with: trails that never happened, stores that fail on command,
//! scenarios written as text.
//!
//! | module | gives |
//! |---|---|
//! | [`random`] | one seed, one sequence: everything below is repeatable |
//! | [`damage`] | what becomes of a lake's bytes when somebody damages or doctors them |
//! | [`faults`] | an object store that stops, lies or waits; a disk that loses what was not synced |
//! | [`trail`] | realistic CloudTrail trails of any size, as native files in their key layout |
//! | [`corpus`] | where the real events lie that some tests read, and what their absence means |
//! | [`demo`] | the small trail `traillake demo` carries, with its story and its truth |
//! | [`s3`] | an S3 on this machine, whose answers can be counted and spoiled |
//! | [`table_log`] | which versions of a lake's table have a checkpoint |
//! | [`scenario`] | the runner of `testdata/scenarios` |
//!
//! *Invariant*: knows nothing of the other crates, so that each of them can depend on it in its
//! tests. It is never part of a release.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod corpus;
pub mod damage;
pub mod demo;
pub mod faults;
pub mod random;
pub mod s3;
pub mod scenario;
pub mod table_log;
pub mod trail;
