//! The built binary, from outside: what a person types, and what comes back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod folder;

mod ask;
mod athena;
mod bring_in;
mod buckets;
mod demo;
mod find;
mod formats;
mod help;
mod hostile;
mod kills;
mod prove;
mod readme;
mod reference;
mod refuse;
mod scenarios;
mod settings;
mod shell;
