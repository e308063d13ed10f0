//! What of a statement that is refused before it can run? It is remembered, so that whoever tries is
//! seen.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use traillake_query::Parameters;

use super::ending::{Told, outcome_of};
use super::refusals::Remember;
use super::{Asked, Queries, REFUSED, STATEMENT_BYTES_MAX};
use crate::auth::Identity;
use crate::error::{Error, Result};
use crate::state::Outcome;

/// Bytes that are kept of a statement that is too long to be one.
const KEPT_BYTES: usize = 1_000;

impl Queries {
    /// Remembers a statement that was refused. AWS's protocols do not list it, as its client has no
    /// id of it, and the client's own name for it stays free: asked again by that, it is to run.
    pub(crate) async fn refused(self: &Arc<Self>, asked: &Asked, why: &Error) {
        let outcome = outcome_of(why, Told::default(), self.options.now());
        self.remember(asked, outcome, 1).await;
    }

    /// As [`Queries::refused`], of a statement of which nothing but its text is known.
    pub(crate) async fn refused_text(
        self: &Arc<Self>,
        identity: &Identity,
        protocol: &'static str,
        sql: &str,
        why: &Error,
    ) {
        let mut asked = Asked {
            identity: identity.clone(),
            protocol,
            store: String::new(),
            sql: kept_of(sql),
            parameters: Parameters::default(),
            client_token: None,
            details: json!({}),
            schema: None,
            timeout: None,
            rows_max: None,
        };
        let outcome = outcome_of(why, Told::default(), self.options.now());
        let queries = Arc::clone(self);
        // Whoever hangs up meanwhile is remembered all the same.
        let remembered = tokio::spawn(async move {
            let usual = queries.engines.usual_store(&asked.identity, &queries.options.store);
            asked.store = usual.await.unwrap_or_default();
            queries.remember(&asked, outcome, 1).await;
        });
        let _ = remembered.await;
    }

    /// Refuses a statement of a user of whom too many wait.
    ///
    /// # Errors
    /// [`Error::Busy`]; when the state cannot be read.
    pub(super) async fn refuse_when_full(self: &Arc<Self>, asked: &Asked) -> Result<()> {
        let user = &asked.identity.user;
        if !self.queue.is_full(user) {
            return Ok(());
        }
        // What runs already is no further query.
        if let Some(token) = &asked.client_token
            && self.state.is_known(user, asked.protocol, token).await?
        {
            return Ok(());
        }
        let limit = self.options.waiting_per_user;
        let full = Error::Busy { waiting: limit, limit };
        self.refused_as_full(asked, &full).await;
        Err(full)
    }

    /// As [`Queries::refused`], of a statement that finds no place. Of those that follow within a
    /// second one is remembered, with how many there were.
    pub(crate) async fn refused_as_full(self: &Arc<Self>, asked: &Asked, why: &Error) {
        match self.refusals.add(&asked.identity.user, Instant::now()) {
            Remember::Now => self.refused(asked, why).await,
            Remember::Counted => {}
            Remember::After(wait) => {
                let (queries, asked) = (Arc::clone(self), asked.clone());
                let mut outcome = outcome_of(why, Told::default(), self.options.now());
                // A stop waits for it.
                let delivery = self.delivery();
                tokio::spawn(async move {
                    let _delivery = delivery;
                    let _ = tokio::time::timeout(wait, queries.draining.cancelled()).await;
                    let count = queries.refusals.take(&asked.identity.user, Instant::now());
                    outcome.ended_at = queries.options.now();
                    queries.remember(&asked, outcome, count).await;
                });
            }
        }
    }

    async fn remember(self: &Arc<Self>, asked: &Asked, mut outcome: Outcome, count: u64) {
        let mut details = asked.details.as_object().cloned().unwrap_or_default();
        details.insert(REFUSED.to_owned(), count.into());
        let asked = Asked {
            client_token: None,
            details: details.into(),
            sql: kept_of(&asked.sql),
            ..asked.clone()
        };
        if count > 1 {
            let message = outcome.error.unwrap_or_default();
            let together =
                format!("{message} ({count} statements were refused so within a second)");
            outcome.error = Some(together);
        }
        match self.note(&asked).await {
            Ok(mut submission) => submission.ending.end(outcome).await,
            Err(error) => tracing::warn!("a refused statement is not remembered: {error}"),
        }
    }
}

/// Returns a statement as it is kept: of one that is too long its beginning.
fn kept_of(sql: &str) -> String {
    match sql.len() {
        0..=STATEMENT_BYTES_MAX => sql.to_owned(),
        _ => format!("{}…", &sql[..sql.floor_char_boundary(KEPT_BYTES)]),
    }
}
