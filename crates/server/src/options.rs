//! What a server is told.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use traillake_query::Parameters;

use crate::followed::Followed;
use crate::outbox::Bucket;

/// What a server is told. Nothing of it can be changed by a request.
#[derive(Clone)]
pub struct ServerOptions {
    /// The store that is meant where a request names none.
    pub store: String,
    /// Names, without a port, under which the server may be reached; beside them its addresses of
    /// loopback. Another `Host` is refused, so that no name that a web page chose leads here.
    pub hosts: Vec<String>,
    /// Everybody who connects may read everything.
    pub no_auth: bool,
    /// Statements that run at once; the others wait for their turn.
    pub queries_at_once: usize,
    /// Statements of one user that may wait.
    pub waiting_per_user: usize,
    /// When none has begun or ended for so long, a statement of each user of whom none runs is let
    /// in beyond those that run at once, up to as many again.
    pub stuck_after: Duration,
    /// The longest a statement may take.
    pub timeout: Option<Duration>,
    /// The most rows an answer may have.
    pub rows_max: Option<u64>,
    /// Bytes of kept answers, above which texts are shortened, those of the user with the most first.
    pub results_bytes_max: u64,
    /// How long an answer is kept.
    pub results_kept: Duration,
    /// Places in S3 that finished answers may be put under; none: an answer is put nowhere.
    pub outbox: Vec<Bucket>,
    /// How long queries and logins are remembered.
    pub history_kept: Duration,
    /// Bytes of remembered queries, above which long texts are shortened.
    pub history_bytes_max: u64,
    /// How often what is kept no longer is removed.
    pub tidy_every: Duration,
    /// Connections at once; further ones are told so and closed.
    pub connections_max: usize,
    /// Connections of one address at once; those of this machine are not counted.
    pub connections_of_one_max: usize,
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
    /// Bytes of the bodies that arrive at once; further ones wait.
    pub bodies_bytes_max: usize,
    /// Bytes of the answers of one user that wait to be fetched by Trino's clients; those that
    /// nobody has asked for the longest are given up.
    pub pages_of_one_bytes_max: usize,
    /// The same of all users together.
    pub pages_bytes_max: usize,
    /// A client that takes nothing of an answer for so long went away.
    pub client_gone_after: Duration,
    /// Tells the time.
    pub clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// The sources that are followed meanwhile; none: nothing is.
    pub followed: Option<Followed>,
    /// The sources that the lake keeps, where others follow them; none: nothing is known of them.
    pub watched: Option<Followed>,
    /// Sample queries that are served.
    pub samples: Samples,
}

impl ServerOptions {
    /// Returns options with the limits that suit a machine of `cores` cores.
    pub fn new(
        store: &str,
        cores: usize,
        clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    ) -> ServerOptions {
        ServerOptions {
            store: store.to_owned(),
            hosts: Vec::new(),
            no_auth: false,
            queries_at_once: (cores * 2).max(4),
            waiting_per_user: 1_000,
            stuck_after: Duration::from_secs(30),
            timeout: None,
            rows_max: None,
            results_bytes_max: 10 << 30,
            results_kept: Duration::from_secs(7 * 24 * 3600),
            outbox: Vec::new(),
            history_kept: Duration::from_secs(400 * 24 * 3600),
            history_bytes_max: 256 << 20,
            tidy_every: Duration::from_secs(10 * 60),
            connections_max: 1_024,
            connections_of_one_max: 512,
            body_bytes_max: 1 << 20,
            bodies_bytes_max: 64 << 20,
            // Each statement that runs keeps two pages, of 1 MiB or of one row.
            pages_of_one_bytes_max: (cores * (4 << 20)).max(64 << 20),
            pages_bytes_max: (cores * (8 << 20)).max(256 << 20),
            client_gone_after: Duration::from_secs(5 * 60),
            clock,
            followed: None,
            watched: None,
            samples: Samples::default(),
        }
    }

    /// The sources that are known, whoever follows them.
    pub(crate) fn sources(&self) -> Option<&Followed> {
        self.followed.as_ref().or(self.watched.as_ref())
    }

    /// Returns the time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }
}

/// Reads the values of the sample of that name, which are in the order of its parameters, at a time
/// that spans are counted back from. Those that are missing have their defaults. The error says in
/// words what is wrong.
pub type ReadSampleValues =
    Arc<dyn Fn(&str, &[&str], DateTime<Utc>) -> Result<Parameters, String> + Send + Sync>;

/// Sample queries.
#[derive(Clone)]
pub struct Samples {
    /// All there are.
    pub all: Arc<[Sample]>,
    /// What values mean to them.
    pub read_values: ReadSampleValues,
}

impl Default for Samples {
    fn default() -> Samples {
        let none = |name: &str, _: &[&str], _| Err(format!("there is no sample `{name}`"));
        Samples { all: Arc::default(), read_values: Arc::new(none) }
    }
}

/// A sample query.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Sample {
    /// Its name.
    pub name: String,
    /// A few words.
    pub title: String,
    /// The question it answers.
    pub question: String,
    /// Its statement.
    pub sql: String,
    /// What can be given to it.
    pub parameters: Vec<SampleParameter>,
}

/// A parameter of a sample query.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SampleParameter {
    /// Its name after the colon in the statement.
    pub name: String,
    /// `text`, `time` or `number`.
    pub kind: String,
    /// Its value when none is given.
    pub default: Option<String>,
    /// What it is, in a few words.
    pub about: String,
}
