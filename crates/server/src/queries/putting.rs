//! How does a finished answer come to where it is wanted? Behind its query, which has finished
//! whatever becomes of that.

use std::sync::Arc;

use uuid::Uuid;

use super::Queries;
use crate::error::{Error, Result};
use crate::outbox::Parcel;

impl Queries {
    /// Puts the kept answer of a user's query where it is wanted, and remembers how that went. What
    /// a stop breaks off is left to the next server.
    pub(super) async fn put_out(&self, user: &str, id: Uuid) {
        let put = tokio::select! {
            biased;
            () = self.stopping.cancelled() => return,
            put = self.put(user, id) => put,
        };
        let remembered = match put {
            Ok(word) => self.state.delivered(id, word).await,
            Err(error) => Err(error),
        };
        if let Err(error) = remembered {
            tracing::warn!("what became of the answer of query {id} is not remembered: {error}");
        }
    }

    async fn put(&self, user: &str, id: Uuid) -> Result<&'static str> {
        let record = self.record(user, &id.to_string()).await?;
        let parcel = Parcel::of(&record.details);
        let parcel = parcel.ok_or_else(|| Error::not_found("place for query", id.to_string()))?;
        Ok(self.outbox.put(&record, &parcel, &self.results).await)
    }

    /// Puts the answers that an earlier server did not, each by the user and the id of its query,
    /// one after the other.
    pub(crate) async fn put_what_was_left(self: Arc<Self>, left: Vec<(String, Uuid)>) {
        for (user, id) in left {
            if self.draining.is_cancelled() {
                return;
            }
            let _delivery = self.delivery();
            self.put_out(&user, id).await;
        }
    }
}
