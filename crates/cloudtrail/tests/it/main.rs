//! The crate through its public interface.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod support;

mod archives;
mod commas;
mod comparison;
mod containers;
mod corpus;
mod envelopes;
mod fields;
mod keys;
mod lookalikes;
mod lossless;
