//! Tests of the store through its public interface.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod crashes;
mod lakes;
mod power;
mod races;
mod rewrites;
mod rounds;
mod world;
