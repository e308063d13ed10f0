//! The test doubles keep their own promises.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod demo;
mod faults;
mod scenario;
mod trail;
