//! The trino crate through its public interface: statements in, rows out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod coverage;
mod errors;
mod functions;
mod headers;
mod malformed;
mod maps;
mod oracle;
mod reference;
mod rows;
mod slt;
mod support;
mod syntax;
