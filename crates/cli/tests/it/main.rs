//! The built binary, from outside: what a person types, and what comes back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod folder;
mod queue;
mod served;

mod acknowledged;
mod ask;
mod athena;
mod bring_in;
mod buckets;
mod budgets;
mod check;
mod coverage;
mod credentials;
mod demo;
mod double;
mod export;
mod find;
mod followed;
mod following;
mod formats;
mod help;
mod hostile;
mod killed_reading;
mod killed_upkeep;
mod kills;
mod logins;
mod maintain;
mod messages;
mod prove;
mod reached;
mod readme;
mod reference;
mod refuse;
mod resumed;
mod scenarios;
mod serve;
mod settings;
mod shell;
mod state;
mod stores;
mod tended;
mod torn;
