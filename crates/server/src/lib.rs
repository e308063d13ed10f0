//! Here is an answer; speak it.
//!
//! In the order in which a request flows:
//!
//! | module | the question it answers |
//! |---|---|
//! | `listen` | who may connect, over what, and how does it end? |
//! | `places`, `patience` | may one more connect, and how long is it waited for? |
//! | `connection` | what happens on one connection? |
//! | `options` | what is a server told? |
//! | `auth` | who is asking, and what may they see? |
//! | `http` | what does a path mean? (the routes, and TrailLake's own API) |
//! | `aws` | how do AWS's clients ask? |
//! | `trino` | how do Trino's clients ask? |
//! | `literal_types` | which type does a literal have that a client binds? |
//! | `queries` | which statements run, wait and have run? |
//! | `engines` | which engine answers for a store? |
//! | `history`, `logins` | what do `system.queries` and `system.logins` hold? |
//! | `followed` | how do the sources fare that are followed meanwhile? |
//! | `results` | where are answers kept that are fetched later? |
//! | `outbox` | where are finished answers put that are wanted in a bucket? |
//! | `state` | what survives a restart? |
//! | `formats` | how is an answer written down? |
//!
//! Invariants: every protocol goes through `queries`, so that limits, history and cancel are the
//! same for all; a query's id, result and history belong to whoever asked it, and to everybody else
//! it does not exist; no request makes the server read or write a path, bucket or URL that its
//! configuration does not name.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod connection;
mod listen;
mod options;
mod patience;
mod places;

pub mod auth;
mod aws;
mod http;
mod trino;

mod engines;
mod followed;
mod history;
mod literal_types;
mod logins;
mod outbox;
mod queries;
mod queue;
mod results;

mod state;

mod error;

pub mod formats;

pub use error::{Error, Result};
pub use followed::{Followed, FollowedSource, SourceCounts};
pub use http::Server;
pub use listen::{Address, Bound, Tls, bind};
pub use options::{ReadSampleValues, Sample, SampleParameter, Samples, ServerOptions};
pub use outbox::Bucket;
pub use state::{Credential, CredentialKind, NewCredential, State};
