//! The query engine over small lakes, through its public interface.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ask;
mod lake;

mod late;
mod minimum;
mod pruning;
