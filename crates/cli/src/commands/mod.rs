//! One file a command.

pub mod completions;
pub mod config;
pub mod coverage;
pub mod demo;
pub mod event;
pub mod find;
pub mod ingest;
pub mod query;
pub mod samples;
pub mod shell;
pub mod status;
pub mod store;
pub mod version;
pub mod welcome;
