//! Which engine answers for a store? One is kept for each store and user; all share one memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use traillake_query::{Engine, Error as QueryError, SystemTable};
use traillake_store::StoreInfo;

use crate::auth::Identity;
use crate::error::{Error, Result};
use crate::history::History;
use crate::logins::LoginTable;
use crate::state::State;

/// For so long an engine's list of stores counts as the latest. What a store holds is read anew by
/// every query.
const LISTED: Duration = Duration::from_secs(10);
/// Engines kept at once.
const KEPT_MAX: usize = 256;

/// Store, user, grants, and whether they see what everybody does.
type Key = (String, String, Option<Vec<String>>, bool);

/// The engines of a lake.
pub(crate) struct Engines {
    first: Engine,
    state: State,
    kept: Mutex<HashMap<Key, (Instant, Engine)>>,
}

impl Engines {
    pub(crate) fn new(first: Engine, state: State) -> Engines {
        Engines { first, state, kept: Mutex::default() }
    }

    /// Returns the engine of a store for that identity. The store can be named by its name, its id
    /// or its ARN.
    pub(crate) async fn engine(&self, identity: &Identity, store: &str) -> Result<Engine> {
        let missing = || Error::not_found("event data store", store);
        let name = match self.first.stores().iter().find(|info| names(info, store)) {
            Some(info) => info.name.clone(),
            None => store.to_owned(),
        };
        if !identity.may_see(&name) {
            return Err(missing());
        }
        let (user, grants) = (identity.user.clone(), identity.stores.clone());
        let key = (name.clone(), user, grants, identity.sees_everybody());
        if let Some((at, engine)) = self.kept.lock().await.get(&key)
            && at.elapsed() < LISTED
        {
            return Ok(engine.clone());
        }
        let whose = (!identity.sees_everybody()).then(|| identity.user.clone());
        let tables: Vec<Arc<dyn SystemTable>> = vec![
            Arc::new(History::of(&self.state, whose.clone())),
            Arc::new(LoginTable::of(&self.state, whose)),
        ];
        let made = self.first.of_store(&name, identity.stores.as_deref(), tables).await;
        let engine = made.map_err(|error| match error {
            QueryError::Lake(traillake_store::Error::NoStore { .. }) => missing(),
            error => error.into(),
        })?;
        let mut kept = self.kept.lock().await;
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(key, (Instant::now(), engine.clone()));
        Ok(engine)
    }

    /// Returns the stores that an identity may see: of its grants those that exist.
    pub(crate) async fn stores(&self, identity: &Identity, own: &str) -> Result<Vec<StoreInfo>> {
        let own = [own.to_owned()];
        for store in identity.stores.as_deref().unwrap_or(&own) {
            match self.engine(identity, store).await {
                Err(Error::NotFound { .. }) => {}
                engine => return Ok(engine?.stores().to_vec()),
            }
        }
        Ok(Vec::new())
    }

    /// Returns the store that is meant where none is named: `own`, the server's, for whoever may see
    /// it, else the first of their grants that exists.
    ///
    /// # Errors
    /// [`Error::NotFound`] for whoever may see none.
    pub(crate) async fn usual_store(&self, identity: &Identity, own: &str) -> Result<String> {
        if identity.may_see(own) {
            return Ok(own.to_owned());
        }
        let stores = self.stores(identity, own).await?;
        let granted = identity.stores.iter().flatten();
        let found = granted.into_iter().find(|name| stores.iter().any(|info| info.name == **name));
        found.cloned().ok_or_else(|| Error::not_found("event data store", own))
    }
}

/// Whether a store goes by that name, id or ARN.
pub(crate) fn names(info: &StoreInfo, name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    info.name == name || info.arn == name || info.id.to_string().eq_ignore_ascii_case(last)
}
