//! One file a command.

pub mod check;
pub mod completions;
pub mod config;
pub mod coverage;
pub mod credentials;
pub mod demo;
pub mod event;
pub mod export;
pub mod find;
pub mod ingest;
pub mod maintain;
pub mod query;
pub mod samples;
pub mod serve;
pub mod shell;
pub mod source;
pub mod status;
pub mod store;
pub mod version;
pub mod welcome;
