//! The trino crate through its public interface: statements in, rows out.

mod errors;
mod headers;
mod maps;
mod reference;
mod rows;
mod slt;
mod support;
