//! The trino crate through its public interface: statements in, rows out.

mod errors;
mod headers;
mod maps;
mod rows;
mod slt;
mod support;
