//! Tests of the store through its public interface.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod audit;
mod budgets;
mod checkpoints;
mod crashes;
mod damage;
mod deletion;
mod expiry;
mod interruptions;
mod lakes;
mod latest;
mod looks;
mod meanwhile;
mod power;
mod races;
mod rebases;
mod retries;
mod rewrites;
mod rounds;
mod s3;
mod turns;
mod upkeep;
mod world;
