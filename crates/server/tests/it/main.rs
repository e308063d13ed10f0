//! The server as its clients see it: over HTTP, on a lake in a folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod athena_api;
mod athena_fuzz;
mod athena_objects;
mod athena_session;
mod aws_fuzz;
mod by_url;
mod connections;
mod forgotten;
mod history;
mod http_fuzz;
mod kept;
mod lake_api;
mod lake_fuzz;
mod lake_lookup;
mod lake_refusals;
mod lake_sdk;
mod limits;
mod logins;
mod long_statements;
mod openapi;
mod outbox;
mod presigned;
mod refused;
mod served;
mod spoiled;
mod stop;
mod trino_fuzz;
mod trino_jdbc;
mod trino_rest;
mod trino_session;
mod turns;
