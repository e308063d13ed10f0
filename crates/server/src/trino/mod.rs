//! How do Trino's clients ask?
//!
//! | module | the question it answers |
//! |---|---|
//! | `statement`, `info` | what does a path mean? |
//! | `session` | what does the client say of its session, and what does an answer change in it? |
//! | `commands`, `literals`, `words` | is the statement one about the session, or a prepared one? |
//! | `kill` | which query is to end? |
//! | `metadata`, `tables` | what do drivers ask about tables, and about themselves? |
//! | `exchange` | which page is asked for, and is the client still there? |
//! | `exchanges`, `budget` | which queries have a client, and how much waits to be fetched? |
//! | `pages`, `columns`, `values` | how is a page written down? |
//! | `faults` | what is an error called? |
//!
//! The protocol: <https://trino.io/docs/current/develop/client-protocol.html>. A statement is
//! posted and answered with the address of a page; every page has some rows and the address of the next.
//! Rows are pulled: while the client asks for nothing, the query makes one page and waits.

pub(crate) mod info;
pub(crate) mod statement;

mod session;

mod commands;
mod kill;
mod literals;
mod words;

mod metadata;
mod tables;

mod budget;
mod exchange;
mod exchanges;

mod columns;
mod pages;
mod values;

mod faults;

pub(crate) use exchanges::Exchanges;
pub(crate) use statement::refusal;

/// The catalog of everything.
const CATALOG: &str = "traillake";
/// The release of Trino whose protocol is spoken.
const TRINO: u32 = 476;
