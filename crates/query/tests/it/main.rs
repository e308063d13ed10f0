//! The query engine over small lakes, through its public interface.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod ask;
mod athena;
mod coverage;
mod joins;
mod lake;

mod late;
mod mentions;
mod minimum;
mod names;
mod nesting;
mod outlived;
mod pruning;
mod refusals;
mod schemas;
mod slt;
mod time_travel;
